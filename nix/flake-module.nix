# The module for flake-parts: nix/ci-cache.nix in `perSystem`. It adds its checks to
# the flake's and sets nothing else; docs/options.md lists the options.
defaults:
{
  lib,
  flake-parts-lib,
  self,
  ...
}:
{
  options.perSystem = flake-parts-lib.mkPerSystemOption (
    { config, pkgs, ... }:
    {
      imports = [
        ./ci-cache.nix
        (defaults pkgs)
      ];
      ciCache.src = lib.mkDefault self;
      checks = config.ciCache.checks;
    }
  );
}
