# A second pass does what has changed and nothing else, case by case. The fixture
# workspaces' tasks say in their manifests what they read and make.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  workspaces = import ./workspaces.nix { inherit self pkgs; };

  passes =
    name: workspace: cases:
    let
      inherit (workspace.twoPass) program;
      # Its home travels too, for the Go build cache in it: the tasks that run again
      # need not compile Go's own packages again.
      first = pkgs.runCommand "two-pass-${name}" { } ''
        export HOME=$TMPDIR/home
        mkdir "$HOME"
        ${program} first "$out"
        cp -r "$HOME" "$out/home"
      '';
      second =
        case:
        {
          edit ? "",
          damage ? "",
          again ? "",
          restored ? "exact",
          ran ? [ ],
        }:
        lib.nameValuePair "two-pass-${name}-${case}" (
          pkgs.runCommand "two-pass-${name}-${case}"
            {
              env = {
                TWO_PASS_EDIT = edit;
                TWO_PASS_DAMAGE = damage;
                TWO_PASS_AGAIN = again;
                TWO_PASS_RESTORED = restored;
                TWO_PASS_RAN = lib.concatStringsSep "\n" ran;
              };
            }
            ''
              export HOME=$TMPDIR/home
              cp -r ${first}/home "$HOME"
              chmod -R u+w "$HOME"
              ${program} second ${first}
              touch "$out"
            ''
        );
    in
    lib.mapAttrs' second cases;

  allOf = {
    go = [
      "app:build"
      "greet:generate"
      "greet:test"
    ];
    shell = [
      "check"
      "count"
      "everything"
      "odd"
      "query"
      "words"
    ];
  };
  entryOf = task: ".same/store/${builtins.hashString "sha256" task}.json";
  # A file of the same content, made in another order and at another time.
  reorder = ''
    find . -type f | sort -r | while read -r file; do
      cp -p "$file" "$work/moved"
      rm "$file"
      cp "$work/moved" "$file"
      touch -d 2001-02-03 "$file"
    done
  '';
in
passes "go" workspaces.go {
  nothing-changed = { };
  source-changed = {
    edit = "echo '// changed' >> app/main.go";
    restored = "prefix";
    ran = [ "app:build" ];
  };
  source-of-all-changed = {
    edit = "echo howdy >> greet/words.txt";
    restored = "prefix";
    ran = allOf.go;
  };
  manifest-changed = {
    edit = ''sed -i 's/"-vet=off"/"-vet=off", "-count=1"/' greet/same.yaml'';
    restored = "prefix";
    ran = [ "greet:test" ];
  };
  lock-changed = {
    edit = "sed -i s/1782918843/1782918844/ flake.lock";
    restored = "none";
    ran = allOf.go;
  };
}
// passes "shell" (workspaces.shell { }) {
  nothing-changed = { };
  files-in-another-order = {
    edit = reorder;
  };
  source-changed = {
    edit = "echo whether tis nobler >> notes/b.txt";
    restored = "prefix";
    ran = lib.filter (task: task != "odd") allOf.shell;
  };
  lock-changed = {
    edit = "sed -i s/1782918843/1782918844/ flake.lock";
    restored = "none";
    ran = allOf.shell;
  };
  target-deleted = {
    again = "rm -r out/odd out/answer.json 'out/run me'";
  };
  target-changed = {
    again = "echo changed > out/count.txt";
  };
  entry-truncated = {
    damage = "truncate -s 20 ${entryOf "odd"}";
    ran = [ "odd" ];
  };
  entry-tampered-with = {
    damage = "sed -i 's/[0-9a-f]/0/g' ${entryOf "words"}";
    ran = [ "words" ];
  };
  seal-missing = {
    damage = "rm .same/seal.json";
    ran = allOf.shell;
  };
}
