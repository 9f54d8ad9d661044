#!/usr/bin/env bash
# Computes the key and leaves it, the restore keys and the paths as outputs.
# The whole document stays beside it for `seal`: whoever saves recomputes nothing.
set -euo pipefail
# shellcheck source=action/flags.sh
. "$(dirname "${BASH_SOURCE[0]}")/flags.sh"

[ "${INPUT_LOOSE-}" != true ] || flags+=(--loose)
mkdir -p "$RUNNER_TEMP/cachekey"
document=$RUNNER_TEMP/cachekey/computed.json
cachekey key "${flags[@]}" --github --json >"$document"
key=$(sed -n 's/^  "key": "\(.*\)",$/\1/p' "$document")
mv "$document" "$RUNNER_TEMP/cachekey/$key.json"
echo "$key"
