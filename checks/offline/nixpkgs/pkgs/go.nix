# buildGoModule: dependencies vendored by a build whose result is known by its
# hash, then a build of the named packages without any network.
{ lib, pkgs }:
{
  buildGoModule =
    {
      pname,
      version,
      src,
      vendorHash,
      overrideModAttrs ? (_: { }),
      subPackages,
      ldflags ? [ ],
      env ? { },
      meta ? { },
      ...
    }@args:
    let
      inherit (pkgs) go;
      goModules =
        (pkgs.stdenv.mkDerivation {
          name = "${pname}-${version}-go-modules";
          inherit src;
          nativeBuildInputs = [
            go
            pkgs.git
          ];
          env = goEnv;
          configurePhase = "export GOCACHE=$TMPDIR/go-cache GOPATH=$TMPDIR/go";
          buildPhase = "go mod vendor";
          installPhase = "cp -r vendor $out";
          impureEnvVars = [
            "GOPROXY"
            "http_proxy"
            "https_proxy"
            "no_proxy"
          ];
          outputHashMode = "recursive";
          outputHash = vendorHash;
        }).overrideAttrs
          overrideModAttrs;
      goEnv = {
        GO111MODULE = "on";
        GOTOOLCHAIN = "local";
        inherit (pkgs.stdenv.hostPlatform.go) GOOS GOARCH;
      };
    in
    pkgs.stdenv.mkDerivation (
      removeAttrs args [
        "ldflags"
        "overrideModAttrs"
        "subPackages"
        "vendorHash"
      ]
      // {
        nativeBuildInputs = [ go ] ++ args.nativeBuildInputs or [ ];
        env =
          goEnv
          // {
            CGO_ENABLED = "0";
            GOFLAGS = "-mod=vendor -trimpath";
            GOPROXY = "off";
          }
          // env;
        configurePhase = ''
          export GOCACHE=$TMPDIR/go-cache GOPATH=$TMPDIR/go
          cp -r ${goModules} vendor
          chmod -R u+w vendor
        '';
        buildPhase =
          args.buildPhase or ''
            go install -p "$NIX_BUILD_CORES" -ldflags=${lib.escapeShellArg "-buildid= ${toString ldflags}"} ${
              toString (map (p: "./${p}") subPackages)
            }
          '';
        installPhase =
          args.installPhase or ''
            mkdir -p "$out"
            cp -r "$GOPATH/bin" "$out"
            runHook postInstall
          '';
        # A program that names the Go tree has not been built with -trimpath.
        disallowedReferences = [
          go
          go.tree
        ];
        passthru = {
          inherit go goModules vendorHash;
        };
        meta = {
          platforms = [
            "x86_64-linux"
            "aarch64-linux"
            "aarch64-darwin"
          ];
        }
        // meta;
      }
    );
}
