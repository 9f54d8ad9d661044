# shellcheck shell=bash
# Sets the array `flags` to the flags of cachekey for the action's inputs, and defines
# functions that several scripts use. An input that is unset or empty means the default.

flags=(--directory "${INPUT_DIRECTORY:-.}")
[ -z "${INPUT_PREFIX-}" ] || flags+=(--prefix "$INPUT_PREFIX")

# lines FLAG TEXT: adds the flag once for each line of the text that is not empty
lines() {
	local line
	while IFS= read -r line; do
		[ -z "$line" ] || flags+=("$1" "$line")
	done <<<"$2"
}
lines --lock "${INPUT_LOCKS-}"
lines --task-file "${INPUT_TASK_FILES-}"
lines --extra "${INPUT_EXTRA-}"
[ -z "${INPUT_NAR_HASH-}" ] || flags+=(--nar-hash "$INPUT_NAR_HASH")
[ "${INPUT_ALLOW_MISSING-}" != true ] || flags+=(--allow-missing)

sha256() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

# document KEY: prints the name of the file that holds the document of the key: $KEY_FILE
# if that is set. A key can be longer than a file name, so the name is made of its digest.
document() {
	if [ -n "${KEY_FILE-}" ]; then
		printf '%s\n' "$KEY_FILE"
	else
		printf '%s/cachekey/%s.json\n' "$RUNNER_TEMP" "$(printf %s "$1" | sha256 - | cut -d ' ' -f 1)"
	fi
}
