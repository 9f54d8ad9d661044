#!/usr/bin/env bash
# Verifies .same, and writes the outputs hit-kind and cache-hit. Also on a miss: then the
# files in .same came with the checkout, or from an earlier job.
#
# KEY          the key of this checkout, whose document lists the untracked files
# MATCHED_KEY  the key of the entry that was restored; empty if there was none
set -euo pipefail
# shellcheck source=action/flags.sh
. "$(dirname "${BASH_SOURCE[0]}")/flags.sh"

flags+=(--key-file "$(document "$KEY")")
if [ -n "$MATCHED_KEY" ]; then
	printf 'found %q\n' "$MATCHED_KEY"
	flags+=(--matched-key "$MATCHED_KEY")
else
	echo "hit: none"
	printf '%s\n' hit-kind=none cache-hit=false >>"$GITHUB_OUTPUT"
fi
cachekey verify "${flags[@]}" --github
# Only verify needs the secret.
unset CACHEKEY_SEAL_KEY
cachekey realise --directory "${INPUT_DIRECTORY:-.}" ||
	echo "::notice title=cachekey::the store paths of restored environments could not be fetched: same resolves the tools again"
