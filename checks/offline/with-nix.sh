#!/usr/bin/env bash
# with-nix.sh NIX_PREFIX STORE COMMAND…
#
# Runs COMMAND with the Nix in NIX_PREFIX (see install-nix.sh) and a store of its own:
# COMMAND sees the directory STORE as /nix. Builds run in Nix's sandbox, without
# substituters or registries. Needs root, for the mount.
set -euo pipefail
[ $# -ge 3 ] || {
	echo "with-nix: error: called with $# arguments, not NIX_PREFIX STORE COMMAND…" >&2
	exit 2
}
[ "$(id -u)" = 0 ] || {
	echo "with-nix: error: only root can mount a /nix of its own" >&2
	exit 1
}
prefix=$(cd "$1" && pwd) store=$2
shift 2
mkdir -p "$store"/{nix,home,conf,tmp} /nix
store=$(cd "$store" && pwd)

# Without build-users-group builds run in a user namespace and need no build users.
# The sandbox has nothing of the machine but /bin/sh.
cat >"$store/conf/nix.conf" <<-CONF
	experimental-features = nix-command flakes
	sandbox = true
	sandbox-fallback = false
	sandbox-paths = /bin/sh=$prefix/root/usr/bin/busybox
	build-users-group =
	substituters =
	flake-registry =
	warn-dirty = false
CONF

# Go's settings come from a file in the home that is about to change.
GOPROXY=$(go env GOPROXY) GOMODCACHE=$(go env GOMODCACHE) GOCACHE=$(go env GOCACHE)
export GOPROXY GOMODCACHE GOCACHE
export HOME=$store/home XDG_CACHE_HOME=$store/home/.cache XDG_CONFIG_HOME=$store/home/.config
go env -w "GOPROXY=$GOPROXY" # for tasks, which do not see our variables
# nix develop leaves a directory there each time.
export TMPDIR=$store/tmp
export NIX_CONF_DIR=$store/conf NIX_USER_CONF_FILES=/dev/null PATH=$prefix/bin:$PATH
unset NIX_PATH NIX_CONFIG NIX_REMOTE XDG_STATE_HOME XDG_DATA_HOME
# COMMAND sees only its own processes: Nix's collector keeps the store paths that any
# visible process uses, and other stores have the same paths. The inner shell stays, to
# wait for processes that COMMAND leaves running.
# shellcheck disable=SC2016 # the inner shell expands these
exec unshare --mount --propagation private --pid --fork --mount-proc --kill-child \
	bash -c 'mount --bind "$1/nix" /nix; shift; "$@"; exit $?' with-nix "$store" "$@"
