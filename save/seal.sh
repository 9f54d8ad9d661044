#!/usr/bin/env bash
# Prunes .same and seals it under the key that was computed before the build. Writes the
# output sealed. If it cannot be sealed, the build stays green, and nothing is saved.
set -euo pipefail
# shellcheck source=action/flags.sh
. "$(dirname "${BASH_SOURCE[0]}")/../action/flags.sh"

document=$(document "$KEY")
if [ ! -e "$document" ]; then
	echo "::error title=cachekey::no step of this job computed the key $KEY: use the restoring action first"
	exit 1
fi
prune=(--directory "$INPUT_DIRECTORY")
[ -z "$INPUT_MAX_SIZE" ] || prune+=(--max-size "$INPUT_MAX_SIZE")
# Only seal needs the secret.
if env -u CACHEKEY_SEAL_KEY cachekey prune "${prune[@]}" &&
	cachekey seal --directory "$INPUT_DIRECTORY" --key-file "$document"; then
	echo sealed=true >>"$GITHUB_OUTPUT"
else
	echo "::notice title=cachekey::the cache is not saved: it could not be pruned and sealed, as printed above"
	echo sealed=false >>"$GITHUB_OUTPUT"
fi
