#!/usr/bin/env bash
# stand-in.sh NIX_PREFIX OUT
#
# Completes the stand-in for nixpkgs: copies it to OUT and adds the host's own programs
# to the Nix store, where the flake's builds find them. install-nix.sh made NIX_PREFIX;
# the store is that of the `nix` on PATH.
#
# Programs are copied with all their libraries and the loader into one tree, and
# nixpkgs/pkgs/relocate.sh makes a package of each. bash and Go are static and are
# added as they are.
set -euo pipefail
[ $# = 2 ] || {
	echo "stand-in: error: called with $# arguments, not NIX_PREFIX OUT" >&2
	exit 2
}
root=$1/root out=$2 here=$(cd "$(dirname "$0")/nixpkgs" && pwd)
packages=(coreutils findutils diffutils sed grep tar gzip jq)

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
host=$work/host-tools
mkdir -p "$host"/{patchelf,packages}

for package in "${packages[@]}"; do
	bin=$host/packages/$package/bin
	mkdir -p "$bin"
	# dpkg knows some programs under /bin and some under /usr/bin; both are one directory.
	dpkg -L "$package" | grep -E '^(/usr)?/bin/[^/]+$' | while read -r program; do
		cp -L "$program" "$bin/"
	done
done
mkdir -p "$host/packages/gawk/bin"
cp -L "$(command -v gawk || command -v mawk)" "$host/packages/gawk/bin/awk"

# git finds its own programs by GIT_EXEC_PATH; relocate.sh sets it.
exec_path=$(git --exec-path) libexec=$host/packages/git/libexec
mkdir -p "$libexec"
cp -L "$exec_path/git" "$libexec/git"
for program in submodule sh-setup sh-i18n sh-i18n--envsubst merge-one-file; do
	cp -L "$exec_path/git-$program" "$libexec/"
done
for program in upload-pack receive-pack; do ln -s git "$libexec/git-$program"; done

# Every library that any of them needs, and the loader, in one directory. ldd fails
# for a script.
{ find "$host/packages" -type f -perm -100 -exec ldd {} + 2>/dev/null || true; } |
	awk '$2 == "=>" && $3 ~ "^/" { print $3 }' | sort -u | while read -r library; do
	cp -L "$library" "$host/"
done
cp -L /lib64/ld-linux-x86-64.so.2 "$host/ld.so"

# patchelf and its libraries are from the same Debian suite as Nix.
cp -L "$root/usr/bin/patchelf" "$root/usr/lib64/ld-linux-x86-64.so.2" \
	"$root"/usr/lib/x86_64-linux-gnu/{libc.so.6,libm.so.6,libstdc++.so.6,libgcc_s.so.1} "$host/patchelf/"

mkdir -p "$work/bash/bin"
cp "$root/usr/bin/bash-static" "$work/bash/bin/bash"
ln -s bash "$work/bash/bin/sh"

rm -rf "$out"
mkdir -p "$(dirname "$out")"
cp -r "$here" "$out"
chmod -R u+w "$work" "$out"
cat >"$out/tools.json" <<-JSON
	{
	  "bash": "$(nix-store --add "$work/bash")",
	  "go": "$(nix-store --add "$(go env GOROOT)")",
	  "goVersion": "$(go env GOVERSION)",
	  "host": "$(nix-store --add "$host")"
	}
JSON
