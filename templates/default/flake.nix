{
  description = "A workspace whose tasks CI caches";

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
      # The module's options, for each system; cachekey's docs/options.md lists them.
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
      # nix run .#two-pass builds twice, the second time from the cache
      apps = lib.mapAttrs (_: ciCache: {
        default = ciCache.app;
        two-pass = ciCache.twoPass;
      }) ciCache;

      # nix develop: `same` and `cachekey` on PATH, the key in $CACHEKEY
      devShells = lib.mapAttrs (_: ciCache: { default = ciCache.devShell; }) ciCache;

      # nix flake check: the same as `nix run .#two-pass`, in the sandbox
      checks = lib.mapAttrs (_: ciCache: ciCache.checks) ciCache;
    };
}
