#!/usr/bin/env bash
# run.sh NIX_PREFIX WORK [ARGUMENT…]
#
# Runs the tests of this directory with a real Nix (NIX_PREFIX is what
# checks/offline/install-nix.sh made) over a store of its own in WORK. Arguments go to
# `go test`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
prefix=$(cd "$1" && pwd)
mkdir -p "$2"
work=$(cd "$2" && pwd)
shift 2

npm ci --no-progress --loglevel=error
with_nix=(../offline/with-nix.sh "$prefix" "$work/store")
"${with_nix[@]}" ../offline/stand-in.sh "$prefix" "$work/nixpkgs"
HARNESS_NIX=$prefix/bin/nix HARNESS_NIXPKGS=$work/nixpkgs HARNESS_NIX_BIN=$PWD/nix-bin \
	"${with_nix[@]}" go test -count=1 -timeout 30m "$@" ./...
