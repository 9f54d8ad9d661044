# shellcheck shell=bash
# Builds a workspace twice, the second time from what the first left for the cache,
# and fails unless the second found everything done. It begins where a CI job
# begins, with a fresh copy of the source and an empty .same.
#
#   two-pass                both passes, in a temporary directory
#   two-pass first STATE    the first alone; fills the directory STATE
#   two-pass second STATE   the second alone, from STATE
#
# In the environment, lists with one word a line:
#   TWO_PASS_SRC            the source
#   TWO_PASS_SAME           the runner
#   TWO_PASS_TASKS          the tasks to run
#   TWO_PASS_ENV            names of variables that tasks see
#   TWO_PASS_ENVIRONMENTS   a directory of environments; may be empty
# What is expected of the second pass; by default that it has nothing to do:
#   TWO_PASS_EDIT           bash that changes the second pass's source first
#   TWO_PASS_DAMAGE         bash that changes what was restored
#   TWO_PASS_RESTORED       exact (the default), prefix or none
#   TWO_PASS_RAN            the tasks that run; every other is skipped
#   TWO_PASS_AGAIN          bash after which all tasks run once more and are skipped
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

# fresh DIR: a checkout, as far as the source tells.
fresh() {
	mkdir -p "$1"
	cp -R "$TWO_PASS_SRC/." "$1"
	chmod -R u+w "$1"
	cd "$1"
	rm -rf .same
}

# environments: what entering the devShell brings.
environments() {
	if [ -z "${TWO_PASS_ENVIRONMENTS-}" ]; then return; fi
	"$TWO_PASS_SAME" env --from "$TWO_PASS_ENVIRONMENTS"
}

# run LOG: the tasks, as a CI job runs them.
run() {
	"$TWO_PASS_SAME" run "${flags[@]}" "${tasks[@]}" 2>&1 | tee "$1" ||
		fail "the tasks failed" "check.packages are on their PATH and check.env in their environment, and nothing else is"
}

# Every file below the workspace but .same: its kind, whether it can be executed,
# its content.
tree() {
	find . -path ./.same -prune -o -type l -printf 'l - %l %p\n' | sort
	find . -path ./.same -prune -o -type f -print0 | sort -z | xargs -0 -r sha256sum
	find . -path ./.same -prune -o -type f -perm -100 -printf 'x %p\n' | sort
}

# ran LOG, skipped LOG: the tasks that did, sorted.
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
		fail "a first pass has nothing to skip, but these say that they were: $(skipped "$state/log" | paste -sd' ')"
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

# restore STATE: what a cache that holds STATE alone gives for key.json.
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

second() {
	local state restored
	state=$(cd "$1" && pwd)
	fresh "$work/second/elsewhere"
	eval "${TWO_PASS_EDIT-}"
	cachekey key --json >"$work/key.json"
	say "second pass: $(jq -r .key "$work/key.json")"
	restore "$state"
	if [ "$restored" != "${TWO_PASS_RESTORED-exact}" ]; then
		fail "the second pass restored: $restored; expected: ${TWO_PASS_RESTORED-exact}" \
			"the key of the first pass: $(jq -r .key "$state/key.json")" \
			"the key of the second:     $(jq -r .key "$work/key.json")"
	fi
	eval "${TWO_PASS_DAMAGE-}"
	cachekey verify --key "$(jq -r .key "$work/key.json")"
	cachekey realise
	environments
	run "$work/log"
	expect_ran "$work/log" "${TWO_PASS_RAN-}"
	if [ "$restored" = exact ]; then expect_tree "$state/tree"; fi
	if [ -n "${TWO_PASS_AGAIN-}" ]; then
		eval "$TWO_PASS_AGAIN"
		run "$work/log"
		expect_ran "$work/log" ""
		expect_tree "$state/tree"
	fi
	say "all as expected: restored $restored, ran [$(ran "$work/log" | paste -sd' ')]"
}

# expect_ran LOG TASKS: TASKS ran, and every other task of the first pass was skipped.
expect_ran() {
	local want got
	want=$(sed '/^$/d' <<<"$2" | sort | paste -sd' ')
	got=$(ran "$1" | paste -sd' ')
	if [ "$got" != "$want" ]; then
		fail "these tasks ran: ${got:-none}; expected: ${want:-none}" \
			"a task that reads what changes, or says rebuild: always, can't be among ciCache.tasks"
	fi
	if [ -z "$want" ]; then cachekey hits --require all "$1"; fi
	diff <(ran "$state/log") <(sort -u <(ran "$1") <(skipped "$1")) >&2 ||
		fail "not every task of the first pass ran or was skipped in the second (see above)"
}

# expect_tree TREE: the workspace is what the first pass made of it.
expect_tree() {
	diff "$1" <(tree) >&2 ||
		fail "the second pass's files are not the first's (above: < first, > second)" \
			"a file that a task makes must be among its targets, and come out of the cache as it went in"
}

work=$(mktemp -d)
case ${1-both} in
first | second) "$@" ;;
both)
	trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
	(first "$work/state")
	second "$work/state"
	;;
*) fail "called with \"$*\"" "two-pass [first STATE | second STATE]" ;;
esac
