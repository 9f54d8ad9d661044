# Both programs, from one build. Each is an output of its own, so that one can be
# installed without the other.
{
  lib,
  buildGoModule,
}:
let
  inherit (lib.fileset) fileFilter toSource unions;
  version = "0.1.0";
in
buildGoModule {
  pname = "cachekey";
  inherit version;

  # Only what is compiled, so that no other change rebuilds the package.
  src = toSource {
    root = ../.;
    fileset = unions [
      ../go.mod
      ../go.sum
      (fileFilter (file: file.hasExt "go" && !lib.hasSuffix "_test.go" file.name) ../internal)
      (fileFilter (file: file.hasExt "go" && !lib.hasSuffix "_test.go" file.name) ../tools)
      ../docs/reference
    ];
  };

  # The hash of the output of `go mod vendor`, which includes the dependencies of the
  # tests. nix/update-vendor-hash computes it.
  vendorHash = "sha256-FgUdCVoqFlQBk8THw4nr5IZPIOuxada/48BajRSp8nc=";
  overrideModAttrs = _: {
    src = toSource {
      root = ../.;
      fileset = fileFilter (
        file: file.hasExt "go" || file.name == "go.mod" || file.name == "go.sum"
      ) ../.;
    };
  };

  subPackages = [
    "tools/cachekey"
    "tools/same"
  ];
  env.CGO_ENABLED = "0";
  ldflags = [
    "-s"
    "-w"
    "-X cachekey/internal/cli.version=${version}"
  ];
  doCheck = false; # checks/go-tests.nix runs the tests

  outputs = [
    "out"
    "same"
  ];
  postInstall = ''
    mkdir -p "$same/bin"
    mv "$out/bin/same" "$same/bin/"
    # Completions and man pages, written by a build for the machine that builds.
    GOOS= GOARCH= go run -tags docs ./tools/cachekey share "$out/share"
    GOOS= GOARCH= go run -tags docs ./tools/same share "$same/share"
  '';

  meta = {
    description = "Computes the cache key of a checkout for CI, and verifies restored caches";
    license = lib.licenses.mit;
    mainProgram = "cachekey";
  };
}
