# The Go tests, in the sandbox. ./test runs more: comparisons with Nix itself, which
# no sandbox has, skip themselves here, and those below make set-id files and fill a
# disk, which Nix's sandbox refuses.
{ self, pkgs }:
let
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) cachekey;
in
cachekey.overrideAttrs (old: {
  pname = "cachekey-go-tests";
  src = self;
  outputs = [ "out" ];
  nativeBuildInputs = old.nativeBuildInputs ++ [
    pkgs.bashInteractive # the other one can't complete
    pkgs.git
    pkgs.jq
  ];
  buildPhase = ''
    export HOME=$TMPDIR
    GOFLAGS=''${GOFLAGS//-trimpath/} go test -p "$NIX_BUILD_CORES" \
      -skip 'TestHostileCaches/set-id|TestMakeLeavesOut|TestOpenSaysWhatItIs|TestNothingCanBeRemembered/full_disk|TestScripts/suspect' \
      ./internal/... ./tools/...
  '';
  installPhase = "touch $out";
})
