package cli

import "runtime/debug"

// version is set at link time by builds that have no module version of their
// own, which are Nix's and a release's: -X cachekey/internal/cli.version=…
var version string

// Version gives the version of this program: the linked one, else the module's
// (go install), else the commit that it was built from, else "devel".
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value
		}
	}
	return "devel"
}
