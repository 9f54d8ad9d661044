#!/usr/bin/env bash
# Prunes .same and seals it under the key that was computed before the build.
set -euo pipefail

prune=(--directory "$INPUT_DIRECTORY")
[ -z "$INPUT_MAX_SIZE" ] || prune+=(--max-size "$INPUT_MAX_SIZE")
cachekey prune "${prune[@]}"

document=$RUNNER_TEMP/cachekey/$KEY.json
if [ ! -e "$document" ]; then
	echo "::error title=cachekey::no step of this job computed the key $KEY: use the restoring action first"
	exit 1
fi
cachekey seal --directory "$INPUT_DIRECTORY" --key-file "$document"
