#!/usr/bin/env bash
# Copies what INPUT_PATH names, a directory's contents or a file, into the artifact's directory.
set -euo pipefail
artifact=$HARNESS_ARTIFACTS/$INPUT_NAME
mkdir -p "$artifact"
if [ -d "$INPUT_PATH" ]; then INPUT_PATH=$INPUT_PATH/.; fi
cp -R "$INPUT_PATH" "$artifact/"
