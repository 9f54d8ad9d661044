#!/usr/bin/env bash
# run.sh [ARGUMENT…]: the tests of this directory, with a real Nix over a store of
# its own and without a network but for package mirrors. Arguments go to `go test`.
#
# WORK=DIR keeps the store for the next run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
offline=$PWD/../offline
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cachekey
if [ -n "${WORK-}" ]; then
	mkdir -p "$WORK"
	work=$(cd "$WORK" && pwd)
else
	work=$(mktemp -d)
	trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
fi

nix=$("$offline/install-nix.sh" "$cache/nix-current" current)
in_nix() { "$offline/with-nix.sh" "$cache/nix-current" "$work/store" "$@"; }

npm ci --no-progress --loglevel=error
in_nix "$offline/stand-in.sh" "$cache/nix-current" "$work/nixpkgs"
export HARNESS_NIX=$nix HARNESS_NIXPKGS=$work/nixpkgs HARNESS_NIX_BIN=$PWD/nix-bin
in_nix go test -count=1 -timeout 30m "$@" ./...
