# The two passes fail where they must: each twin of a sound runner or key breaks
# one promise, and the passes say which.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  workspaces = import ./workspaces.nix { inherit self pkgs; };
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) cachekey same;

  # A program of that name that runs text in place of the sound one.
  twin =
    name: text:
    pkgs.writeShellApplication {
      inherit name text;
      runtimeEnv.SOUND = lib.getExe (if name == "same" then same else cachekey);
    };
  runner = text: { ciCache.same.package = twin "same" text; };
  key = text: { ciCache.package = twin "cachekey" text; };

  fails =
    name:
    {
      module,
      edit ? "",
      restored ? "exact",
      says,
    }:
    pkgs.runCommand "two-pass-catches-${name}"
      {
        env = {
          TWO_PASS_EDIT = edit;
          TWO_PASS_RESTORED = restored;
        };
      }
      ''
        export HOME=$TMPDIR
        if ${(workspaces.shell module).twoPass.program} >log 2>&1; then
          cat log
          echo "the two passes took ${name} for sound" >&2
          exit 1
        fi
        grep -F ${lib.escapeShellArg says} log || { cat log; exit 1; }
        touch "$out"
      '';
in
lib.mapAttrs' (name: twin: lib.nameValuePair "two-pass-catches-${name}" (fails name twin)) {
  runner-that-never-skips = {
    module = runner ''
      if [ "$1" = run ]; then shift; set -- run --no-cache "$@"; fi
      exec "$SOUND" "$@"
    '';
    says = "these tasks ran:";
  };
  runner-that-claims-to-have-skipped = {
    module = runner ''
      if [ "$1" = run ] && [ -e .same/store ]; then
        for task in check count everything odd query words; do echo "[$task] Skipped (Cached)"; done
      else
        exec "$SOUND" "$@"
      fi
    '';
    says = "the second pass's files are not the first's";
  };
  runner-that-never-works = {
    module = runner ''
      if [ "$1" = run ]; then
        for task in check count everything odd query words; do echo "[$task] Skipped (Cached)"; done
      else
        exec "$SOUND" "$@"
      fi
    '';
    says = "a first pass has nothing to skip";
  };
  runner-that-forgets-a-task = {
    module = runner ''
      "$SOUND" "$@" | if [ -e "$HOME/second" ]; then sed '/^\[odd\]/d'; else cat; fi
      if [ "$1" = run ]; then touch "$HOME/second"; fi
    '';
    says = "not every task of the first pass";
  };
  key-that-ignores-the-lock = {
    module.ciCache.locks = [ "flake.nix" ];
    edit = "sed -i s/1782918843/1782918844/ flake.lock";
    restored = "none";
    says = "the second pass restored: prefix; expected: none";
  };
  key-that-changes-from-pass-to-pass = {
    module = key ''
      case ''${1-} in
      key) exec "$SOUND" "$@" --prefix "p$RANDOM$RANDOM" ;;
      *) exec "$SOUND" "$@" ;;
      esac
    '';
    says = "the second pass restored: none; expected: exact";
  };
}
