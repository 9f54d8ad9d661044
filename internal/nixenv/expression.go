package nixenv

import (
	"fmt"
	"strings"
)

// expression gives the Nix expression of a shell that has the tools of a
// resolution as packages. A package is looked for where `nix build` looks. own is
// a locked reference to the workspace's own flake.
func (res Resolution) expression(own string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Made by same. nix print-dev-env --file takes it.
let
  system = %s;
  find = flake: path:
    let
      at = set: builtins.foldl' (found: name: if found != null && found ? ${name} then found.${name} else null) set path;
      places = map (place: if place == null then null else at place) [
        (flake.packages.${system} or null)
        (flake.legacyPackages.${system} or null)
        flake
      ];
      found = builtins.filter (package: package != null) places;
    in
    if found == [ ] then
      throw "flake '${flake.sourceInfo.outPath or "?"}' has no package '${builtins.concatStringsSep "." path}' for ${system}"
    else
      builtins.head found;
  pkgs = (builtins.getFlake %s).legacyPackages.${system};
in
(pkgs.mkShell or pkgs.mkShellNoCC) {
  name = "same-environment";
  packages = [
`, nixString(res.System), nixString(res.shell.Flake))
	for _, t := range res.Tools {
		var path []string
		for name := range strings.SplitSeq(t.Attr, ".") {
			path = append(path, nixString(name))
		}
		flake := t.Flake
		if t.own {
			flake = own
		}
		fmt.Fprintf(&b, "    (find (builtins.getFlake %s) [ %s ]) # %s\n", nixString(flake), strings.Join(path, " "), t.Alias)
	}
	b.WriteString("  ];\n}\n")
	return b.String()
}

// nixString writes s as a string of the Nix language.
func nixString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `${`, `\${`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}
