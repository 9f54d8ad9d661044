# The environments of the tool sets that the manifests of `ciCache.src` ask for, in
# the files in which the runner remembers them; nothing where no package is given.
{
  lib,
  pkgs,
  cfg,
}:
let
  # Only the manifests: no other change of the source makes the environments anew.
  manifests = builtins.path {
    path = cfg.src;
    name = "manifests";
    filter =
      path: type:
      type == "directory"
      || lib.elem (baseNameOf path) [
        "same.yaml"
        "same.work.yaml"
      ];
  };
  packages = lib.mapAttrsToList (
    alias: package: "--package=${alias}=${lib.getBin package}"
  ) cfg.environments;
  # What a shell has besides its packages: a compiler where there is one, sh, coreutils.
  behind = map (package: "--with=${lib.getBin package}") (
    lib.optional ((pkgs.stdenv.cc or null) != null) pkgs.stdenv.cc ++ pkgs.stdenv.initialPath
  );
in
if cfg.environments == { } then
  ""
else
  pkgs.runCommand "same-environments" { } ''
    ${lib.getExe cfg.same.package} env -C ${manifests} --out "$out" \
      --system ${pkgs.stdenv.hostPlatform.system} ${lib.escapeShellArgs (packages ++ behind)} ||
      { echo "ciCache.environments does not fit the manifests of ciCache.src: see above" >&2; exit 1; }
  ''
