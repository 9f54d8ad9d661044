# The module for flake-parts: nix/ci-cache.nix in `perSystem`, with its checks
# among the flake's. It takes nothing else over; docs/options.md says what it offers.
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
