#!/usr/bin/env bash
# Runs the tasks. Fails if a task ran that should have been cached according to the plan.
#
# INPUT_TASKS      the names of the tasks, separated by blanks
# INPUT_DEVELOP    "true" to run them in the flake's devShell
# INPUT_DIRECTORY  the workspace
# KEY              the key of this checkout, whose document the job summary compares with
set -euo pipefail
# shellcheck source=action/flags.sh
. "$(dirname "${BASH_SOURCE[0]}")/flags.sh"

read -r -a tasks <<<"${INPUT_TASKS//$'\n'/ }"
if [ ${#tasks[@]} = 0 ]; then
	echo "::error title=cachekey::\`tasks\` names no task: \`all\` runs every one" >&2
	exit 1
fi
same=(same)
if [ "$INPUT_DEVELOP" = true ]; then
	same=(nix --extra-experimental-features "nix-command flakes" develop "$PWD/$INPUT_DIRECTORY" --command same)
fi
plan=$RUNNER_TEMP/cachekey/plan.json
log=$RUNNER_TEMP/cachekey/same.log
document=$(document "$KEY")
cd "$INPUT_DIRECTORY"
"${same[@]}" plan --json "${tasks[@]}" >"$plan"
"${same[@]}" run --ci "${tasks[@]}" | tee "$log"
cachekey hits --github --key-file "$document" --plan "$plan" "$log"
