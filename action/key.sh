#!/usr/bin/env bash
# Computes the key, and writes the outputs key, restore-keys and paths.
# The document of the key is kept for the other scripts, so that the key is computed once.
set -euo pipefail
# shellcheck source=action/flags.sh
. "$(dirname "${BASH_SOURCE[0]}")/flags.sh"

mkdir -p "$RUNNER_TEMP/cachekey"
computed=$RUNNER_TEMP/cachekey/computed.json
key=$(cachekey key "${flags[@]}" --github --json-file "$computed")
mv "$computed" "$(document "$key")"
echo "$key"
