{
  description = "A task runner for workspaces built with Nix, and cache keys to keep its cache in CI";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";

  outputs =
    { self, nixpkgs }:
    let
      eachSystem =
        f:
        nixpkgs.lib.genAttrs [ "x86_64-linux" "aarch64-linux" "aarch64-darwin" ] (
          system: f nixpkgs.legacyPackages.${system}
        );
      own = import ./nix/own.nix { inherit self; };
      lib = import ./nix/lib.nix { inherit self; };
    in
    {
      packages = eachSystem (
        pkgs:
        let
          packages = import ./nix/packages.nix pkgs;
        in
        packages // { default = packages.cachekey; }
      );
      apps = eachSystem (pkgs: (own pkgs).apps);
      devShells = eachSystem (pkgs: {
        default = (own pkgs).devShell;
      });
      checks = eachSystem (pkgs: import ./checks { inherit self pkgs; });
      formatter = eachSystem (import ./nix/formatter.nix);

      inherit lib;
      overlays.default = final: _: import ./nix/packages.nix final;
      flakeModules = {
        default = lib.flakeModule;
        ciCache = lib.flakeModule;
      };
      templates.default = {
        path = ./templates/default;
        description = "A flake with a devShell, a key and a two-pass check for its same.yaml";
        welcomeText = builtins.readFile ./templates/welcome.txt;
      };
    };
}
