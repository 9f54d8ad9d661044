# Entering the devShell sets PATH and the key, prints nothing, and changes nothing the
# second time, in any directory.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  eval =
    ciCache:
    (self.lib.evalModule pkgs {
      ciCache = {
        src = ./fixtures/shell;
      }
      // ciCache;
    }).config.ciCache;
  hook = name: ciCache: pkgs.writeText "hook-${name}" (eval ciCache).shellHook;
  slow = pkgs.writeShellApplication {
    name = "cachekey";
    text = "sleep 60";
  };
in
pkgs.runCommand "shell-hook"
  {
    nativeBuildInputs = [
      pkgs.git
      (eval { }).package
    ];
    plain = hook "plain" { };
    prefixed = hook "prefixed" { prefix = "web"; };
    keyless = hook "keyless" { exportKey = false; };
    slow = hook "slow" { package = slow; };
    environments = hook "environments" { environments.jq = pkgs.jq; };
    passAsFile = [ "script" ];
    script = builtins.readFile ./shell-hook.sh;
  }
  ''
    export HOME=$TMPDIR CACHEKEY_HOOK_TIMEOUT=60
    cp -r ${./fixtures/shell} workspace
    chmod -R u+w workspace
    bash -euo pipefail "$scriptPath"
    touch "$out"
  ''
