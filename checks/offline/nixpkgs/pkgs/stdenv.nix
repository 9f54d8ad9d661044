# stdenv and its mkDerivation: phases as in nixpkgs, without a C compiler.
{ lib, pkgs }:
let
  inherit (pkgs) system;
  bash = "${pkgs.bash}/bin/bash";
  initialPath = [
    pkgs.bash
    pkgs.coreutils
    pkgs.diffutils
    pkgs.findutils
    pkgs.gawk
    pkgs.gnugrep
    pkgs.gnused
    pkgs.gnutar
    pkgs.gzip
  ];
  parts = builtins.match "(.*)-(.*)" system;
  hostPlatform = {
    inherit system;
    canExecute = other: other.system == system;
    isLinux = lib.elemAt parts 1 == "linux";
    isDarwin = lib.elemAt parts 1 == "darwin";
    go = {
      GOOS = lib.elemAt parts 1;
      GOARCH = if lib.head parts == "x86_64" then "amd64" else "arm64";
    };
  };
  stdenv =
    derivation {
      name = "stdenv";
      inherit system initialPath;
      setup = ./setup.sh;
      builder = pkgs.runtimeShell;
      PATH = "${pkgs.coreutils}/bin";
      args = [
        "-c"
        ''
          mkdir "$out"
          { echo "initialPath='$initialPath' shell=${bash}"; cat "$setup"; } > "$out/setup"
        ''
      ];
      preferLocalBuild = true;
      allowSubstitutes = false;
    }
    // {
      inherit hostPlatform initialPath mkDerivation;
      buildPlatform = hostPlatform;
    };

  notEnvironment = [
    "env"
    "meta"
    "passthru"
  ];
  # A function of the final attributes, or the attributes.
  mkDerivation =
    attributesOrFunction:
    let
      build =
        f:
        let
          attributes = f final;
          plain = lib.filterAttrs (_: value: value != null) (removeAttrs attributes notEnvironment);
          env = attributes.env or { };
          clash = lib.attrNames (builtins.intersectAttrs env plain);
          drv =
            if clash != [ ] then
              throw "${final.name}: `env' and the attributes both set ${toString clash}"
            else
              derivation (
                plain
                // env
                // {
                  inherit (final) name;
                  inherit system stdenv;
                  builder = bash;
                  args = [
                    "-c"
                    "source $stdenv/setup; genericBuild"
                  ];
                }
              );
          final =
            attributes
            // attributes.passthru or { }
            // {
              name = attributes.name or "${attributes.pname}-${attributes.version}";
              passthru = attributes.passthru or { };
              meta = attributes.meta or { };
              overrideAttrs =
                change:
                build (
                  final:
                  let
                    previous = f final;
                    changed = change final;
                  in
                  previous // (if lib.isFunction changed then changed previous else change previous)
                );
            };
          common = final // {
            inherit (drv)
              all
              drvAttrs
              drvPath
              outPath
              outputName
              system
              type
              ;
            outputs = attributes.outputs or [ "out" ];
          };
        in
        common
        // lib.genAttrs common.outputs (
          output:
          common
          // {
            inherit (drv.${output}) outPath outputName;
            outputSpecified = true;
          }
        );
    in
    build (
      if lib.isFunction attributesOrFunction then attributesOrFunction else _: attributesOrFunction
    );
in
{
  inherit stdenv;

  mkShellNoCC =
    {
      packages ? [ ],
      inputsFrom ? [ ],
      shellHook ? "",
      ...
    }@args:
    mkDerivation (
      removeAttrs args [
        "inputsFrom"
        "packages"
      ]
      // {
        name = args.name or "nix-shell";
        nativeBuildInputs = packages ++ lib.concatMap (d: d.nativeBuildInputs or [ ]) inputsFrom;
        shellHook = lib.concatStringsSep "\n" (map (d: d.shellHook or "") inputsFrom ++ [ shellHook ]);
        buildCommand = "export > $out";
        preferLocalBuild = true;
      }
    );
}
