// Package dotsame knows the directory .same: where everything in it lies, what
// it looks like, and what of it travels from one CI run to the next.
package dotsame

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path"
	"slices"
)

// Everything below .same, slash-separated and relative to the workspace root.
const (
	Name            = ".same"
	Store           = ".same/store"              // carried: build infos <sha256hex(task)>.json
	Blobs           = ".same/store/blobs"        // carried: output contents, ab/<blake3hex>
	Cache           = ".same/cache"              // carried
	Environments    = ".same/cache/environments" // carried: <environment id>.json
	OldEnvironments = ".same/cache/environments/environments"
	Nixhub          = ".same/cache/nixhub" // carried: <sha256hex(name@version)>.json
	Seal            = ".same/seal.json"    // carried: what `cachekey verify` checks
	Local           = ".same/local"        // this machine's own, never carried
	Temp            = ".same/local/tmp"    // files on their way to where they belong
	RunLock         = ".same/local/lock"   // held by the one run at a time
	StatCache       = ".same/local/stat"   // what internal/files need not read again
	GitIgnore       = ".same/.gitignore"   // has git leave all of it alone
	Daemon          = ".same/daemon"       // the existing same's, never carried
	DebugLog        = ".same/debug.log"    // the existing same's, never carried
)

// Carried lists what travels, in the order in which `cachekey key` prints it as
// paths. A change of this list is a miss for everyone: caches compare it.
var Carried = []string{Store, Cache, Seal}

// EnvironmentID names the environment of a set of tools (alias → spec): the
// SHA-256 of "alias:spec;" for each, sorted by alias.
func EnvironmentID(tools map[string]string) string {
	h := sha256.New()
	for _, alias := range slices.Sorted(maps.Keys(tools)) {
		h.Write([]byte(alias + ":" + tools[alias] + ";"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// EnvironmentPath returns the path of the environment file for a set of tools,
// relative to the workspace root.
func EnvironmentPath(tools map[string]string) string {
	return path.Join(Environments, EnvironmentID(tools)+".json")
}

// NixhubPath returns the path of the file that caches what Nixhub answered for
// one version of a package, relative to the workspace root.
func NixhubPath(name, version string) string {
	sum := sha256.Sum256([]byte(name + "@" + version))
	return path.Join(Nixhub, hex.EncodeToString(sum[:])+".json")
}
