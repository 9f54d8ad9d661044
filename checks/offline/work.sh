# shellcheck shell=bash
# What run.sh and ../workflow/run.sh begin with, which source this: a place to work
# in, and a Nix over a store of its own there.
#
# WORK=DIR keeps store, Nix and stand-in for the next run.
offline=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cachekey
if [ -n "${WORK-}" ]; then
	mkdir -p "$WORK"
	work=$(cd "$WORK" && pwd)
else
	work=$(mktemp -d)
	trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
fi

# The Nix in use: current, or oldest.
nix=current
in_nix() { "$offline/with-nix.sh" "$cache/nix-$nix" "$work/store" "$@"; }
