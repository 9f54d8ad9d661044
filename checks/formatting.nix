# gofmt has nothing to change. For Nix files, which nixfmt formats (`nix fmt`), it checks
# only what it can without nixfmt: no tab, no space at the end of a line, one newline
# at the end of a file.
{ self, pkgs }:
pkgs.runCommand "formatting"
  {
    nativeBuildInputs = [
      pkgs.go
      pkgs.findutils
      pkgs.gnugrep
    ];
  }
  ''
    cd ${self}
    changed=$(find . -name '*.go' -print0 | xargs -0 gofmt -l)
    [ -z "$changed" ] || { echo "gofmt -w would change $changed"; exit 1; }

    find . -name '*.nix' > "$TMPDIR/files"
    while read -r file; do
      if grep -nHE $'\t| $' "$file" || [ -n "$(tail -c 1 "$file")" ] || [ -z "$(tail -c 2 "$file" | tr -d '\n')" ]; then
        echo "$file: nix fmt would change it"
        exit 1
      fi
    done < "$TMPDIR/files"
    touch "$out"
  ''
