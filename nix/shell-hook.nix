# The devShell hook: shell-hook.sh, called with the values of the options.
{
  lib,
  pkgs,
  cfg,
}:
let
  cachekey = import ./key-app.nix { inherit lib pkgs cfg; };
  environments = import ./environments.nix { inherit lib pkgs cfg; };
in
''
  . ${./shell-hook.sh}
  cachekey_enter ${cachekey} ${lib.getBin pkgs.coreutils} ${lib.boolToString cfg.exportKey} \
    ${lib.getExe cfg.same.package} "${environments}"
  unset -f cachekey_enter
''
