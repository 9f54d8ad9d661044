# The packages and builders that the flake takes from nixpkgs.
{ lib, system }:
lib.fix (
  pkgs:
  let
    call = path: import path { inherit lib pkgs; };
  in
  {
    inherit lib pkgs system;
    callPackage = lib.callPackageWith pkgs;
  }
  // call ./programs.nix
  // call ./stdenv.nix
  // call ./writers.nix
  // call ./go.nix
)
