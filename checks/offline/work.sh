# shellcheck shell=bash
# Sourced by run.sh and ../workflow/run.sh: makes a working directory, and defines
# in_nix, which runs a command with a Nix that has a store of its own there.
#
# WORK=DIR keeps the store and the stand-in for the next run.
offline=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cachekey
if [ -n "${WORK-}" ]; then
	mkdir -p "$WORK"
	work=$(cd "$WORK" && pwd)
else
	work=$(mktemp -d)
	trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
fi

# The Nix that in_nix uses: current or oldest.
nix=current
in_nix() { "$offline/with-nix.sh" "$cache/nix-$nix" "$work/store" "$@"; }
