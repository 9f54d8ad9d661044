#!/usr/bin/env bash
# Puts cachekey and same on PATH for the following steps: from a release, checked
# against its published digests; from a flake; or from PATH itself.
#
# INPUT_FROM     auto, release, flake or path
# INPUT_VERSION  the tag of the release; by default the release that this action belongs to
# INPUT_DIGEST   SHA-256 of the release's SHA256SUMS; by default that file is not checked
# INPUT_RELEASES the address of the releases: $INPUT_RELEASES/TAG/FILE
# INPUT_FLAKE    the flake; by default the action's own repository at its own ref
set -euo pipefail
# shellcheck source=action/flags.sh
. "$(dirname "${BASH_SOURCE[0]}")/flags.sh"

fail() {
	printf '::error title=cachekey::%s\n' "$1" >&2
	exit 1
}

bin=$RUNNER_TEMP/cachekey/bin
mkdir -p "$bin"

own=$(sed -n 's/^  version = "\(.*\)";$/\1/p' "$(dirname "${BASH_SOURCE[0]}")/../nix/package.nix")
version=${INPUT_VERSION:-v$own}
flake=$INPUT_FLAKE
if [ -z "$flake" ] && [ -n "${ACTION_REPOSITORY-}" ]; then
	flake=github:$ACTION_REPOSITORY/$ACTION_REF
fi

platform() {
	local machine
	machine=$(uname -m)
	case $machine in arm64) machine=aarch64 ;; esac
	case $(uname -s) in
	Linux) echo "$machine-linux" ;;
	Darwin) echo "$machine-darwin" ;;
	*) fail "there is no release for $(uname -s): use \`from: path\`" ;;
	esac
}

# https is required of every redirect, unless the mirror itself is given with http.
secure=(--proto '=https' --tlsv1.2)
case $INPUT_RELEASES in http://*) secure=() ;; esac

fetch() {
	curl ${secure[@]+"${secure[@]}"} --fail --silent --show-error --location --retry 3 --max-time 120 --output "$1" "$INPUT_RELEASES/$version/$1"
}

# released: succeeds if there is a release.
released() {
	[ -n "$INPUT_VERSION$INPUT_DIGEST" ] ||
		curl ${secure[@]+"${secure[@]}"} --fail --silent --location --retry 3 --max-time 20 --output /dev/null "$INPUT_RELEASES/$version/SHA256SUMS"
}

from_release() {
	local system download got
	system=$(platform)
	download=$(mktemp -d "$RUNNER_TEMP/cachekey/download.XXXXXX")
	cd "$download"
	fetch SHA256SUMS || fail "$INPUT_RELEASES/$version/SHA256SUMS could not be downloaded: is \"$version\" a release?"
	got=$(sha256 SHA256SUMS | cut -d ' ' -f 1)
	if [ -n "$INPUT_DIGEST" ] && [ "$INPUT_DIGEST" != "$got" ]; then
		fail "SHA256SUMS of $version has the digest $got, not $INPUT_DIGEST"
	fi
	for program in cachekey same; do
		fetch "$program-$system" || fail "$version has no $program for $system"
		# Exactly one line has that name: no file is checked against the digest of another.
		grep -E "^[0-9a-f]{64}  $program-$system\$" SHA256SUMS >"$program.sum" ||
			fail "SHA256SUMS of $version does not name $program-$system"
		sha256 --check --status "$program.sum" ||
			fail "$program-$system of $version does not match its digest"
		install -m 755 "$program-$system" "$bin/$program"
	done
	cd - >/dev/null
	rm -rf "$download"
}

from_flake() {
	[ -n "$flake" ] || fail "\`from: flake\` needs \`flake\`: a local action does not know its repository"
	local program built
	for program in cachekey same; do
		# The link keeps Nix from collecting the build.
		built=$(nix --extra-experimental-features 'nix-command flakes' build \
			--out-link "$bin/../$program" --print-out-paths "$flake#$program")
		ln -sf "$built/bin/$program" "$bin/$program"
	done
}

from_path() {
	command -v cachekey >/dev/null || fail "\`from: path\`, but there is no cachekey on PATH"
}

from=$INPUT_FROM
if [ "$from" = auto ]; then
	if released; then
		from=release
	elif command -v cachekey >/dev/null; then
		from=path
	elif [ -n "$flake" ] && command -v nix >/dev/null; then
		from=flake
	else
		fail "found no release, no cachekey on PATH and no Nix: set \`version\`, or install Nix first"
	fi
fi
case $from in
release | flake | path) "from_$from" ;;
*) fail "\`from: $from\` is not auto, release, flake or path" ;;
esac

if [ "$from" != path ]; then
	printf '%s\n' "$bin" >>"$GITHUB_PATH"
	PATH=$bin:$PATH
fi
printf '%s, from its %s: %s\n' "$(cachekey --version)" "$from" "$(command -v cachekey)"
