#!/usr/bin/env bash
# release-notes.sh TAG: prints the section of CHANGELOG.md about that version. Fails
# unless nix/package.nix has the same version.
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
