# The little of flake-parts that a module sees: flake-parts-lib, and perSystem
# evaluated for one system, with `checks` among what others declare there.
{ lib, pkgs }:
{
  # self: the consumer's. flakeModule: of the flake that offers it. module: what the
  # consumer writes under perSystem. Gives perSystem's configuration.
  perSystem =
    {
      self,
      flakeModule,
      module,
    }:
    let
      loaded = lib.head flakeModule.imports {
        inherit lib self;
        flake-parts-lib.mkPerSystemOption = module: module;
      };
    in
    (lib.evalModules {
      class = "perSystem";
      modules = [
        loaded.options.perSystem
        {
          options.checks = lib.mkOption {
            type = lib.types.lazyAttrsOf lib.types.package;
            default = { };
          };
          config._module.args.pkgs = pkgs;
        }
        module
      ];
    }).config;
}
