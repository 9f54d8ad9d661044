# shellcheck shell=bash disable=SC2154,SC2016 # the derivation sets the variables
# Builder of a host program's package: copies $host/packages/$name to $out and
# points its programs at the loader and the libraries in $host. There is nothing
# on PATH yet: what runs here runs by $host's own loader.
set -eu
host_run() {
	local program=$1
	shift
	"$host/ld.so" --library-path "$host" --argv0 "${program##*/}" "$host/packages/$program" "$@"
}
host_patchelf() {
	"$host/patchelf/ld-linux-x86-64.so.2" --library-path "$host/patchelf" "$host/patchelf/patchelf" "$@"
}

host_run coreutils/bin/cp -rP --no-preserve=ownership "$host/packages/$name" "$out"
host_run coreutils/bin/chmod -R u+w "$out"

for file in "$out"/bin/* "$out"/libexec/*; do
	if [ ! -f "$file" ] || [ -L "$file" ]; then continue; fi
	IFS= read -r -n 4 magic <"$file" 2>/dev/null || true
	case $magic in
	$'\x7fELF')
		host_patchelf --set-interpreter "$host/ld.so" --force-rpath --set-rpath "$host" "$file"
		;;
	'#!'*)
		host_run sed/bin/sed -i "1s|^#! */bin/\(ba\)\?sh|#!$bash/bin/bash|" "$file"
		;;
	esac
done

if [ "$name" = git ]; then
	host_run coreutils/bin/mkdir -p "$out/bin" "$out/templates"
	cat=$(
		printf '#!%s/bin/bash\n' "$bash"
		printf 'export GIT_EXEC_PATH=%s/libexec GIT_TEMPLATE_DIR=${GIT_TEMPLATE_DIR-%s/templates}\n' "$out" "$out"
		printf 'exec %s/libexec/git "$@"\n' "$out"
	)
	printf '%s\n' "$cat" >"$out/bin/git"
	host_run coreutils/bin/chmod +x "$out/bin/git"
fi
