# shellcheck shell=bash
# Builds a workspace twice, the second time from what the first pass left for the
# cache, and fails unless the second pass skipped every task. Each pass begins where
# a CI job begins: with a fresh copy of the source and an empty .same.
#
#   two-pass                        both passes, in a temporary directory
#   two-pass first STATE            only the first; fills the directory STATE
#   two-pass second STATE [CASE]    only the second, from STATE
#   two-pass both CASE              both passes, with CASE
#
# In the environment, lists with one word per line:
#   TWO_PASS_SRC            the source
#   TWO_PASS_SAME           the runner
#   TWO_PASS_TASKS          the tasks to run
#   TWO_PASS_ENV            names of the variables that are passed to tasks
#   TWO_PASS_ENVIRONMENTS   a directory of environments; may be empty
#
# CASE is a directory that describes what changes between the passes and what the
# second pass must do then. Each of its files may be absent or empty:
#   edit       a bash script that changes the second pass's source
#   damage     a bash script that changes what was restored
#   restored   exact (the default), prefix or none
#   ran        the tasks that run, one per line; every other task is skipped
#   again      a bash script after which all tasks run once more and are skipped
set -euo pipefail

fail() {
	printf 'two-pass: error: %s\n' "$1" >&2
	if [ $# -gt 1 ]; then printf 'two-pass: hint: %s\n' "${@:2}" >&2; fi
	exit 1
}
say() { printf 'two-pass: %s\n' "$*" >&2; }

mapfile -t tasks <<<"$TWO_PASS_TASKS"
if [ -z "${tasks[*]}" ]; then fail "there is no task to run" "set ciCache.tasks"; fi
flags=(--ci)
while read -r name; do
	if [ -n "$name" ]; then flags+=(--pass-env "$name"); fi
done <<<"${TWO_PASS_ENV-}"

# fresh DIR: makes a copy of the source in DIR, and goes there.
fresh() {
	mkdir -p "$1"
	cp -R "$TWO_PASS_SRC/." "$1"
	chmod -R u+w "$1"
	cd "$1"
	rm -rf .same
}

# environments: writes the environments that entering the devShell would write.
environments() {
	if [ -z "${TWO_PASS_ENVIRONMENTS-}" ]; then return; fi
	"$TWO_PASS_SAME" env --from "$TWO_PASS_ENVIRONMENTS"
}

# run LOG: runs the tasks as a CI job does, and writes their output to LOG.
run() {
	"$TWO_PASS_SAME" run "${flags[@]}" "${tasks[@]}" 2>&1 | tee "$1" ||
		fail "the tasks failed" "they have check.packages on their PATH and check.env in their environment, and nothing else"
}

# tree: lists every file of the workspace outside .same, with its kind, its content
# and whether it is executable.
tree() {
	find . -path ./.same -prune -o -type l -printf 'l - %l %p\n' | sort
	find . -path ./.same -prune -o -type f -print0 | sort -z | xargs -0 -r sha256sum
	find . -path ./.same -prune -o -type f -perm -100 -printf 'x %p\n' | sort
}

# ran LOG, skipped LOG: the tasks that ran or were skipped, sorted.
ran() { sed -n 's/^\[\(.*\)\] Starting\.\.\.$/\1/p' "$1" | sort; }
skipped() { sed -n 's/^\[\(.*\)\] Skipped (Cached)$/\1/p' "$1" | sort; }

first() {
	local state
	mkdir -p "$1"
	state=$(cd "$1" && pwd)
	fresh "$work/first"
	cachekey key --json >"$state/key.json"
	say "first pass: $(jq -r .key "$state/key.json")"
	environments
	run "$state/log"
	if [ -n "$(skipped "$state/log")" ]; then
		fail "a first pass has nothing to skip, but these tasks were skipped: $(skipped "$state/log" | paste -sd' ')"
	fi
	tree >"$state/tree"
	cachekey prune
	cachekey seal --key-file "$state/key.json"
	jq -r '.paths[]' "$state/key.json" | while read -r path; do
		if [ ! -e "$path" ]; then continue; fi
		mkdir -p "$state/saved/$(dirname "$path")"
		cp -R "$path" "$state/saved/$path"
	done
}

# restore STATE: restores STATE as a cache that contains nothing else would for
# key.json, and sets restored.
restore() {
	local saved
	saved=$(jq -r .key "$1/key.json")
	if [ "$saved" = "$(jq -r .key "$work/key.json")" ]; then
		restored=exact
	elif jq -e --arg saved "$saved" '.restoreKeys | any(. as $prefix | $saved | startswith($prefix))' "$work/key.json" >/dev/null; then
		restored=prefix
	else
		restored=none
		return
	fi
	cp -R "$1/saved/." .
	chmod -R u+w .same
}

# has PART: succeeds if the case has that file.
has() { [ -n "$case" ] && [ -s "$case/$1" ]; }

# expected PART: prints that file of the case.
expected() { if has "$1"; then cat "$case/$1"; fi; }

# change PART: runs that script of the case in the workspace.
change() { if has "$1"; then "$BASH" -euo pipefail "$case/$1"; fi; }

# second STATE [CASE]
second() {
	local state case restored want
	state=$(cd "$1" && pwd)
	case=${2:+$(cd "$2" && pwd)}
	fresh "$work/second/elsewhere"
	change edit
	cachekey key --json >"$work/key.json"
	say "second pass: $(jq -r .key "$work/key.json")"
	restore "$state"
	want=$(expected restored)
	if [ "$restored" != "${want:-exact}" ]; then
		fail "the second pass restored: $restored; expected: ${want:-exact}" \
			"the key of the first pass: $(jq -r .key "$state/key.json")" \
			"the key of the second:     $(jq -r .key "$work/key.json")"
	fi
	change damage
	cachekey verify --key "$(jq -r .key "$work/key.json")"
	cachekey realise
	environments
	run "$work/log"
	expect_ran "$work/log" "$(expected ran)"
	if [ "$restored" = exact ]; then expect_tree "$state/tree"; fi
	if has again; then
		change again
		run "$work/log"
		expect_ran "$work/log" ""
		expect_tree "$state/tree"
	fi
	say "all as expected: restored $restored, ran [$(ran "$work/log" | paste -sd' ')]"
}

# expect_ran LOG TASKS: fails unless TASKS ran and every other task of the first pass
# was skipped.
expect_ran() {
	local want got
	want=$(sed '/^$/d' <<<"$2" | sort | paste -sd' ')
	got=$(ran "$1" | paste -sd' ')
	if [ "$got" != "$want" ]; then
		fail "these tasks ran: ${got:-none}; expected: ${want:-none}" \
			"a task that reads something that changes, or has rebuild: always, can't be among ciCache.tasks"
	fi
	if [ -z "$want" ]; then cachekey hits --require all "$1"; fi
	diff <(ran "$state/log") <(sort -u <(ran "$1") <(skipped "$1")) >&2 ||
		fail "not every task of the first pass ran or was skipped in the second (see above)"
}

# expect_tree TREE: fails unless the workspace has the files of TREE.
expect_tree() {
	diff "$1" <(tree) >&2 ||
		fail "the second pass's files are not the first's (above: < first, > second)" \
			"a file that a task makes must be among its targets, and must be restored as it was made"
}

work=$(mktemp -d)
usage="two-pass [first STATE | second STATE [CASE] | both CASE]"
case ${1-both} in
first | second) "$@" ;;
both)
	trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
	(first "$work/state")
	second "$work/state" "${2-}"
	;;
*) fail "called with \"$*\"" "$usage" ;;
esac
