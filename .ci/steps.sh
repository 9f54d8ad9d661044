# shellcheck shell=bash
# Named steps with a table of their times. ./test and .ci/run source this, call `step`
# once for each step and end with `run_steps "$@"`. Works in the bash 3.2 of macOS.

# The exit code of a step that cannot run on this machine (automake's convention).
# On CI, where every tool must be installed, it is a failure.
readonly skipped=77

names=() whats=() commands=()

# step NAME WHAT COMMAND: COMMAND is one word, a function or a script.
step() {
	names+=("$1") whats+=("$2") commands+=("$3")
}

# skip REASON ends the step that calls it.
skip() {
	echo "skipped: $*" >&2
	exit "$skipped"
}

list_steps() {
	echo "$program [STEP…] runs these steps, or those named:"
	local i
	for i in "${!names[@]}"; do
		printf '  %-12s %s\n' "${names[i]}" "${whats[i]}"
	done
}

run_steps() {
	local program=$0 wanted i rows='' failed=0 started=$SECONDS
	case ${1-} in
	-h | --help | help)
		list_steps
		exit
		;;
	esac
	for wanted in "$@"; do
		case " ${names[*]} " in
		*" $wanted "*) ;;
		*)
			echo "$program: error: no step is called \"$wanted\"" >&2
			list_steps >&2
			exit 2
			;;
		esac
	done
	for i in "${!names[@]}"; do
		case " $* " in
		*" ${names[i]} "* | '  ') run_step "$i" ;;
		esac
	done
	printf '\n%s\n%s%-12s %4ds\n' "$program" "$rows" all $((SECONDS - started))
	exit "$failed"
}

# run_step runs one step and adds it to the table of run_steps.
run_step() {
	local name=${names[$1]} since=$SECONDS code=0 verdict
	printf '\n== %s: %s\n' "$name" "${whats[$1]}"
	set +e # a subshell in a condition would run without errexit
	(
		set -e
		"${commands[$1]}"
	)
	code=$?
	set -e
	verdict=ok
	if [ "$code" = "$skipped" ] && [ -z "${CI-}" ]; then
		verdict=skipped
	elif [ "$code" != 0 ]; then
		verdict="FAILED ($code)" failed=1
	fi
	rows+=$(printf '%-12s %4ds  %s' "$name" $((SECONDS - since)) "$verdict")$'\n'
}
