# The checks that `ciCache` adds to `nix flake check`.
{
  lib,
  pkgs,
  cfg,
}:
let
  call = path: import path { inherit lib pkgs cfg; };
  narHash = cfg.src.narHash or null;
  # The narHash is that of the whole tree, also for a flake in a subdirectory.
  root = cfg.src.sourceInfo or cfg.src;
in
lib.optionalAttrs cfg.check.enable (
  # cachekey computes the same narHash of the source as Nix.
  lib.optionalAttrs (narHash != null) {
    ci-cache-nar-hash = pkgs.runCommand "ci-cache-nar-hash" { nativeBuildInputs = [ cfg.package ]; } ''
      computed=$(cachekey nar-hash ${root})
      [ "$computed" = ${narHash} ] ||
        { echo "cachekey nar-hash prints $computed, but Nix's narHash is ${narHash}" >&2; exit 1; }
      touch "$out"
    '';
  }
  // lib.optionalAttrs (cfg.environments != { }) {
    ci-cache-environments = call ./environments.nix;
  }
  // lib.optionalAttrs (cfg.tasks != [ ]) {
    ci-cache-two-pass =
      let
        program = call ./two-pass.nix;
        first = pkgs.runCommand "ci-cache-first-pass" { nativeBuildInputs = [ program ]; } ''
          export HOME=$TMPDIR
          two-pass first "$out"
        '';
      in
      pkgs.runCommand "ci-cache-two-pass" { nativeBuildInputs = [ program ]; } ''
        export HOME=$TMPDIR
        two-pass second ${first}
        touch "$out"
      '';
  }
)
