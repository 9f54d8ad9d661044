# The packages and builders that the flake takes from nixpkgs.
{ lib, system }:
let
  base =
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
    // call ./go.nix;
  withOverlays =
    overlays:
    lib.fix (
      pkgs:
      lib.foldl' (previous: overlay: previous // overlay pkgs previous) (base pkgs) overlays
      // {
        extend = overlay: withOverlays (overlays ++ [ overlay ]);
      }
    );
in
withOverlays [ ]
