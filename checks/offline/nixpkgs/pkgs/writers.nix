# The trivial builders: a command, a text file, a script.
{ lib, pkgs }:
let
  runCommand =
    name: args: buildCommand:
    pkgs.stdenv.mkDerivation (
      args
      // {
        inherit name buildCommand;
        passAsFile = [ "buildCommand" ] ++ args.passAsFile or [ ];
      }
    );
  writeTextFile =
    {
      name,
      text,
      executable ? false,
      destination ? "",
      checkPhase ? "",
      meta ? { },
    }:
    runCommand name
      {
        inherit text meta;
        passAsFile = [ "text" ];
        preferLocalBuild = true;
        allowSubstitutes = false;
      }
      ''
        target=$out${destination}
        mkdir -p "$(dirname "$target")"
        cp "$textPath" "$target"
        ${lib.optionalString executable ''chmod +x "$target"''}
        ${checkPhase}
      '';
in
{
  inherit runCommand;
  writeText = name: text: writeTextFile { inherit name text; };

  # Evaluates, and fails when it is built: there is no nixfmt to stand in.
  nixfmt = runCommand "nixfmt" { meta.mainProgram = "nixfmt"; } ''
    echo "the stand-in for nixpkgs has no nixfmt" >&2
    exit 1
  '';

  writeShellApplication =
    {
      name,
      text,
      runtimeInputs ? [ ],
      runtimeEnv ? { },
      meta ? { },
    }:
    writeTextFile {
      inherit name;
      executable = true;
      destination = "/bin/${name}";
      checkPhase = ''bash -n "$target"'';
      meta = {
        mainProgram = name;
      }
      // meta;
      text = ''
        #!${pkgs.runtimeShell}
        set -o errexit
        set -o nounset
        set -o pipefail
        ${lib.concatStringsSep "\n" (
          lib.mapAttrsToList (variable: value: "export ${variable}=${lib.escapeShellArg value}") runtimeEnv
        )}
        ${lib.optionalString (
          runtimeInputs != [ ]
        ) ''export PATH="${lib.makeBinPath runtimeInputs}:$PATH"''}

        ${text}
      '';
    };
}
