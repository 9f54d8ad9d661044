# The module `ciCache`: what a flake says of its workspace, and what cachekey makes
# of it. Evaluated by `lib.evalModule` (lib.nix) in a plain flake and under
# `perSystem` (flake-module.nix) in one with flake-parts.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) literalExpression mkOption types;
  named = import ./types.nix lib;
  cfg = config.ciCache;
  call = path: import path { inherit lib pkgs cfg; };
  readOnly =
    type: description:
    mkOption {
      inherit type description;
      readOnly = true;
    };
in
{
  options.ciCache = {
    package = mkOption {
      type = types.package;
      defaultText = literalExpression "cachekey.packages.\${system}.cachekey";
      description = "The `cachekey` to use, as it is before your options are built into it.";
    };

    same.package = mkOption {
      type = types.package;
      defaultText = literalExpression "cachekey.packages.\${system}.same";
      description = ''
        The runner. Any program will do that takes `run --ci TASK…` and prints one line
        `[task] Skipped (Cached)` for a task that it skips.
      '';
    };

    src = mkOption {
      type = types.path;
      example = literalExpression "./.";
      description = ''
        The workspace's source: the directory of its flake.nix. The checks build it and
        `environments` reads its manifests. Under flake-parts it is `self` unless you say otherwise;
        elsewhere it must be said.
      '';
    };

    prefix = mkOption {
      type = named.prefix;
      default = "same";
      example = "web-2";
      description = "How every key begins. Change it to leave all that is cached behind.";
    };

    locks = mkOption {
      type = types.listOf named.glob;
      default = [ ];
      example = [
        "flake.lock"
        "**/go.sum"
      ];
      description = ''
        Which files name the toolchain and the dependencies: the ingredient `locks`. They replace
        the files that `cachekey` takes when the list is empty.
      '';
    };

    taskFiles = mkOption {
      type = types.listOf named.glob;
      default = [ ];
      example = [ "**/same.yaml" ];
      description = ''
        Which files describe the tasks: the ingredient `tasks`. They replace the files that
        `cachekey` takes when the list is empty.
      '';
    };

    extra = mkOption {
      type = named.variables;
      default = { };
      example = {
        job = "unit";
      };
      description = ''
        What else sets keys apart, for a matrix and for jobs that run different tasks. No
        restore key crosses it.
      '';
    };

    tasks = mkOption {
      type = types.listOf named.task;
      default = [ ];
      example = [ "all" ];
      description = ''
        What the two-pass check runs: first from nothing, then from what the first pass left for
        the cache, and the second pass must skip every task. None: there is no such check.
      '';
    };

    environments = mkOption {
      type = types.attrsOf types.package;
      default = { };
      example = literalExpression "{ go = pkgs.go; }";
      description = ''
        The package for each tool alias of the manifests, so that the runner need not look the tool
        up over the network: entering the devShell puts the environment of every tool set
        that these make up into `.same/cache/environments`. An alias that no manifest declares is an error.
      '';
    };

    check = {
      enable = mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = ''
          Whether `nix flake check` runs the checks. Switch them off where tasks need the
          network, which a check has not, and run `twoPass` instead.
        '';
      };
      packages = mkOption {
        type = types.listOf types.package;
        default = [ ];
        example = literalExpression "[ pkgs.go ]";
        description = "What tasks without tools of their own find on PATH in the two-pass check.";
      };
      env = mkOption {
        type = named.variables;
        default = { };
        example = {
          GOFLAGS = "-mod=vendor";
        };
        description = "Variables that the two-pass check sets, and that the runner passes on to tasks (`--pass-env`).";
      };
    };

    exportKey = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether entering the devShell sets `CACHEKEY` to the key as it is then.";
    };

    app = readOnly types.raw "An app for your flake's `apps`: `cachekey` with these options built in.";
    twoPass = readOnly types.raw "An app that does what the two-pass check does, outside the sandbox: for tasks that need the network.";
    shellHook = readOnly types.str "Bash for the `shellHook` of your own devShell.";
    devShell = readOnly types.package "A devShell to take into yours: `inputsFrom = [ config.ciCache.devShell ]`.";
    checks = readOnly (types.lazyAttrsOf types.package) "Checks for your flake's `checks`. Under flake-parts they are there already.";
  };

  config.ciCache = {
    app = {
      type = "app";
      program = lib.getExe (call ./key-app.nix);
      meta.description = "Print the key under which CI caches this workspace";
    };
    twoPass = {
      type = "app";
      program = lib.getExe (call ./two-pass.nix);
      meta.description = "Build this workspace twice and see that the second time is all from the cache";
    };
    shellHook = call ./shell-hook.nix;
    devShell = pkgs.mkShellNoCC {
      packages = [
        (call ./key-app.nix)
        cfg.same.package
      ];
      inherit (cfg) shellHook;
    };
    checks = call ./module-checks.nix;
  };
}
