# Compares the values of the evaluated module, in a plain flake and under flake-parts'
# perSystem.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  src = ./fixtures/shell;
  eval =
    module:
    (self.lib.evalModule pkgs {
      imports = [ module ];
      ciCache = { inherit src; };
    }).config.ciCache;
  checkNames = ciCache: lib.attrNames (eval { inherit ciCache; }).checks;
  refused =
    ciCache: value:
    !(builtins.tryEval (
      value (eval {
        inherit ciCache;
      })
    )).success;
  tool = pkgs.writeShellApplication {
    name = "tool";
    text = "true";
  };

  perSystem =
    module:
    (import ./flake-parts.nix { inherit lib pkgs; }).perSystem {
      inherit module;
      flakeModule = self.flakeModules.default;
      self = {
        outPath = src;
        narHash = "sha256-of-the-consumer";
      };
    };

  tests = {
    "no task, no two-pass check" = {
      expr = checkNames { };
      expected = [ ];
    };
    "tasks give the two-pass check" = {
      expr = checkNames { tasks = [ "words" ]; };
      expected = [ "ci-cache-two-pass" ];
    };
    "environments give their check" = {
      expr = checkNames { environments.jq = tool; };
      expected = [ "ci-cache-environments" ];
    };
    "check.enable switches all of them off" = {
      expr = checkNames {
        tasks = [ "words" ];
        environments.jq = tool;
        check.enable = false;
      };
      expected = [ ];
    };
    "package is what the app runs" = {
      expr = (eval { ciCache.package = tool; }).app.program;
      expected = lib.getExe tool;
    };
    "a definition outranks a default of the module's" = {
      expr = (eval { ciCache.prefix = lib.mkForce "forced"; }).prefix;
      expected = "forced";
    };
    "lists of two modules are joined" = {
      expr =
        (eval {
          imports = [ { ciCache.locks = [ "a.lock" ]; } ];
          ciCache.locks = lib.mkAfter [ "b.lock" ];
        }).locks;
      expected = [
        "a.lock"
        "b.lock"
      ];
    };
    "a check's switch can hang on a condition" = {
      expr =
        (eval {
          ciCache.check.enable = lib.mkIf true (lib.mkDefault false);
        }).check.enable;
      expected = false;
    };
    "both apps are apps" = {
      expr = map (app: app.type) [
        (eval { }).app
        (eval { }).twoPass
      ];
      expected = [
        "app"
        "app"
      ];
    };

    "a prefix has no space" = {
      expr = refused { prefix = "a b"; } (c: c.prefix);
      expected = true;
    };
    "a glob is not absolute" = {
      expr = refused { locks = [ "/etc/passwd" ]; } (c: toString c.locks);
      expected = true;
    };
    "a task is not a flag" = {
      expr = refused { tasks = [ "--no-cache" ]; } (c: toString c.tasks);
      expected = true;
    };
    "an extra's name is a name" = {
      expr = refused { extra."a b" = "c"; } (c: lib.attrNames c.extra);
      expected = true;
    };
    "an environment is a package" = {
      expr = refused { environments.jq = "jq"; } (c: c.environments.jq);
      expected = true;
    };
    "what is read only can't be set" = {
      expr = refused { shellHook = "true"; } (c: c.shellHook);
      expected = true;
    };
    "a name that is no option is refused" = {
      expr = refused { task = [ "build" ]; } (c: c.tasks);
      expected = true;
    };

    "under flake-parts src is self, and the checks are the flake's" = {
      expr = lib.attrNames (perSystem { ciCache.tasks = [ "words" ]; }).checks;
      expected = [
        "ci-cache-nar-hash"
        "ci-cache-two-pass"
      ];
    };
    "under flake-parts src can be another" = {
      expr = lib.attrNames (perSystem { ciCache.src = src; }).checks;
      expected = [ ];
    };
    "under flake-parts nothing else is taken over" = {
      expr = lib.attrNames (perSystem { });
      expected = [
        "checks"
        "ciCache"
      ];
    };
  };
  failures = lib.filterAttrs (_: test: test.expr != test.expected) tests;
in
pkgs.runCommand "module"
  {
    failures = lib.concatStringsSep "\n" (
      lib.mapAttrsToList (
        name: test: "${name}: ${builtins.toJSON test.expr}, expected ${builtins.toJSON test.expected}"
      ) failures
    );
    ran = lib.length (lib.attrNames tests);
  }
  ''
    [ -z "$failures" ] || { echo "$failures"; exit 1; }
    echo "$ran values are as expected"
    touch "$out"
  ''
