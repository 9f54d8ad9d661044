#!/usr/bin/env bash
# Puts the event's commit, and no more history than it, into the workspace.
set -euo pipefail
if [ "$INPUT_PERSIST_CREDENTIALS" != false ]; then
	echo "double of actions/checkout: persist-credentials is not false" >&2
	exit 1
fi
git init --quiet "$INPUT_PATH"
cd "$INPUT_PATH"
git fetch --quiet --depth=1 "file://$HARNESS_ORIGIN" "$GITHUB_SHA"
git -c advice.detachedHead=false checkout --quiet --force FETCH_HEAD
echo "double of actions/checkout: $(git log -1 --format='%h %s')"
