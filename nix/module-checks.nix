# What `ciCache` adds to `nix flake check`, name by name.
{
  lib,
  pkgs,
  cfg,
}:
let
  call = path: import path { inherit lib pkgs cfg; };
  narHash = cfg.src.narHash or null;
  # Of a flake in a subdirectory too the narHash is that of the whole tree.
  root = cfg.src.sourceInfo or cfg.src;
in
lib.optionalAttrs cfg.check.enable (
  # The source's narHash, computed as a CI machine computes it, is Nix's own.
  lib.optionalAttrs (narHash != null) {
    ci-cache-nar-hash = pkgs.runCommand "ci-cache-nar-hash" { nativeBuildInputs = [ cfg.package ]; } ''
      computed=$(cachekey nar-hash ${root})
      [ "$computed" = ${narHash} ] ||
        { echo "cachekey nar-hash gives $computed, but Nix ${narHash}" >&2; exit 1; }
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
