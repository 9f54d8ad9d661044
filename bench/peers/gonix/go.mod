// A module of its own: the product takes no NAR writer from elsewhere.
module cachekey/bench/peers/gonix

go 1.25.0

require github.com/nix-community/go-nix v0.0.0-20250101154619-4bdde671e0a1
