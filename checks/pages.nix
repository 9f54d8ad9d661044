# The ```nix blocks of docs/flake.md, verbatim, over a small workspace: a plain flake
# and one with flake-parts are built, an option is evaluated.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  # The code between fences; the opening fence names its language.
  parts = builtins.split "\n```([a-z]*)\n" (builtins.readFile ../docs/flake.md);
  blocks = lib.concatLists (
    lib.imap0 (n: part: lib.optional (part == [ "nix" ]) (lib.elemAt parts (n + 1))) parts
  );
  # This repository's files stand for those that the blocks name.
  names = [
    " ./cmd/lint"
    " ./"
  ];
  files = [
    " ${toString ../tools/same}"
    " ${toString ../.}/"
  ];
  # A block consists of attributes of a flake, with these names in scope.
  attributes =
    n:
    import (builtins.toFile "block-${toString n}.nix" ''
      { self, cachekey, inputs, lib, pkgs }: rec {
      ${builtins.replaceStrings names files (lib.elemAt blocks n)}
      }
    '') scope;
  scope = {
    self.outPath = ./workflow/testdata/consumer;
    cachekey = self;
    inputs.cachekey = self;
    inherit lib;
    # The offline stand-in for nixpkgs lacks these.
    pkgs = pkgs // {
      mkShell = pkgs.mkShellNoCC;
      golangci-lint = pkgs.jq;
    };
  };

  plain = attributes 0;
  withParts =
    (import ./flake-parts.nix {
      inherit lib;
      inherit (scope) pkgs;
    }).perSystem
      {
        inherit (scope) self;
        flakeModule = lib.head (attributes 1).imports;
        module = {
          imports = [ (attributes 1).perSystem ];
          options.devShells = lib.mkOption { type = lib.types.lazyAttrsOf lib.types.package; };
        };
      };
  environments =
    (self.lib.evalModule pkgs {
      imports = [ (attributes 2) ];
      ciCache.src = scope.self;
    }).config.ciCache.environments;
in
pkgs.runCommand "pages"
  {
    blocks = lib.length blocks;
    checks = lib.attrValues plain.checks ++ lib.attrValues withParts.checks;
    devShells = [
      plain.devShells.default
      withParts.devShells.default
    ];
    key = plain.apps.default.program;
    environments = lib.attrNames environments;
    inherit (attributes 3) src;
    nixpkgs = plain.inputs.cachekey.inputs.nixpkgs.follows;
  }
  ''
    [ "$blocks" = 4 ]
    [ "$(wc -w <<< "$checks")" = 2 ]
    [ "$environments" = "go lint" ]
    [ "$nixpkgs" = nixpkgs ]
    [ "$(cd "$src"; echo * */*)" = "go.mod tools tools/same" ]
    touch "$out"
  ''
