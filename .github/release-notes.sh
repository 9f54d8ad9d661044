#!/usr/bin/env bash
# release-notes.sh TAG: what CHANGELOG.md says of that version, on stdout. Fails unless
# the version is the one that Nix builds too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${1#v}

fail() {
	echo "::error title=release::$1" >&2
	exit 1
}
grep -qxF "  version = \"$version\";" nix/package.nix ||
	fail "nix/package.nix has another version than $1:$(grep -m 1 '^  version = ' nix/package.nix)"
# The heading may have a date after the version.
notes=$(awk -v version="$version" '
	/^## / { inside = $2 == version; next }
	inside' CHANGELOG.md)
[ -n "${notes//[[:space:]]/}" ] || fail "CHANGELOG.md has no section \"## $version\""
printf '%s\n' "$notes"
