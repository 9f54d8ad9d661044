# A workspace's own flake: an input, and a package of its own.
{
  inputs.nixpkgs.url = "path:@nixpkgs@";
  outputs =
    { nixpkgs, ... }:
    {
      packages = builtins.mapAttrs (_: pkgs: {
        lint = pkgs.hello;
        built = builtins.path {
          path = ./src/built;
          name = "built";
        };
      }) nixpkgs.legacyPackages;
    };
}
