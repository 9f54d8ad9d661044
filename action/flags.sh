# shellcheck shell=bash
# The flags of cachekey that the action's inputs stand for, in the array `flags`.
# A workflow without those inputs gets the defaults.

flags=(--directory "${INPUT_DIRECTORY:-.}")
[ -z "${INPUT_PREFIX-}" ] || flags+=(--prefix "$INPUT_PREFIX")

# lines FLAG TEXT: the flag once for each line of the text that is not blank
lines() {
	local line
	while IFS= read -r line; do
		[ -z "$line" ] || flags+=("$1" "$line")
	done <<<"$2"
}
lines --lock "${INPUT_LOCKS-}"
lines --task-file "${INPUT_TASK_FILES-}"
lines --extra "${INPUT_EXTRA-}"
