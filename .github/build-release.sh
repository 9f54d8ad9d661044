#!/usr/bin/env bash
# build-release.sh VERSION DIR [GOOS/GOARCH…]: builds static binaries of both
# programs for four systems, or for those given, and their SHA256SUMS. The build is
# reproducible: the same commit and Go make the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$1 dir=$2
shift 2
[ $# -gt 0 ] || set -- linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
mkdir -p "$dir"
for target; do
	case $target in
	*/amd64) machine=x86_64 ;;
	*/arm64) machine=aarch64 ;;
	esac
	for program in cachekey same; do
		CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false \
			-ldflags "-s -w -buildid= -X cachekey/internal/cli.version=${version#v}" \
			-o "$dir/$program-$machine-${target%/*}" "./tools/$program"
	done
done
cd "$dir"
if command -v sha256sum >/dev/null; then
	sha256sum cachekey-* same-* >SHA256SUMS
else
	shasum -a 256 cachekey-* same-* >SHA256SUMS
fi
