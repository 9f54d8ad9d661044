#!/usr/bin/env bash
# same-ci.sh ENTRIES TASK…: any CI, or none: ENTRIES is a directory that outlives the checkout.
#
# An entry is a tar file named by its key. The last entry that was saved under a
# key that begins with a restore key is what a prefix finds.
set -euo pipefail
[ $# -ge 2 ] || {
	echo "called with $# arguments, not ENTRIES TASK…" >&2
	exit 2
}
entries=$1
shift
mkdir -p "$entries"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

key=$(cachekey)
cachekey --quiet --json >"$scratch/key.json"
found=
for prefix in "$key" $(jq --raw-output '.restoreKeys[]' "$scratch/key.json"); do
	# A key is letters, digits, dots, dashes and underscores: nothing in it splits or globs.
	# shellcheck disable=SC2012
	found=$(ls -t "$entries/$prefix"*.tar 2>/dev/null | head -n 1) || true
	[ -z "$found" ] || break
done

if [ -n "$found" ]; then
	echo "restoring $(basename "$found" .tar)"
	tar -xf "$found"
	cachekey verify --key "$key"
	cachekey realise
fi

same plan --json "$@" >"$scratch/plan.json"
same run --ci "$@" | tee "$scratch/log"
cachekey hits --plan "$scratch/plan.json" "$scratch/log"

if [ ! -e "$entries/$key.tar" ]; then
	cachekey prune --max-size 500MB
	cachekey seal --key-file "$scratch/key.json"
	saved=()
	for path in .same/store .same/cache .same/seal.json; do
		[ ! -e "$path" ] || saved+=("$path")
	done
	# The entry appears whole or not at all.
	tar -cf "$entries/.$$.partial" "${saved[@]}"
	mv "$entries/.$$.partial" "$entries/$key.tar"
fi
