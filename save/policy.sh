#!/usr/bin/env bash
# Decides whether this job may and should save, and prints the reason.
#
# HIT_KIND         the kind of hit: exact, partial or none
# PATHS            the paths to save, including the seal's
# JOB_STATUS       the job's status so far
# DEFAULT_BRANCH   the repository's default branch
# HEAD_REPOSITORY  the repository that a pull request comes from
set -euo pipefail

# decide SAVE REASON
decide() {
	printf '%s: %s\n' "$([ "$1" = true ] && echo saved || echo 'not saved')" "$2"
	echo "save=$1" >>"$GITHUB_OUTPUT"
	exit 0
}

# invalid INPUT: fails because of an input of the action.
invalid() {
	echo "::error title=cachekey::$1: take it from the restoring step's outputs" >&2
	exit 1
}

[ "$JOB_STATUS" = success ] || decide false "the job did not succeed"

# May it? Only the repository's own commits may write entries that others restore.
case $GITHUB_EVENT_NAME in
push)
	[ "$GITHUB_REF" = "refs/heads/$DEFAULT_BRANCH" ] || decide false "$GITHUB_REF is not the default branch"
	;;
pull_request)
	[ "$HEAD_REPOSITORY" = "$GITHUB_REPOSITORY" ] || decide false "the pull request comes from another repository"
	;;
*) decide false "a run for $GITHUB_EVENT_NAME does not save" ;;
esac

# Should it? same removes the seal before its first write, so if the seal is still
# there, no task ran.
seal=$(grep -E '(^|/)\.same/seal\.json$' <<<"$PATHS") || invalid "paths is \"${PATHS//$'\n'/ }\", without a seal"
case $HIT_KIND in
exact) decide false "there is an entry for this key already" ;;
none) decide true "nothing was restored" ;;
partial)
	[ ! -e "$seal" ] || decide false "no task ran, so the restored entry is as good"
	decide true "a task ran"
	;;
*) invalid "hit-kind is \"$HIT_KIND\", not exact, partial or none" ;;
esac
