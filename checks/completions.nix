# The packages install man pages and completions for three shells where man and
# the shells look for them, and bash completes both programs with them.
{ self, pkgs }:
let
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) cachekey same;
in
# nixpkgs' other bash has no completion.
pkgs.runCommand "completions" { nativeBuildInputs = [ pkgs.bashInteractive ]; } ''
  completes() { # PROGRAM PACKAGE WORD WANTED
    for file in "bash-completion/completions/$1.bash" "zsh/site-functions/_$1" "fish/vendor_completions.d/$1.fish" "man/man1/$1.1"; do
      [ -s "$2/share/$file" ] || [ -s "$2/share/$file.gz" ] || { echo "there is no $2/share/$file"; exit 1; }
    done
    bash -euc '
      PATH=$2/bin:$PATH
      source "$2/share/bash-completion/completions/$1.bash"
      COMP_WORDS=("$1" "$3") COMP_CWORD=1 COMP_LINE="$1 $3" COMP_TYPE=9
      COMP_POINT=''${#COMP_LINE}
      compopt() { :; } # which works only while readline completes
      "__start_$1"
      [ "''${COMPREPLY[*]}" = "$4" ] || { echo "$1 $3 is completed to: ''${COMPREPLY[*]}"; exit 1; }
    ' bash "$@"
  }
  completes cachekey ${cachekey} expl explain
  completes same ${same} cl clean
  touch "$out"
''
