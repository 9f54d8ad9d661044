# A second pass runs the tasks whose inputs have changed and no others, case by case.
# The manifests of the fixture workspaces say what each task reads and makes.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  workspaces = import ./workspaces.nix { inherit self pkgs; };

  passes =
    name: workspace: cases:
    let
      inherit (workspace.twoPass) program;
      # HOME is kept for the Go build cache in it, so that the tasks that run again
      # need not compile Go's own packages again.
      first = pkgs.runCommand "two-pass-${name}" { } ''
        export HOME=$TMPDIR/home
        mkdir "$HOME"
        ${program} first "$out"
        cp -r "$HOME" "$out/home"
      '';
      second =
        case:
        files:
        lib.nameValuePair "two-pass-${name}-${case}" (
          pkgs.runCommand "two-pass-${name}-${case}" { } ''
            export HOME=$TMPDIR/home
            cp -r ${first}/home "$HOME"
            chmod -R u+w "$HOME"
            ${program} second ${first} ${workspaces.case "${name}-${case}" files}
            touch "$out"
          ''
        );
    in
    lib.mapAttrs' second cases;

  # The tasks of each fixture, and the files that the shared cases change in it.
  go = {
    all = [
      "app:build"
      "greet:generate"
      "greet:test"
    ];
    source = "app/main.go";
    readers = [ "app:build" ];
    manifest = "greet/same.yaml";
    old = ''"-vet=off"'';
    new = ''"-vet=off", "-count=1"'';
    changed = [ "greet:test" ];
    task = "greet:generate";
    target = "greet/words.go";
    makers = [
      "app:build"
      "greet:generate"
    ];
  };
  shell = {
    all = [
      "check"
      "count"
      "everything"
      "odd"
      "query"
      "words"
    ];
    source = "odd.sh";
    readers = [ "odd" ]; # its output stays the same, so nothing else runs
    manifest = "same.yaml";
    old = "test -s";
    new = "test -f";
    changed = [
      "check"
      "everything"
    ];
    task = "odd";
    target = "out/odd";
    makers = [
      "count"
      "odd"
      "query"
      "words"
    ];
  };

  cases =
    fixture:
    let
      lastSuccess = ".same/store/${builtins.hashString "sha256" fixture.task}.json";
      # The other tasks still have their last successes.
      results = "${lastSuccess} $(find .same/store/results -type f)";
    in
    {
      nothing-changed = { };
      files-in-another-order.edit = ''
        find . -type f | sort -r | while read -r file; do
          cp -p "$file" "$TMPDIR/moved"
          rm "$file"
          cp "$TMPDIR/moved" "$file"
          touch -d 2001-02-03 "$file"
        done
      '';
      source-changed = {
        edit = "echo >> ${fixture.source}";
        restored = "prefix";
        ran = fixture.readers;
      };
      manifest-changed = {
        edit = "sed -i 's/${fixture.old}/${fixture.new}/' ${fixture.manifest}";
        restored = "prefix";
        ran = fixture.changed;
      };
      lock-changed = {
        edit = "sed -i s/1782918843/1782918844/ flake.lock";
        restored = "none";
        ran = fixture.all;
      };
      target-deleted.again = "rm -r ${fixture.target}";
      target-changed.again = "rm -r ${fixture.target}; echo changed > ${fixture.target}";
      result-truncated = {
        damage = "truncate -s 20 ${results}";
        ran = [ fixture.task ];
      };
      result-tampered-with = {
        damage = "sed -i 's/[0-9a-f]/0/g' ${results}";
        ran = [ fixture.task ];
      };
      # The result is found by the hash of the inputs.
      last-success-tampered-with.damage = "sed -i 's/[0-9a-f]/0/g' ${lastSuccess}";
      output-tampered-with = {
        damage = "find .same/store/blobs -type f -exec sh -c 'echo tampered > \"$1\"' - {} \\;";
        ran = fixture.makers;
      };
      # Only same notices, which hashes what it uses.
      output-of-the-same-size = {
        damage = "find .same/store/blobs -type f -exec sed -i 's/[a-z0-9]/#/g' {} +";
        ran = fixture.makers;
      };
      seal-missing = {
        damage = "rm .same/seal.json";
        ran = fixture.all;
      };
    };
in
passes "go" workspaces.go (
  cases go
  // {
    dependency-changed = {
      edit = "echo howdy >> greet/words.txt";
      restored = "prefix";
      ran = go.all;
    };
  }
)
// passes "shell" (workspaces.shell { }) (
  cases shell
  // {
    dependency-changed = {
      edit = "echo whether tis nobler >> notes/b.txt";
      restored = "prefix";
      ran = lib.filter (task: task != "odd") shell.all;
    };
  }
)
