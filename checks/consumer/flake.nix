{
  description = "A flake that takes cachekey as an input; offline/run.sh builds it";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";
    cachekey.url = "github:OWNER/cachekey";
    cachekey.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    {
      self,
      nixpkgs,
      cachekey,
    }:
    let
      inherit (nixpkgs) lib;
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system}.extend cachekey.overlays.default;
      module = {
        ciCache = {
          prefix = "consumer";
          tasks = [ "all" ];
          environments.json = pkgs.jq;
        };
      };
      plain =
        (cachekey.lib.evalModule pkgs {
          imports = [ module ];
          ciCache.src = self;
        }).config.ciCache;
      parts = (import "${cachekey}/checks/flake-parts.nix" { inherit lib pkgs; }).perSystem {
        inherit self module;
        flakeModule = cachekey.flakeModules.default;
      };

      wrong =
        ciCache:
        (cachekey.lib.evalModule pkgs {
          ciCache = {
            src = self;
          }
          // ciCache;
        }).config.ciCache;
    in
    {
      packages.${system} = { inherit (pkgs) cachekey same; };
      apps.${system} = {
        key = plain.app;
        two-pass = plain.twoPass;
        key-under-flake-parts = parts.ciCache.app;
      };
      checks.${system} =
        plain.checks // lib.mapAttrs' (name: lib.nameValuePair "flake-parts-${name}") parts.checks;
      devShells.${system}.default = pkgs.mkShellNoCC {
        packages = [ pkgs.jq ];
        inputsFrom = [ plain.devShell ];
        shellHook = "export OWN_HOOK=ran";
      };

      # Each is an error; its words are looked at.
      wrong = {
        prefix = (wrong { prefix = "a b"; }).app.program;
        locks = (wrong { locks = [ "/etc/passwd" ]; }).app.program;
        taskFiles = (wrong { taskFiles = "same.yaml"; }).app.program;
        extra = (wrong { extra."a b" = "c"; }).app.program;
        tasks = (wrong { tasks = [ "--no-cache" ]; }).twoPass.program;
        enable = toString (wrong { check.enable = "yes"; }).checks;
        env = (wrong { check.env.WORD = 1; }).twoPass.program;
        packages = (wrong { check.packages = [ "go" ]; }).twoPass.program;
        package = (wrong { package = "cachekey"; }).app.program;
        src = (wrong { src = "."; }).twoPass.program;
        shellHook = (wrong { shellHook = ""; }).shellHook;
        misspelt = (wrong { task = [ "all" ]; }).app.program;
        noSrc =
          (cachekey.lib.evalModule pkgs { ciCache.tasks = [ "all" ]; }).config.ciCache.twoPass.program;
        alias = (wrong { environments.jason = pkgs.jq; }).devShell;
      };
    };
}
