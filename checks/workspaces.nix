# The fixture workspaces, each evaluated as a consumer's flake would.
{ self, pkgs }:
let
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
  # `with` is more of the module: a runner or a key that is broken.
  shell =
    more:
    workspace "shell" {
      imports = [ more ];
      ciCache.environments.jq = pkgs.jq;
    };
}
