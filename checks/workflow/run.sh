#!/usr/bin/env bash
# run.sh [ARGUMENT…]: runs the tests of this directory with a real Nix that has a store of
# its own. It needs no network but package mirrors. Arguments are passed to `go test`.
#
# WORK=DIR keeps the store for the next run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=checks/offline/work.sh
. ../offline/work.sh

npm ci --no-progress --loglevel=error
HARNESS_NIX=$("$offline/install-nix.sh" "$cache/nix-current" current)
in_nix "$offline/stand-in.sh" "$cache/nix-current" "$work/nixpkgs"
export HARNESS_NIX HARNESS_NIXPKGS=$work/nixpkgs HARNESS_NIX_BIN=$PWD/nix-bin
in_nix go test -count=1 -timeout 30m "$@" ./...
