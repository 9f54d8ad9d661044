{
  description = "A workspace whose tasks CI remembers";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";
    cachekey.url = "github:OWNER/cachekey";
    cachekey.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    {
      self,
      nixpkgs,
      cachekey,
    }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ];
      # What cachekey makes of this flake, for each system; its docs/options.md
      # lists what can be said here.
      ciCache = lib.genAttrs systems (
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        (cachekey.lib.evalModule pkgs {
          ciCache = {
            src = self;
            tasks = [ "all" ];
            check.packages = [ pkgs.gnused ];
          };
        }).config.ciCache
      );
    in
    {
      # nix run            prints the key of this checkout
      # nix run .#two-pass builds twice, the second time from the cache alone
      apps = lib.mapAttrs (_: ciCache: {
        default = ciCache.app;
        two-pass = ciCache.twoPass;
      }) ciCache;

      # nix develop: `same` and `cachekey` on PATH, the key in $CACHEKEY
      devShells = lib.mapAttrs (_: ciCache: { default = ciCache.devShell; }) ciCache;

      # nix flake check: what `nix run .#two-pass` does, in the sandbox
      checks = lib.mapAttrs (_: ciCache: ciCache.checks) ciCache;
    };
}
