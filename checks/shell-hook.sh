# shellcheck shell=bash disable=SC2154,SC1090
# Run by the check shell-hook, in a directory with a copy of the workspace `shell`.
# The variables plain, prefixed, keyless, slow and environments name hooks.

step() { echo "-- $*"; }
fail() {
	echo "$*"
	exit 1
}

# enter HOOK DIR: sources HOOK in DIR, twice, under `set -eu`. The file `shell` then describes
# the shell, and `output` has the output of the hook.
enter() {
	(
		cd "$2"
		. "$1" >"$TMPDIR/output" 2>&1
		echo "PATH=$PATH CACHEKEY=${CACHEKEY-unset}"
		# Once more in the same shell.
		. "$1" >>"$TMPDIR/output" 2>&1
		echo "PATH=$PATH CACHEKEY=${CACHEKEY-unset}"
		declare -F
	) >"$TMPDIR/shell" || fail "the hook failed"
	[ "$(sed -n 1p "$TMPDIR/shell")" = "$(sed -n 2p "$TMPDIR/shell")" ] || fail "the second time changed the shell: $(cat "$TMPDIR/shell")"
	! grep cachekey_ "$TMPDIR/shell" || fail "the hook left a function behind"
}
silent() { [ ! -s "$TMPDIR/output" ] || fail "the hook printed: $(cat "$TMPDIR/output")"; }
exports() { grep -q "CACHEKEY=$1\$" "$TMPDIR/shell" || fail "expected CACHEKEY=$1, got $(cat "$TMPDIR/shell")"; }
listing() { find . -printf '%p %T@ %m\n' | sort; }

step "outside git"
before=$(cd workspace && listing)
enter "$plain" workspace
silent
exports "$(cachekey -C workspace)"
[ "$before" = "$(cd workspace && listing)" ] || fail "the hook touched the workspace"

step "the options are in the key"
enter "$prefixed" workspace
exports "$(cachekey -C workspace --prefix web)"

step "in git, from a directory below"
git init -q workspace
git -C workspace add .
enter "$plain" workspace/notes
silent
exports "$(cachekey -C workspace)"

step "where nothing is a workspace"
mkdir empty
enter "$plain" empty
silent
exports unset

step "where the key fails"
mkdir broken
cp workspace/flake.nix broken/
enter "$plain" broken
exports unset
grep -q '^cachekey: warning: there is no key' "$TMPDIR/output" || fail "no warning about a failing key"

step "a stale key does not stay"
CACHEKEY=stale enter "$plain" empty
exports unset

step "no key when it is not wanted"
enter "$keyless" workspace
silent
exports unset

step "no waiting for a slow key"
CACHEKEY_HOOK_TIMEOUT=0.05 enter "$slow" workspace
exports unset
grep -q '^cachekey: warning: the key took more than 0.05 s' "$TMPDIR/output" || fail "no warning about a slow key"

step "environments are copied once"
enter "$environments" workspace
silent
copied=$(cd workspace && listing)
[ "$(find workspace/.same/cache/environments -name '*.json' | wc -l)" = 1 ] || fail "no environment was copied: $(find workspace/.same)"
enter "$environments" workspace
[ "$copied" = "$(cd workspace && listing)" ] || fail "the second time changed something"

step "an environment that differs is replaced"
file=$(find workspace/.same/cache/environments -name '*.json')
cp "$file" good
echo '["PATH=/old"]' >"$file"
enter "$environments" workspace
cmp good "$file"

step "a workspace that is read only"
rm -rf workspace/.same
chmod -R a-w workspace
enter "$environments" workspace
silent
exports "$(cachekey -C workspace)"
chmod -R u+w workspace
[ ! -e workspace/.same ] || fail "the hook wrote where it must not"
