#!/usr/bin/env bash
# run.sh [STEP…]: tests the flake as its users see it, with real Nix, sandboxed, from an
# empty store, over a stand-in for nixpkgs. It needs no network but package mirrors.
# `run.sh help` lists the steps. WORK=DIR keeps the result of the first for the next run.
# shellcheck disable=SC2016 # the shells of devShells expand these
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
cd "$repository"
# shellcheck source=.ci/steps.sh
. .ci/steps.sh
# shellcheck source=checks/offline/work.sh
. checks/offline/work.sh

fail() {
	echo "run: error: $*" >&2
	exit 1
}
same() { [ "$1" = "$2" ] || fail "$3: \"$1\" is not \"$2\""; }
# says FILE WORD…: fails unless every WORD is in FILE.
says() {
	local word
	for word in "${@:2}"; do grep -qF -- "$word" "$1" || fail "no \"$word\" in $(cat "$1")"; done
}

# flake VERB… [-- ARG… | -c ARG…]: nix over this checkout, or over $dir, with the inputs
# that are available here.
overrides=(--override-input nixpkgs "path:$work/nixpkgs" --no-write-lock-file --quiet)
flake() {
	local words=()
	while [ $# -gt 0 ] && [ "$1" != -- ] && [ "$1" != -c ]; do
		words+=("$1")
		shift
	done
	(cd "${dir-$repository}" && in_nix nix "${words[@]}" "${overrides[@]}" "$@")
}
# consumer DIR [FILE…]: makes a repository of these files at $work/DIR, with this flake
# as a locked input.
consumer() {
	copy_self
	dir=$work/$1
	rm -rf "$dir"
	mkdir -p "$dir"
	overrides=(--override-input cachekey "path:$work/self" --override-input cachekey/nixpkgs "path:$work/nixpkgs"
		--override-input nixpkgs "path:$work/nixpkgs" --quiet)
	if [ $# -gt 1 ]; then cp -R "${@:2}" "$dir"; fi
	git -C "$dir" init -q
}

stand_in() {
	"$offline/install-nix.sh" "$cache/nix-current" current
	"$offline/install-nix.sh" "$cache/nix-oldest" oldest
	if [ -e "$work/store" ]; then
		chmod -R u+w "$work/store"
		rm -rf "$work/store"
	fi
	in_nix "$offline/stand-in.sh" "$cache/nix-current" "$work/nixpkgs"
}
# copy_self: copies the tracked files, which consumers then use as an input.
copy_self() {
	rm -rf "$work/self"
	mkdir "$work/self"
	git ls-files -z | xargs -0 cp --parents -t "$work/self"
}

show() {
	flake flake show --json >"$work/show.json"
	jq -r --arg system x86_64-linux '
		(.inventory // .) | paths(type == "object" and (has("type") or has("derivation")))
		| map(tostring) | join(".")' "$work/show.json" | head -n 100
	flake eval --json .#apps.x86_64-linux --apply 'builtins.mapAttrs (_: app: app.meta.description)' | jq .
	flake eval --json .#packages.x86_64-linux --apply 'builtins.mapAttrs (_: package: package.meta.description)' | jq .
}

build() {
	flake build --no-link -L .#cachekey .#same
	flake build --no-link --rebuild .#cachekey .#same
	same "$(flake path-info -r .#cachekey | wc -l)" 1 "the closure of cachekey is more than itself"
}

check() { flake flake check -L --keep-going; }

options_page() {
	copy_self
	rm "$work/self/docs/options.md"
	(cd "$work/self" && dir=. flake run "path:$work/self#update-options")
	cmp docs/options.md "$work/self/docs/options.md"
}

key() {
	copy_self
	local elsewhere=$repository/checks/fixtures/go
	same "$(flake run .#cachekey)" "$(go run ./tools/cachekey)" "the flake's key"
	same "$(flake run .#cachekey -- -C "$elsewhere")" "$(go run ./tools/cachekey -C "$elsewhere")" "the key of elsewhere"
	same "$(cd / && dir=/ flake run "path:$work/self#cachekey" -- -C "$elsewhere")" "$(go run ./tools/cachekey -C "$elsewhere")" "the key from elsewhere"
	flake run .#same -- plan all
}

shell() {
	CACHEKEY_HOOK_TIMEOUT=60 flake develop -c bash -euc '
		[ "$CACHEKEY" = "$(cachekey)" ]
		[ "$(cachekey)" = "$1" ]
		same --version
		go version' shell "$(go run ./tools/cachekey)"
}

two_pass() { flake run .#two-pass; }

wrong_vendor_hash() {
	copy_self
	rm -rf "$work/wrong"
	cp -R "$work/self" "$work/wrong"
	sed -i 's|vendorHash = ".*"|vendorHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="|' "$work/wrong/nix/package.nix"
	if dir=/ flake build --no-link "path:$work/wrong#cachekey" 2>"$work/log"; then
		fail "a wrong vendorHash was accepted"
	fi
	says "$work/log" "hash mismatch in fixed-output derivation" \
		"$(sed -n 's/^ *vendorHash = "\(.*\)";$/\1/p' nix/package.nix)"
	nix/update-vendor-hash --check
}

locked_consumer() {
	consumer consumer checks/consumer/.
	git -C "$dir" add .
	flake flake lock
	git -C "$dir" add .
}
a_consumer() {
	locked_consumer
	flake flake check -L
	same "$(flake run .#key)" "$(go run ./tools/cachekey -C "$dir" --prefix consumer)" "the consumer's key"
	same "$(flake run .#key-under-flake-parts)" "$(go run ./tools/cachekey -C "$dir" --prefix consumer)" "the key under flake-parts"
	# No tool has to be resolved, which would need the network.
	CACHEKEY_HOOK_TIMEOUT=60 flake develop -c bash -euc '
		[ "$OWN_HOOK" = ran ]
		[ "$CACHEKEY" = "$(cachekey)" ]
		same run --ci all | tee .same/first
		same run --ci all | tee .same/second
		cachekey hits --require none .same/first
		cachekey hits --require all .same/second'
	flake run .#two-pass
}

# direnv enters the devShell, and does not enter it again.
direnv_enters() {
	locked_consumer
	echo "use flake . ${overrides[*]}" >"$dir/.envrc"
	cd "$dir"
	in_nix direnv allow
	in_nix env CACHEKEY_HOOK_TIMEOUT=60 bash -euc '
		eval "$(direnv export bash)"
		[ "$CACHEKEY" = "$(cachekey)" ]
		[ "$OWN_HOOK" = ran ]
		again=$(direnv export bash)
		[ -z "$again" ] || { echo "direnv would enter once more: $again"; exit 1; }'
}

# wrong VALUE WORD…: fails unless evaluating VALUE fails with every WORD in the error.
wrong() {
	if flake eval ".#wrong.$1" >"$work/log" 2>&1; then fail "the wrong $1 was accepted: $(cat "$work/log")"; fi
	says "$work/log" "${@:2}"
}
wrong_values() {
	locked_consumer
	local not="A definition for option \`ciCache."
	wrong prefix "${not}prefix'" "letters, digits, dots, underscores and hyphens" "In \`what cachekey.lib.evalModule was given'"
	wrong locks "${not}locks." "glob relative to the repository's root"
	wrong taskFiles "${not}taskFiles'" "list of glob relative to the repository's root"
	wrong extra "${not}extra'" "names of letters, digits and underscores"
	wrong tasks "${not}tasks." 'task name, such as "build"'
	wrong enable "${not}check.enable'" "boolean"
	wrong env "${not}check.env.WORD'" "string"
	wrong packages "${not}check.packages." "package"
	wrong package "${not}package'" "package"
	wrong src "${not}src'" "absolute path"
	wrong shellHook "ciCache.shellHook' is read-only"
	wrong misspelt "The option \`ciCache.task' does not exist"
	wrong noSrc "The option \`ciCache.src' was accessed but has no value defined"
	if flake build --no-link -L .#wrong.alias 2>"$work/log"; then fail "an alias that no manifest declares was accepted"; fi
	says "$work/log" jason "ciCache.environments does not fit the manifests"
}

template() {
	consumer template
	(cd "$dir" && in_nix nix flake init -t "path:$work/self" --quiet) 2>&1 | tee "$work/log"
	says "$work/log" "nix flake lock" "same run all" # what to type next
	git -C "$dir" add .
	flake flake lock
	git -C "$dir" add .
	flake flake check -L
	same "$(flake run)" "$(go run ./tools/cachekey -C "$dir")" "the template's key"
	flake run .#two-pass
	flake develop -c same run --ci all
}

oldest() {
	nix=oldest
	in_nix nix --version
	flake flake check
	# All of these are in the store already; the next are built again.
	flake build --no-link --rebuild .#same .#checks.x86_64-linux.{shell-hook,two-pass-shell-nothing-changed}
	same "$(flake run .#cachekey)" "$(go run ./tools/cachekey)" "the flake's key"
	CACHEKEY_HOOK_TIMEOUT=60 flake develop -c bash -euc '[ "$CACHEKEY" = "$(cachekey)" ]'
}

step stand-in "Nix from Debian, an empty store, the stand-in for nixpkgs" stand_in
step show "nix flake show, with descriptions" show
step build "nix build is reproducible, and the closure is one path" build
step check "nix flake check" check
step options-page "nix run .#update-options writes docs/options.md as it is" options_page
step key "nix run .#cachekey prints the same key as go run, here and elsewhere; nix run .#same" key
step shell "nix develop -c" shell
step two-pass "nix run .#two-pass, of this repository itself" two_pass
step vendor-hash "a wrong vendorHash is refused, and ours is current" wrong_vendor_hash
step consumer "another flake has this one as an input, plain and with flake-parts" a_consumer
step direnv "direnv enters the devShell once" direnv_enters
step wrong-values "an invalid value is an error that names the option and a valid value" wrong_values
step template "nix flake init, and the new flake works" template
step oldest "nix flake check on the oldest Nix" oldest
case ${1-} in
'' | -h | --help | help) ;;
*) [ -e "$work/nixpkgs/tools.json" ] || set -- stand-in "$@" ;;
esac
run_steps "$@"
