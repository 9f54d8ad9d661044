#!/usr/bin/env bash
# Copies each line of INPUT_PATH into the artifact's directory.
set -euo pipefail
artifact=$HARNESS_ARTIFACTS/$INPUT_NAME
mkdir -p "$artifact"
while IFS= read -r pattern; do
	[ -z "$pattern" ] && continue
	# The pattern is a glob by contract.
	# shellcheck disable=SC2086
	cp -R $pattern "$artifact/"
done <<<"$INPUT_PATH"
