# An option that is built into a program has the effect of its flag, and a user's flag
# replaces it.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) cachekey;
  src = ./fixtures/shell;
  eval =
    ciCache:
    (self.lib.evalModule pkgs {
      ciCache = {
        inherit src;
      }
      // ciCache;
    }).config.ciCache;
  program = options: (eval options).app.program;

  everything = program {
    prefix = "web";
    locks = [
      "flake.lock"
      "*.nix"
    ];
    taskFiles = [ "odd.*" ];
    extra = {
      job = "a b";
      os = "x";
    };
  };

  # A runner that shows how it was called.
  runner = pkgs.writeShellApplication {
    name = "runner";
    text = ''echo "$* with WORD=''${WORD-}" > ran'';
  };
  withEnv =
    (eval {
      tasks = [ "words" ];
      check.env.WORD = "a word";
      same.package = runner;
    }).twoPass.program;
in
pkgs.runCommand "options" { nativeBuildInputs = [ cachekey ]; } ''
  same() {
    [ "$1" = "$2" ] || { echo "$1"; echo "is not $2"; exit 1; }
  }
  cp -r ${src} "$TMPDIR/workspace"
  chmod -R u+w "$TMPDIR/workspace"
  cd "$TMPDIR/workspace"
  same "$(${program { }})" "$(cachekey)"
  same "$(${program { prefix = "web"; }})" "$(cachekey --prefix web)"
  same "$(${program { locks = [ "*.lock" ]; }})" "$(cachekey --lock '*.lock')"
  same "$(${program { taskFiles = [ "odd.*" ]; }})" "$(cachekey --task-file 'odd.*')"
  same "$(${program { extra.job = "a b"; }})" "$(cachekey --extra 'job=a b')"
  same "$(${everything})" "$(cachekey --prefix web --lock flake.lock --lock '*.nix' \
    --task-file 'odd.*' --extra 'job=a b' --extra os=x)"
  same "$(${everything} explain --json)" "$(cachekey explain --json --prefix web --lock flake.lock --lock '*.nix' \
    --task-file 'odd.*' --extra 'job=a b' --extra os=x)"
  same "$(${everything} --prefix mine --lock flake.nix --task-file query.json --extra x=y)" \
    "$(cachekey --prefix mine --lock flake.nix --task-file query.json --extra x=y)"
  same "$(${everything} nar-hash)" "$(cachekey nar-hash)"

  export HOME=$TMPDIR
  ${withEnv} first "$TMPDIR/state"
  grep -F 'run --ci --pass-env WORD words with WORD=a word' "$TMPDIR"/*/first/ran
  touch "$out"
''
