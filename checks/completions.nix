# The packages install completions where three shells look for them, and bash
# completes both programs with them.
{ self, pkgs }:
let
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) cachekey same;
in
# nixpkgs' other bash has no completion.
pkgs.runCommand "completions" { nativeBuildInputs = [ pkgs.bashInteractive ]; } ''
  completes() { # PROGRAM SHARE WORD WANTED
    for file in "bash-completion/completions/$1.bash" "zsh/site-functions/_$1" "fish/vendor_completions.d/$1.fish"; do
      [ -s "$2/$file" ] || { echo "there is no $2/$file"; exit 1; }
    done
    bash -euc '
      source "$2/bash-completion/completions/$1.bash"
      COMP_WORDS=("$1" "$3") COMP_CWORD=1 COMP_LINE="$1 $3"
      COMP_POINT=''${#COMP_LINE}
      "_$1"
      [ "''${COMPREPLY[*]}" = "$4" ] || { echo "$1 $3 is completed to: ''${COMPREPLY[*]}"; exit 1; }
    ' bash "$@"
  }
  completes cachekey ${cachekey}/share expl explain
  completes same ${same}/share cl clean
  touch "$out"
''
