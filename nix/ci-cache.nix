# The module `ciCache`: a flake describes its workspace in the options, and gets an app,
# a devShell and checks. `lib.evalModule` (lib.nix) evaluates it in a plain flake, and
# flake-module.nix under `perSystem` in one with flake-parts.
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
      description = "The `cachekey` to use, without your options built in.";
    };

    same.package = mkOption {
      type = types.package;
      defaultText = literalExpression "cachekey.packages.\${system}.same";
      description = ''
        The task runner. It may be any program that accepts `run --ci TASK…` and prints what `same`
        prints: the line `[task] Skipped (Cached)` for each task that it skips, and at the end the
        counts, as in `2 ran, 1 cached; took 1.0s`.
      '';
    };

    src = mkOption {
      type = types.path;
      example = literalExpression "./.";
      description = ''
        The source of the workspace: the directory of its flake.nix. The checks build it and
        `environments` reads its manifests. Under flake-parts the default is `self`; elsewhere it
        must be set.
      '';
    };

    prefix = mkOption {
      type = named.prefix;
      default = "same";
      example = "web-2";
      description = "The first segment of every key. Change it to start with an empty cache.";
    };

    locks = mkOption {
      type = types.listOf named.glob;
      default = [ ];
      example = [
        "flake.lock"
        "**/go.sum"
      ];
      description = ''
        The files that pin the toolchain and the dependencies: the ingredient `locks`. If the list
        is empty, `cachekey` uses its default patterns.
      '';
    };

    taskFiles = mkOption {
      type = types.listOf named.glob;
      default = [ ];
      example = [ "**/same.yaml" ];
      description = ''
        The files that define the tasks: the ingredient `tasks`. If the list is empty, `cachekey`
        uses its default patterns.
      '';
    };

    extra = mkOption {
      type = named.variables;
      default = { };
      example = {
        job = "unit";
      };
      description = ''
        Names and values that become part of the key, to tell apart the jobs of a matrix and jobs
        that run different tasks. Restore keys match only entries with the same `extra`.
      '';
    };

    tasks = mkOption {
      type = types.listOf named.task;
      default = [ ];
      example = [ "all" ];
      description = ''
        The tasks that the two-pass check runs: first without a cache, then with the cache that the
        first pass left. The second pass must skip every task. If the list is empty, there is no
        such check.
      '';
    };

    environments = mkOption {
      type = types.attrsOf types.package;
      default = { };
      example = literalExpression "{ go = pkgs.go; }";
      description = ''
        The package for each tool alias of the manifests, so that the runner need not look the tool
        up over the network. For every task whose tools all have a package, entering the devShell
        writes their environment to `.same/cache/environments`. An alias that no manifest declares
        is an error.
      '';
    };

    check = {
      enable = mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = ''
          Whether `nix flake check` runs the checks. Disable them if tasks need the network, which
          a check does not have, and run `twoPass` instead.
        '';
      };
      packages = mkOption {
        type = types.listOf types.package;
        default = [ ];
        example = literalExpression "[ pkgs.go ]";
        description = "Packages on the PATH of tasks without tools of their own in the two-pass check.";
      };
      env = mkOption {
        type = named.variables;
        default = { };
        example = {
          GOFLAGS = "-mod=vendor";
        };
        description = "Variables that the two-pass check sets and the runner passes to tasks (`--pass-env`).";
      };
    };

    exportKey = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether entering the devShell sets `CACHEKEY` to the current key.";
    };

    app = readOnly types.raw "An app for your flake's `apps`: `cachekey` with these options built in.";
    twoPass = readOnly types.raw "The two-pass check as an app, outside the sandbox, for tasks that need the network.";
    shellHook = readOnly types.str "Bash for the `shellHook` of your own devShell.";
    devShell = readOnly types.package "A devShell to include in yours: `inputsFrom = [ config.ciCache.devShell ]`.";
    checks = readOnly (types.lazyAttrsOf types.package) "Checks for your flake's `checks`. Under flake-parts they are added automatically.";
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
      meta.description = "Build this workspace twice and check that every task is a hit the second time";
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
