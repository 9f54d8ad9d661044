# shellcheck shell=bash
# Sets the array `flags` to the flags of cachekey for the action's inputs. An input
# that is unset or empty means the default.

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
