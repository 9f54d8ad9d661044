# The fixture workspaces, each evaluated as a consumer's flake would.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  workspace =
    name: module:
    (self.lib.evalModule pkgs {
      imports = [ module ];
      ciCache = {
        src = ./fixtures + "/${name}";
        tasks = [ "all" ];
      };
    }).config.ciCache;
in
{
  go = workspace "go" {
    ciCache.check.packages = [ pkgs.go ];
  };
  # `more` is merged into the module: a runner or a key that is broken.
  shell =
    more:
    workspace "shell" {
      imports = [ more ];
      ciCache.environments.jq = pkgs.jq;
    };

  # What nix/two-pass.sh takes as CASE: a directory with a file for each argument.
  case =
    name:
    {
      edit ? "",
      damage ? "",
      again ? "",
      restored ? "exact",
      ran ? [ ],
    }:
    pkgs.runCommand "two-pass-case-${name}"
      {
        env = {
          inherit
            edit
            damage
            again
            restored
            ;
          ran = lib.concatStringsSep "\n" ran;
        };
      }
      ''
        mkdir "$out"
        for part in edit damage again restored ran; do
          if [ -n "''${!part}" ]; then printf '%s\n' "''${!part}" >"$out/$part"; fi
        done
      '';
}
