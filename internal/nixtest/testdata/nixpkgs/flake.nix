# As much of nixpkgs as tests of environments need: a shell, and tools in it. The
# test puts a static bash into ./bash, and the name of the system into ./system.
{
  outputs =
    _:
    let
      bash = builtins.path {
        path = ./bash;
        name = "bash";
      };
      derive =
        args:
        derivation (
          {
            system = builtins.readFile ./system;
            builder = "${bash}/bin/bash"; # print-dev-env wants a builder of that name
            outputs = [ "out" ]; # and the list of outputs
            stdenv = ./stdenv;
          }
          // args
        );
    in
    {
      legacyPackages.${builtins.readFile ./system} = {
        inherit bash;
        mkShellNoCC =
          { name, packages }:
          derive {
            inherit name packages;
            args = [
              "-c"
              ":>$out"
            ];
            shellHook = "two\nlines";
            LD_PRELOAD = "/tmp/of-the-builder.so";
            OF_THE_PERSON = builtins.getEnv "SAME_TEST_PERSON"; # nixpkgs looks for overlays so
          };
        hello = builtins.path {
          path = ./hello;
          name = "hello";
        };
        nested.deep = builtins.path {
          path = ./hello;
          name = "deep";
        };
        broken = derive {
          name = "broken";
          args = [
            "-c"
            "echo this is why >&2; exit 3"
          ];
        };
        endless = derive {
          name = "endless";
          args = [
            "-c"
            "while :; do :; done"
          ];
        };
      };
    };
}
