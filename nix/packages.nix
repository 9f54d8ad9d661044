# The flake's packages, of any nixpkgs.
pkgs:
let
  cachekey = pkgs.callPackage ./package.nix { };
in
{
  inherit cachekey;
  same = cachekey.same // {
    name = "same-${cachekey.version}";
    meta = cachekey.meta // {
      description = "Runs the tasks of same.yaml and skips those whose inputs have not changed";
      mainProgram = "same";
    };
  };
}
