# This repository as its own user: the module that it exports, over its own source.
{ self }:
pkgs:
let
  inherit
    (self.lib.evalModule pkgs {
      ciCache = {
        src = self;
        tasks = [ "build" ];
        # The tasks download Go modules, and a check has no network.
        check.enable = false;
        check.packages = [ pkgs.go ];
      };
    })
    config
    ;
  packages = self.packages.${pkgs.stdenv.hostPlatform.system};
  app = description: program: {
    type = "app";
    inherit program;
    meta = { inherit description; };
  };
in
{
  apps = rec {
    cachekey = config.ciCache.app;
    default = cachekey;
    same = app packages.same.meta.description (pkgs.lib.getExe packages.same);
    two-pass = config.ciCache.twoPass;
    update-options = app "Write docs/options.md" (
      pkgs.lib.getExe (
        pkgs.writeShellApplication {
          name = "update-options";
          text = "cat ${pkgs.writeText "options.md" (self.lib.optionsDoc pkgs.lib)} > docs/options.md";
        }
      )
    );
  };

  devShell = pkgs.mkShellNoCC {
    inputsFrom = [ config.ciCache.devShell ];
    packages = [
      pkgs.bashInteractive # the tests of completion need it
      pkgs.go
      pkgs.jq
    ];
  };
}
