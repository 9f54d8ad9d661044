# The template works: its outputs are evaluated with this flake as its input, and its
# own checks are built.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  inherit (pkgs.stdenv.hostPlatform) system;
  # As a user has it after running Nix once: with a flake.lock.
  instantiated = pkgs.runCommand "template-instantiated" { } ''
    cp -r ${../templates/default} "$out"
    chmod u+w "$out"
    cp ${../flake.lock} "$out/flake.lock"
  '';
  outputs = (import ../templates/default/flake.nix).outputs {
    self = outputs // {
      outPath = "${instantiated}";
    };
    nixpkgs = {
      inherit lib;
      legacyPackages.${system} = pkgs;
    };
    cachekey = self;
  };
in
pkgs.runCommand "template"
  {
    checks = lib.attrValues outputs.checks.${system};
    devShell = outputs.devShells.${system}.default;
    keyProgram = outputs.apps.${system}.default.program;
    description = outputs.apps.${system}.two-pass.meta.description;
  }
  ''
    [ -n "$checks" ]
    touch "$out"
  ''
