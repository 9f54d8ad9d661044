#!/usr/bin/env bash
# same-ci.sh ENTRIES TASK…: any CI, or none: ENTRIES is a directory that outlives the checkout.
#
# An entry is two files, NAME.tar and NAME.key with its key: a key can be longer than a file
# name. Jobs may save concurrently, also in containers that share nothing but ENTRIES.
set -euo pipefail
[ $# -ge 2 ] || {
	echo "called with $# arguments, not ENTRIES TASK…" >&2
	exit 2
}
mkdir -p "$1"
entries=$(cd "$1" && pwd)
shift
scratch=$(mktemp -d)
partial=
trap 'rm -rf "$scratch" ${partial:+"$partial"}' EXIT

cachekey --json --untracked >"$scratch/key.json"
key=$(jq --raw-output .key "$scratch/key.json")

# find_entry PREFIX: prints the name of the entry saved last under a key with this prefix.
find_entry() {
	local file
	# shellcheck disable=SC2012 # the names are digests
	while IFS= read -r file; do
		case $(cat "$entries/$file.key") in "$1"*) printf '%s\n' "$file" && return ;; esac
	done < <(ls -t "$entries" | sed -n 's/\.key$//p')
	return 1
}

name=
for prefix in "$key" $(jq --raw-output '.restoreKeys[]' "$scratch/key.json"); do
	# A key is letters, digits, dots, dashes and underscores: nothing in it splits or globs.
	if name=$(find_entry "$prefix"); then break; fi
done

# A bad cache does not fail the build. verify removes files that do not match the seal. It
# also runs if nothing was restored: files in .same then came with the checkout.
if [ -n "$name" ]; then
	echo "restoring $(cat "$entries/$name.key")"
	tar -xf "$entries/$name.tar" || echo "notice: the entry could not be extracted"
fi
cachekey verify --key-file "$scratch/key.json"
cachekey realise || echo "notice: the store paths of restored environments could not be fetched"

same plan --json "$@" >"$scratch/plan.json"
same run --ci "$@" | tee "$scratch/log"
cachekey hits --plan "$scratch/plan.json" "$scratch/log"

# The key is written last, so that the entry appears whole or not at all.
save() {
	local name path saved=()
	name=$(printf %s "$key" | sha256sum | cut -d ' ' -f 1)
	[ ! -e "$entries/$name.key" ] || return 0
	cachekey prune --max-size 500MB && cachekey seal --key-file "$scratch/key.json" || return
	for path in .same/store .same/cache .same/seal.json; do
		[ ! -e "$path" ] || saved+=("$path")
	done
	partial=$(mktemp -d "$entries/.partial.XXXXXX") && tar -cf "$partial/tar" "${saved[@]}" && printf '%s\n' "$key" >"$partial/key" &&
		mv -f "$partial/tar" "$entries/$name.tar" && mv -f "$partial/key" "$entries/$name.key"
}
save || echo "notice: the cache is not saved"
