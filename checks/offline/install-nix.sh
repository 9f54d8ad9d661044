#!/usr/bin/env bash
# install-nix.sh PREFIX current|oldest
#
# Unpacks a real Nix from Debian's packages under PREFIX and prints the path of
# its `nix`. Nothing else on the machine changes: no package is installed, apt's
# own state is not touched, no root is needed. The program is an ordinary
# executable (it finds its own libraries), so PREFIX cannot be moved.
#
#   PREFIX/bin/{nix,nix-store,…}                        the programs
#   PREFIX/root/usr/bin/{bash-static,busybox,patchelf}  for a build sandbox and stand-in tools
#
# current: at least 2.34 (Debian sid). oldest: 2.26 (Debian trixie), the oldest
# Nix that cachekey supports. A complete PREFIX is left as it is; an incomplete
# one cannot exist, because it is renamed into place.
#
# The archive is the one that the machine's own apt sources name. Elsewhere than
# on Debian set CACHEKEY_DEBIAN_ARCHIVE to the address of a Debian mirror; the
# package debian-archive-keyring must be there to check its signatures.
set -euo pipefail
umask 022
export LC_ALL=C

fail() {
	printf 'install-nix: error: %s\n' "$1" >&2
	printf 'install-nix: hint: %s\n' "${2:-install Nix yourself (https://nixos.org/download) and put it on PATH}" >&2
	exit 1
}

[ $# = 2 ] || fail "called with $# arguments" "install-nix.sh PREFIX current|oldest"
case $2 in
current) suites=(sid testing) at_least=2.34 below=3 ;;
oldest) suites=(trixie) at_least=2.26 below=2.27 ;;
*) fail "unknown version \"$2\"" "install-nix.sh PREFIX current|oldest" ;;
esac

for tool in apt-get apt-cache dpkg dpkg-deb flock realpath; do
	command -v "$tool" >/dev/null || fail "this machine has no $tool, so there is no Debian package to unpack"
done
prefix=$(realpath -m -- "$1")

# Increase this when the contents of PREFIX change: an older install is then replaced.
recipe="1 $2"
installed() { [ "$(cat "$prefix/recipe" 2>/dev/null)" = "$recipe" ]; }

mkdir -p "$(dirname "$prefix")"
exec 9>"$prefix.lock"
flock 9
if installed; then
	echo "$prefix/bin/nix"
	exit
fi

# Only an earlier install is ever replaced.
if [ -e "$prefix" ] && [ ! -e "$prefix/recipe" ] && ! rmdir "$prefix" 2>/dev/null; then
	fail "$prefix exists and is not an earlier install" "give a directory that can be made"
fi
# Left by a killed install. Nobody else writes here while the lock is held.
rm -rf "$prefix.partial"
trap 'rm -rf "$prefix.partial"' EXIT
apt=$prefix.partial/apt root=$prefix.partial/root
mkdir -p "$apt"/{parts,preferences,lists/partial,archives/partial} "$root"
: >"$apt/status"

# The machine's apt configuration (its proxy, its certificates) with a state of
# its own, and without hooks, which would change the machine's.
options=(-qq
	-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/parts"
	-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts="$apt/preferences"
	-o Dir::State="$apt" -o Dir::State::Lists="$apt/lists" -o Dir::State::Status="$apt/status"
	-o Dir::Cache="$apt" -o Dir::Cache::Archives="$apt/archives"
	-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Dir::Log="$apt"
	-o APT::Sandbox::User="$(id -un)" -o APT::Install-Recommends=false
	-o Acquire::Languages=none -o Acquire::Retries=3 -o Debug::NoLocking=true
	-o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
	-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
	-o Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled=false
	-o Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled=false)
{
	apt-config dump | grep -v -- '-Invoke'
	printf 'Dir::Etc::%s "/dev/null";\n' main parts
} >"$apt/conf"
export APT_CONFIG=$apt/conf

# shellcheck source=/dev/null
. /etc/os-release
archive=${CACHEKEY_DEBIAN_ARCHIVE-} keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if [ -z "$archive" ]; then
	# shellcheck disable=SC2016 # apt expands these
	archive=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk -v own="${VERSION_CODENAME-sid}" '$2 == "main" && ($1 == own || $1 ~ /^(old|un)?stable$|^testing$|^sid$/) { print $3; exit }')
	[ -n "$archive" ] || fail "apt's sources name no archive of this ${PRETTY_NAME-machine}"
	if [ "${ID-}" != debian ]; then
		# Not Debian's archive: perhaps the distribution's own Nix is new enough.
		suites=("${VERSION_CODENAME-}") keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg
	fi
fi
[ -r "$keyring" ] || fail "$keyring is missing, so no signature could be checked" "install the package $(basename "$keyring" .gpg)"

fits() { dpkg --compare-versions "$1" ge "$at_least" && dpkg --compare-versions "$1" lt "$below"; }
found=
for suite in "${suites[@]}"; do
	cat >"$apt/parts/nix.sources" <<-SOURCES
		Types: deb
		URIs: $archive
		Suites: $suite
		Components: main $([ "${ID-}" = debian ] || [ -n "${CACHEKEY_DEBIAN_ARCHIVE-}" ] || echo universe)
		Signed-By: $keyring
	SOURCES
	apt-get "${options[@]}" update >&2 || continue
	version=$(apt-cache "${options[@]}" show --no-all-versions nix-bin 2>/dev/null | sed -n 's/^Version: //p') || true
	found+="${found:+, }$suite has ${version:-none}"
	# patchelf makes nix an ordinary program; the two shells are what a build
	# sandbox binds as /bin/sh.
	if fits "${version:-0}" && apt-get "${options[@]}" install --download-only -y \
		nix-bin patchelf bash-static busybox-static >"$apt/log" 2>&1; then
		break
	fi
	version=
done
[ -n "${version-}" ] || {
	[ ! -s "$apt/log" ] || cat "$apt/log" >&2
	fail "no Nix from $at_least to below $below could be fetched (${found:-no package list could be read})" \
		"install Nix yourself (https://nixos.org/download), or name a Debian mirror in CACHEKEY_DEBIAN_ARCHIVE"
}

# Packages that still ship /lib land in /usr/lib, as on a machine.
mkdir -p "$root"/usr/{bin,sbin,lib,lib64}
ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root"
unwanted=(./etc ./var ./usr/share ./usr/sbin './usr/lib/*/perl*' './usr/lib/*/gconv')
for deb in "$apt"/archives/*.deb; do
	skip=("${unwanted[@]/#/--exclude=}")
	case ${deb##*/} in
	nix-bin_* | patchelf_* | bash-static_* | busybox-static_*) ;;
	*) skip+=('--exclude=./usr/bin/*') ;; # only its libraries are of use
	esac
	dpkg-deb --fsys-tarfile "$deb" |
		tar -x -C "$root" --keep-directory-symlink --no-same-owner --no-same-permissions "${skip[@]}"
done

# nix gets its own loader and libraries by absolute path. Unlike LD_LIBRARY_PATH, that
# does not affect the programs that nix starts, and unlike a wrapper that calls the
# loader, it does not change /proc/self/exe, by which nix starts its helpers.
libraries=$(cd "$root"/usr/lib/*-linux-gnu && pwd)
loader=$(echo "$libraries"/ld-linux*.so.*)
final=$prefix${libraries#"$prefix.partial"}
"$loader" --library-path "$libraries" "$root/usr/bin/patchelf" \
	--set-interpreter "$final/${loader##*/}" --force-rpath --set-rpath "$final" "$root/usr/bin/nix"
mkdir "$prefix.partial/bin"
for name in "$root"/usr/bin/nix*; do
	ln -s "../root/usr/bin/${name##*/}" "$prefix.partial/bin/"
done
got=$("$loader" --library-path "$libraries" "$root/usr/bin/nix" --version)
fits "${got##* }" || fail "unpacked ${got:-nothing that runs} instead of Nix $version"

rm -rf "$apt"
echo "$recipe" >"$prefix.partial/recipe"
rm -rf "$prefix"
mv -T "$prefix.partial" "$prefix"
echo "install-nix: $got in $prefix" >&2
echo "$prefix/bin/nix"
