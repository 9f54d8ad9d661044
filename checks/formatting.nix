# gofmt has nothing to change, and Nix files keep to what can be told without
# nixfmt, which formats them (`nix fmt`): two spaces a level, no tab, no space at
# a line's end, one newline at a file's.
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
