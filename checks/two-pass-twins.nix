# The two passes fail where they must: each twin of a correct runner or key breaks
# one promise, and the error names it.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  workspaces = import ./workspaces.nix { inherit self pkgs; };
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) cachekey same;

  # A program called name that runs text; SOUND is the real one.
  twin =
    name: text:
    pkgs.writeShellApplication {
      inherit name text;
      runtimeEnv.SOUND = lib.getExe (if name == "same" then same else cachekey);
    };
  runner = text: { ciCache.same.package = twin "same" text; };
  # What a run prints that skips every task.
  claims = ''
    for task in check count everything odd query words; do echo "[$task] Skipped (Cached)"; done
    echo "0 ran, 6 cached; took 0.0s, saved 0.1s"
  '';
  key = text: { ciCache.package = twin "cachekey" text; };

  fails =
    name:
    {
      module,
      case ? { },
      says,
    }:
    pkgs.runCommand "two-pass-catches-${name}" { } ''
      export HOME=$TMPDIR
      if ${(workspaces.shell module).twoPass.program} both ${workspaces.case name case} >log 2>&1; then
        cat log
        echo "the two passes did not notice: ${name}" >&2
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
        ${claims}
      else
        exec "$SOUND" "$@"
      fi
    '';
    says = "the second pass's files are not the first's";
  };
  runner-that-never-works = {
    module = runner ''
      if [ "$1" = run ]; then
        ${claims}
      else
        exec "$SOUND" "$@"
      fi
    '';
    says = "a first pass has nothing to skip";
  };
  runner-that-forgets-a-task = {
    module = runner ''
      "$SOUND" "$@" | if [ -e "$HOME/second" ]; then sed '/^\[odd\]/d; s/, 6 cached;/, 5 cached;/'; else cat; fi
      if [ "$1" = run ]; then touch "$HOME/second"; fi
    '';
    says = "not every task of the first pass";
  };
  key-that-ignores-the-lock = {
    module.ciCache.locks = [ "flake.nix" ];
    case = {
      edit = "sed -i s/1782918843/1782918844/ flake.lock";
      restored = "none";
    };
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
