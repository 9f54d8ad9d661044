# The flake's `lib`.
{ self }:
let
  # Sets the packages to this flake's, if it has any for the system.
  defaults =
    pkgs:
    let
      inherit (pkgs.stdenv.hostPlatform) system;
      packages =
        self.packages.${system}
          or (throw "cachekey has no packages for ${system}: set ciCache.package and ciCache.same.package");
    in
    {
      _file = "cachekey's flake";
      ciCache.package = pkgs.lib.mkDefault packages.cachekey;
      ciCache.same.package = pkgs.lib.mkDefault packages.same;
    };
in
{
  /**
    Evaluates the module for a flake without flake-parts.

    `pkgs`: any nixpkgs. `module`: what you would write under `perSystem` with
    flake-parts, such as `{ ciCache.src = self; }`. Returns `config` and `options`.
  */
  evalModule =
    pkgs: module:
    pkgs.lib.evalModules {
      class = "ciCache";
      modules = [
        ./ci-cache.nix
        (defaults pkgs)
        { _module.args = { inherit pkgs; }; }
        rec {
          key = "what cachekey.lib.evalModule was given"; # errors name it
          _file = key;
          imports = [ module ];
        }
      ];
    };

  /**
    The module for flake-parts, which flake.nix exports as `flakeModules.default`.
  */
  flakeModule = {
    key = "cachekey#ciCache";
    _file = ./flake-module.nix;
    imports = [ (import ./flake-module.nix defaults) ];
  };

  /**
    The text of docs/options.md. `lib`: that of any nixpkgs.
  */
  optionsDoc =
    lib:
    import ./options-doc.nix {
      inherit lib;
      inherit
        (lib.evalModules {
          modules = [
            ./ci-cache.nix
            { _module.args.pkgs = throw "the documentation needs no packages"; }
          ];
        })
        options
        ;
    };
}
