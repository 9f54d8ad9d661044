# shellcheck shell=bash disable=SC2154,SC2123 # the derivation sets the variables
# $stdenv/setup: what every builder sources, and `nix develop` too.
set -eu -o pipefail
PATH=
for _input in ${nativeBuildInputs-} ${buildInputs-} $initialPath; do
	PATH=${PATH:+$PATH:}$_input/bin
done
unset _input
export PATH HOME=/homeless-shelter SHELL=$shell TZ=UTC LC_ALL=C
: "${NIX_BUILD_TOP:=${TMPDIR:-/tmp}}" "${outputs:=out}" # `nix develop` reads outputs

# Runs a phase or hook: a variable that holds code, or a function.
_run() {
	if [ -n "${!1-}" ]; then
		eval "${!1}"
	elif declare -F "$1" >/dev/null; then
		"$1"
	fi
}
runHook() { _run "$1"; }
runPhase() {
	echo "Running phase: $1"
	_run "$1"
}

unpackPhase() {
	cp -r --no-preserve=ownership "$src" source
	chmod -R u+w source
	cd source
}

genericBuild() {
	cd "$NIX_BUILD_TOP"
	if [ -n "${buildCommandPath-}" ]; then buildCommand=$(<"$buildCommandPath"); fi
	if [ -n "${buildCommand-}" ]; then
		eval "$buildCommand"
		return
	fi
	runPhase unpackPhase
	runPhase configurePhase
	runPhase buildPhase
	if [ -n "${doCheck-}" ]; then runPhase checkPhase; fi
	runPhase installPhase
}
# A shell that is entered, unlike a build, lives with unset variables.
set +u
