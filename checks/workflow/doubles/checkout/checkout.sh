#!/usr/bin/env bash
# Puts a commit, and no more history than it, into the workspace: the event's, or
# the head of the one other repository that there is, ours.
set -euo pipefail
if [ "$INPUT_PERSIST_CREDENTIALS" != false ]; then
	echo "double of actions/checkout: persist-credentials is not false" >&2
	exit 1
fi
case $INPUT_REPOSITORY in
"$GITHUB_REPOSITORY") from=$HARNESS_ORIGIN commit=${INPUT_REF:-$GITHUB_SHA} ;;
OWNER/cachekey)
	from=$HARNESS_PUBLISHED
	[ "$INPUT_REF" = "$HARNESS_PUBLISHED_SHA" ]
	commit=$(git -C "$from" rev-parse HEAD)
	;;
esac
git init --quiet "$INPUT_PATH"
cd "$INPUT_PATH"
git fetch --quiet --depth=1 "file://$from" "$commit"
git -c advice.detachedHead=false checkout --quiet --force FETCH_HEAD
echo "double of actions/checkout: $(git log -1 --format='%h %s')"
