# The environments of the tool sets in the manifests of `ciCache.src`, as the files
# that the runner stores them in; "" if `ciCache.environments` is empty.
{
  lib,
  pkgs,
  cfg,
}:
let
  # Only the manifests, so that no other change of the source rebuilds this.
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
  # The other programs of a shell: a compiler if there is one, sh, coreutils.
  others = map (package: "--with=${lib.getBin package}") (
    lib.optional ((pkgs.stdenv.cc or null) != null) pkgs.stdenv.cc ++ pkgs.stdenv.initialPath
  );
in
if cfg.environments == { } then
  ""
else
  pkgs.runCommand "same-environments" { } ''
    ${lib.getExe cfg.same.package} env -C ${manifests} --out "$out" \
      --system ${pkgs.stdenv.hostPlatform.system} ${lib.escapeShellArgs (packages ++ others)} ||
      { echo "ciCache.environments does not fit the manifests of ciCache.src: see above" >&2; exit 1; }
  ''
