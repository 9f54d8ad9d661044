#!/usr/bin/env bash
# Decides whether this job may and should save, and says why in one line.
#
# HIT_KIND         what the restore was: exact, partial or none
# PATHS            what would be saved; the seal's is among it
# JOB_STATUS       the job's status so far
# DEFAULT_BRANCH   the repository's default branch
# HEAD_REPOSITORY  where a pull request comes from
set -euo pipefail

decide() {
	printf '%s: %s\n' "$([ "$1" = true ] && echo saved || echo 'not saved')" "$2"
	echo "save=$1" >>"$GITHUB_OUTPUT"
	exit 0
}

# wrong WHAT: the workflow passes on what it should not.
wrong() {
	echo "::error title=cachekey::$1: take it from the restoring step's outputs" >&2
	exit 1
}

[ "$JOB_STATUS" = success ] || decide false "the job is not a success"

# Who may: an entry that others will restore comes from this repository's own commits.
case $GITHUB_EVENT_NAME in
push)
	[ "$GITHUB_REF" = "refs/heads/$DEFAULT_BRANCH" ] || decide false "$GITHUB_REF is not the default branch"
	;;
pull_request)
	[ "$HEAD_REPOSITORY" = "$GITHUB_REPOSITORY" ] || decide false "the pull request comes from another repository"
	;;
*) decide false "a run for $GITHUB_EVENT_NAME does not save" ;;
esac

# Whether it is worth it. The runner removes the seal before its first write, so
# a seal that is still there says that no task ran.
seal=$(grep -E '(^|/)\.same/seal\.json$' <<<"$PATHS") || wrong "paths is \"${PATHS//$'\n'/ }\", without a seal"
case $HIT_KIND in
exact) decide false "the key has its entry" ;;
none) decide true "nothing was restored" ;;
partial)
	[ ! -e "$seal" ] || decide false "no task ran, so the entry that was restored is as good"
	decide true "a task ran"
	;;
*) wrong "hit-kind is \"$HIT_KIND\", not exact, partial or none" ;;
esac
