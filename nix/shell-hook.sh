# shellcheck shell=bash
# What entering a devShell does: once more does nothing. No build, no network, no
# word when all is well, nothing on stdout; `set -eu` and a directory that can't
# be written to do not stop it.

# cachekey_enter CACHEKEY COREUTILS EXPORT_KEY SAME ENVIRONMENTS
cachekey_enter() {
	local key status limit=${CACHEKEY_HOOK_TIMEOUT:-0.3}

	case :$PATH: in
	*:"$1/bin":*) ;;
	*) PATH=$1/bin:$PATH ;;
	esac

	# Outside a workspace there is nowhere to put them, and nothing to say.
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
		echo "cachekey: warning: there is no key, so CACHEKEY is not set: \`cachekey\` says why" >&2
	fi
}
