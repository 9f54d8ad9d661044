#!/usr/bin/env bash
# Makes what was restored safe to use, and says what kind of hit is left of it.
#
# KEY          the key that was asked for
# MATCHED_KEY  the key that was found, or nothing
# CACHE_HIT    "true" if it was the very key
# INPUT_DIRECTORY  the workspace
set -euo pipefail

carried() { find "$INPUT_DIRECTORY/.same/store" "$INPUT_DIRECTORY/.same/cache" -type f 2>/dev/null | wc -l; }

kind=none
if [ -n "$MATCHED_KEY" ]; then
	before=$(carried)
	cachekey verify --directory "$INPUT_DIRECTORY" --key "$KEY"
	after=$(carried)
	cachekey realise --directory "$INPUT_DIRECTORY"
	if [ "$after" -eq 0 ]; then
		kind=none
	elif [ "$CACHE_HIT" = true ] && [ "$after" -eq "$before" ]; then
		kind=exact
	else
		kind=partial
	fi
fi
echo "hit: $kind${MATCHED_KEY:+ ($MATCHED_KEY)}"
echo "hit-kind=$kind" >>"$GITHUB_OUTPUT"
if [ "$kind" = exact ]; then hit=true; else hit=false; fi
echo "cache-hit=$hit" >>"$GITHUB_OUTPUT"
