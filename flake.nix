{
  description = "Cache keys and a cache-proof runner for `same` workspaces built with Nix on CI";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";

  outputs = { self, nixpkgs }: { };
}
