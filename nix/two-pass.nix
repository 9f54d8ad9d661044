# The program that builds `ciCache.src` twice; the checks run it too.
{
  lib,
  pkgs,
  cfg,
}:
pkgs.writeShellApplication {
  name = "two-pass";
  runtimeInputs = cfg.check.packages ++ [
    (import ./key-app.nix { inherit lib pkgs cfg; })
    pkgs.coreutils
    pkgs.diffutils
    pkgs.findutils
    pkgs.gnugrep
    pkgs.gnused
    pkgs.jq
  ];
  runtimeEnv = {
    TWO_PASS_SRC = "${cfg.src}";
    TWO_PASS_SAME = lib.getExe cfg.same.package;
    TWO_PASS_TASKS = lib.concatStringsSep "\n" cfg.tasks;
    TWO_PASS_ENV = lib.concatStringsSep "\n" (lib.attrNames cfg.check.env);
    TWO_PASS_ENVIRONMENTS = "${import ./environments.nix { inherit lib pkgs cfg; }}";
  }
  // cfg.check.env;
  text = ''exec ${pkgs.runtimeShell} ${./two-pass.sh} "$@"'';
}
