# shellcheck shell=bash
# The devShell hook. Running it twice is the same as once. It builds nothing, uses no
# network, prints nothing if all is well and never to stdout, and works under
# `set -eu` and in a read-only directory.

# cachekey_enter CACHEKEY COREUTILS EXPORT_KEY SAME ENVIRONMENTS
cachekey_enter() {
	local key status limit=${CACHEKEY_HOOK_TIMEOUT:-0.3}

	case :$PATH: in
	*:"$1/bin":*) ;;
	*) PATH=$1/bin:$PATH ;;
	esac

	# Outside a workspace there is nowhere to write them; that is not an error.
	if [ -n "$5" ]; then
		"$4" env --from "$5" >/dev/null 2>&1 || :
	fi

	unset CACHEKEY
	if [ "$3" != true ]; then return 0; fi
	status=0
	key=$("$2/bin/timeout" "$limit" "$1/bin/cachekey" key --quiet 2>/dev/null) || status=$?
	if [ "$status" = 0 ]; then
		export CACHEKEY="$key"
	elif [ "$status" = 124 ]; then
		echo "cachekey: warning: the key took more than $limit s, so CACHEKEY is not set (CACHEKEY_HOOK_TIMEOUT is the limit)" >&2
	elif [ -e flake.nix ]; then
		echo "cachekey: warning: there is no key, so CACHEKEY is not set: run \`cachekey\` to see why" >&2
	fi
}
