#!/usr/bin/env bash
# Installs nothing: the harness has a Nix. Its directory of doubles goes first on PATH.
set -euo pipefail
PATH=$HARNESS_NIX_BIN:$PATH
nix --version
echo "double of cachix/install-nix-action: $(command -v nix) overrides nixpkgs with the stand-in"
printf '%s\n' "$HARNESS_NIX_BIN" >>"$GITHUB_PATH"
