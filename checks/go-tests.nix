# Every Go test, in the sandbox. Comparisons with Nix itself, which no sandbox has,
# skip themselves here; ./test runs them.
{ self, pkgs }:
let
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) cachekey;
in
cachekey.overrideAttrs (old: {
  pname = "cachekey-go-tests";
  src = self;
  outputs = [ "out" ];
  nativeBuildInputs = old.nativeBuildInputs ++ [ pkgs.git ];
  buildPhase = ''
    export HOME=$TMPDIR
    GOFLAGS=''${GOFLAGS//-trimpath/} go test -p "$NIX_BUILD_CORES" ./...
  '';
  installPhase = "touch $out";
})
