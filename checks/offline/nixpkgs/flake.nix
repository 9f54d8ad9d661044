{
  description = "A stand-in for the part of nixpkgs that cachekey's flake uses, for machines without a network";

  outputs =
    { self }:
    let
      lib = import ./lib;
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ] (system: import ./pkgs { inherit lib system; });
    };
}
