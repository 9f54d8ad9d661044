# The Go tests, in the sandbox. Comparisons with Nix itself skip themselves here, and
# the tests skipped below make set-id files or fill a disk, which the sandbox does not
# allow. ./test runs all of them.
{ self, pkgs }:
let
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) cachekey;
in
cachekey.overrideAttrs (old: {
  pname = "cachekey-go-tests";
  src = self;
  outputs = [ "out" ];
  nativeBuildInputs = old.nativeBuildInputs ++ [
    pkgs.bashInteractive # the other one has no completion
    pkgs.git
    pkgs.jq
  ];
  buildPhase = ''
    export HOME=$TMPDIR
    GOFLAGS=''${GOFLAGS//-trimpath/} go test -p "$NIX_BUILD_CORES" \
      -skip 'TestHostileCaches/set-id|TestMakeLeavesOut|TestOpenReportsTheKind|TestUnwritableStore/full_disk' \
      ./internal/... ./tools/...
  '';
  installPhase = "touch $out";
})
