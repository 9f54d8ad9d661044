# `cachekey` with the module's options as the defaults of its flags.
{
  lib,
  pkgs,
  cfg,
}:
let
  defaults =
    lib.optionalAttrs (cfg.prefix != "same") { prefix = [ cfg.prefix ]; }
    // lib.optionalAttrs (cfg.locks != [ ]) { lock = cfg.locks; }
    // lib.optionalAttrs (cfg.taskFiles != [ ]) { task-file = cfg.taskFiles; }
    // lib.optionalAttrs (cfg.extra != { }) {
      extra = lib.mapAttrsToList (name: value: "${name}=${value}") cfg.extra;
    };
in
# Without options to build in, this is the program itself, a single static file.
if defaults == { } then
  cfg.package
else
  pkgs.writeShellApplication {
    name = "cachekey";
    runtimeEnv.CACHEKEY_DEFAULTS = builtins.toJSON defaults;
    text = ''exec ${lib.getExe cfg.package} "$@"'';
  }
