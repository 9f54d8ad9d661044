#!/usr/bin/env bash
# Computes the key and leaves it, the restore keys and the paths as outputs.
# The whole document stays beside it for `seal`: whoever saves recomputes nothing.
set -euo pipefail

flags=(--directory "$INPUT_DIRECTORY")
[ -z "$INPUT_PREFIX" ] || flags+=(--prefix "$INPUT_PREFIX")
[ "$INPUT_LOOSE" != true ] || flags+=(--loose)

# lines FLAG TEXT: the flag once for each line of the text that is not blank
lines() {
	local line
	while IFS= read -r line; do
		[ -z "$line" ] || flags+=("$1" "$line")
	done <<<"$2"
}
lines --lock "$INPUT_LOCKS"
lines --task-file "$INPUT_TASK_FILES"
lines --extra "$INPUT_EXTRA"

mkdir -p "$RUNNER_TEMP/cachekey"
document=$RUNNER_TEMP/cachekey/computed.json
cachekey key "${flags[@]}" --github --json >"$document"
key=$(sed -n 's/^  "key": "\(.*\)",$/\1/p' "$document")
mv "$document" "$RUNNER_TEMP/cachekey/$key.json"
echo "$key"
