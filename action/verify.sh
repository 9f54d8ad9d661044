#!/usr/bin/env bash
# Verifies what was restored, and writes the outputs hit-kind and cache-hit.
#
# KEY          the key of this checkout
# MATCHED_KEY  the key of the entry that was restored; empty if there was none
set -euo pipefail
# shellcheck source=action/flags.sh
. "$(dirname "${BASH_SOURCE[0]}")/flags.sh"

if [ -z "$MATCHED_KEY" ]; then
	printf '%s\n' hit-kind=none cache-hit=false >>"$GITHUB_OUTPUT"
	echo "hit: none"
	exit
fi
echo "found $MATCHED_KEY"
cachekey verify "${flags[@]}" --key "$KEY" --matched-key "$MATCHED_KEY" --github
cachekey realise --directory "${INPUT_DIRECTORY:-.}"
