# The host's programs as packages. stand-in.sh has put them into the store.
{ lib, pkgs }:
let
  inherit (pkgs) system;
  tools = lib.importJSON ../tools.json;
  # Makes a string a reference to a store path, which must be there: the one way
  # in pure evaluation to name a path that no expression has made.
  inStore = path: builtins.appendContext path { ${path}.path = true; };
  bash = inStore tools.bash;
  host = inStore tools.host;

  package =
    name: args: mainProgram:
    derivation (
      {
        inherit name system host;
        builder = "${bash}/bin/bash";
        preferLocalBuild = true;
        allowSubstitutes = false;
      }
      // args
    )
    // {
      pname = name;
      version = "host";
      meta = { inherit mainProgram; };
    };

  # A static program: links to its tree are enough.
  static =
    name: tree:
    package name {
      inherit tree;
      args = [
        "-c"
        ''
          coreutils() { "$host/ld.so" --library-path "$host" "$host/packages/coreutils/bin/$@"; }
          coreutils mkdir -p "$out/share"
          coreutils ln -s "$tree/bin" "$out/bin"
          coreutils ln -s "$tree" "$out/share/$name"
        ''
      ];
    } name;
  relocated =
    name: mainProgram:
    package name {
      inherit bash;
      args = [ ./relocate.sh ];
    } mainProgram;
in
{
  bash = static "bash" bash;
  bashInteractive = pkgs.bash; # what `nix develop` starts
  runtimeShell = "${bash}/bin/bash";

  go = static "go" (inStore tools.go) // {
    version = lib.removePrefix "go" tools.goVersion;
    tree = inStore tools.go;
  };

  coreutils = relocated "coreutils" "ls";
  diffutils = relocated "diffutils" "diff";
  findutils = relocated "findutils" "find";
  gawk = relocated "gawk" "awk";
  git = relocated "git" "git";
  gitMinimal = pkgs.git;
  gnugrep = relocated "grep" "grep";
  gnused = relocated "sed" "sed";
  gnutar = relocated "tar" "tar";
  gzip = relocated "gzip" "gzip";
  jq = relocated "jq" "jq";
}
