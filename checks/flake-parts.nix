# The part of flake-parts that the module uses: flake-parts-lib, and perSystem
# evaluated for one system, with the option `checks`.
{ lib, pkgs }:
{
  # self: the consumer's flake. flakeModule: the module under test. module: what the
  # consumer writes under perSystem. Returns the configuration of perSystem.
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
