# The flake checks: one attribute for each promise. offline/run.sh checks what cannot
# be checked in a sandbox (a wrong hash is refused, texts of errors, entering a shell).
{ self, pkgs }:
let
  inherit (pkgs) lib;
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) cachekey same;
  call = path: import path { inherit self pkgs; };
  run =
    name: inputs: text:
    pkgs.runCommand name { nativeBuildInputs = inputs; } "${text}\ntouch $out";
in
{
  inherit cachekey same;
  go-tests = call ./go-tests.nix;
  formatting = call ./formatting.nix;

  # cachekey computes the same hash as Nix, of this flake's own tree and of the
  # vendored dependencies.
  nar-hash = run "nar-hash" [ cachekey ] ''
    computed=$(cachekey nar-hash ${self})
    [ "$computed" = ${self.narHash} ] || { echo "$computed is not ${self.narHash}"; exit 1; }
  '';
  vendor-hash = run "vendor-hash" [ cachekey ] ''
    computed=$(cachekey nar-hash ${cachekey.goModules})
    [ "$computed" = ${cachekey.vendorHash} ] ||
      { echo "vendorHash is ${cachekey.vendorHash}, and should be $computed: run nix/update-vendor-hash"; exit 1; }
  '';

  completions = call ./completions.nix;

  options-page = run "options-page" [ pkgs.diffutils ] ''
    diff ${../docs/options.md} ${pkgs.writeText "options.md" (self.lib.optionsDoc lib)} ||
      { echo "docs/options.md is not up to date: run nix run .#update-options"; exit 1; }
  '';
  pages = call ./pages.nix;
  module = call ./module.nix;
  options = call ./options.nix;
  shell-hook = call ./shell-hook.nix;
  template = call ./template.nix;
}
// call ./two-pass.nix
// call ./two-pass-twins.nix
