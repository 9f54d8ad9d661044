#!/usr/bin/env bash
# Computes the key, and writes the outputs key, restore-keys and paths.
# The document of the key is kept for seal.sh, so that the key is computed once.
set -euo pipefail
# shellcheck source=action/flags.sh
. "$(dirname "${BASH_SOURCE[0]}")/flags.sh"

[ "${INPUT_LOOSE-}" != true ] || flags+=(--loose)
mkdir -p "$RUNNER_TEMP/cachekey"
document=$RUNNER_TEMP/cachekey/computed.json
key=$(cachekey key "${flags[@]}" --github --json-file "$document")
mv "$document" "$RUNNER_TEMP/cachekey/$key.json"
echo "$key"
