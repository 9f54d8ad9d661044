#!/usr/bin/env bash
# Makes what was restored safe to use, and says what kind of hit is left of it.
#
# KEY          the key that was asked for
# MATCHED_KEY  the key that was found, or nothing
# CACHE_HIT    "true" if it was the very key
set -euo pipefail
# shellcheck source=action/flags.sh
. "$(dirname "${BASH_SOURCE[0]}")/flags.sh"

kind=none
if [ -n "$MATCHED_KEY" ]; then
	echo "found $MATCHED_KEY"
	verdict=$(cachekey verify "${flags[@]}" --key "$KEY" --json)
	case $(sed -n 's/^  "state": "\(.*\)",$/\1/p' <<<"$verdict") in
	whole) if [ "$CACHE_HIT" = true ]; then kind=exact; else kind=partial; fi ;;
	partial) kind=partial ;;
	esac
	cachekey realise --directory "${INPUT_DIRECTORY:-.}"
fi

if [ "$kind" = exact ]; then hit=true; else hit=false; fi
printf '%s\n' "hit-kind=$kind" "cache-hit=$hit" >>"$GITHUB_OUTPUT"
echo "hit: $kind"
