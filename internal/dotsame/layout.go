// Package dotsame owns the directory .same: the path of everything in it, the
// formats of its files, and the lock that guards it. No other package spells a path
// below .same.
package dotsame

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"cachekey/internal/digest"
)

// Paths, slash-separated and relative to the workspace root.
const (
	Name      = ".same"
	GitIgnore = Name + "/.gitignore" // makes git ignore all of .same
	Daemon    = Name + "/daemon"     // of upstream same; never carried
	DebugLog  = Name + "/debug.log"  // of upstream same; never carried
)

// Paths that are carried from one CI job to the next.
const (
	Store           = Name + "/store"                     // build infos: <SHA-256 of the task's name>.json
	Results         = Store + "/results"                  // results of tasks: <first two digits>/<input hash>.json
	Failed          = Store + "/failed"                   // failures of tasks: <first two digits>/<input hash>
	Blobs           = Store + "/blobs"                    // contents of outputs: <first two digits>/<digest>
	Cache           = Name + "/cache"                     // resolutions and environments of tools
	Environments    = Cache + "/environments"             // <environment id>.json
	OldEnvironments = Environments + "/" + "environments" // where old versions of upstream same have them
	Nixhub          = Cache + "/nixhub"                   // resolutions: <SHA-256 of name@version>.json
	Derivations     = Cache + "/derivations.json"         // of packages of the workspace's own flake
	Seal            = Name + "/seal.json"                 // what cachekey verify checks the others against
)

// Paths that belong to this machine, and are never carried.
const (
	Local            = Name + "/local"
	Temp             = Local + "/tmp"              // files that are being written, until they are renamed
	RunLock          = Local + "/lock"             // held by the one run at a time
	StatCache        = Local + "/stat"             // digests of the inputs, by their stamps: see internal/files
	ProgramCache     = Local + "/programs"         // the same of programs outside the workspace
	ProvenBlobs      = Local + "/blobs"            // stamps of blobs that were hashed here: see Proofs
	Leftovers        = Local + "/leftovers"        // outputs of failed runs: <SHA-256 of the task's name>.json
	Aside            = Local + "/aside"            // files that runs moved out of the way: <time>/<path>
	Profiles         = Local + "/environments"     // <environment id>: profile and expression, which keep Nix from collecting it
	LocalDerivations = Local + "/derivations.json" // the same for the last trees
	GCRoots          = Local + "/gcroots"          // <environment id>/root*: the same for restored environments
	Collected        = Local + "/gc"               // empty; its modification time is that of the last gc that a run began
	Restored         = Local + "/restored.json"    // the verdict of the last cachekey verify
	refusedPrefix    = Local + "/refused-"         // directories that could not be removed: see Remover
)

// Carried lists the paths that are carried, as `cachekey key` prints them. Caches
// compare this list: if it changes, every lookup is a miss.
var Carried = []string{Store, Cache, Seal}

// Rel returns one of these paths relative to .same.
func Rel(p string) string { return strings.TrimPrefix(p, Name+"/") }

// EnvironmentID returns the name of the environment of a set of tools (alias →
// spec): the SHA-256 of "alias:spec;" for each, sorted by alias.
func EnvironmentID(tools map[string]string) string {
	h := sha256.New()
	for _, alias := range slices.Sorted(maps.Keys(tools)) {
		h.Write([]byte(alias + ":" + tools[alias] + ";"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// EnvironmentPath returns the path of the environment of a set of tools.
func EnvironmentPath(tools map[string]string) string {
	return path.Join(Environments, EnvironmentID(tools)+".json")
}

// NixhubPath returns the path of Nixhub's answer for one version of a package.
func NixhubPath(name, version string) string {
	return path.Join(Nixhub, hashed(name+"@"+version))
}

// InfoName returns the file name of the task's build info.
func InfoName(task string) string { return hashed(task) }

// hashed returns a file name for any string.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:]) + ".json"
}

// InfoPath returns the path of the task's build info.
func InfoPath(task string) string { return path.Join(Store, InfoName(task)) }

// LeftoverPath returns the path of the list of files that the task's last run left at
// its targets, if its result was not stored.
func LeftoverPath(task string) string { return path.Join(Leftovers, InfoName(task)) }

// BlobPath returns the path of the blob with this digest.
func BlobPath(d digest.Digest) string { return sharded(Blobs, d) }

// ResultPath returns the path of the result of a task with this input hash.
func ResultPath(inputs digest.Digest) string { return sharded(Results, inputs) + ".json" }

// FailedPath returns the path that exists if a task with this input hash has failed, and
// has not succeeded since.
func FailedPath(inputs digest.Digest) string { return sharded(Failed, inputs) }

func sharded(dir string, d digest.Digest) string {
	name := d.String()
	return path.Join(dir, name[:2], name)
}

// CheckPath returns an error unless p can be the path of a file of the workspace:
// slash-separated, relative to the root, in its shortest form, and neither in a
// .git nor in a .same, where git or same would execute or trust a file.
func CheckPath(p string) error {
	switch {
	case p == "" || strings.Contains(p, "\x00"):
		return fmt.Errorf("invalid path %.100q", p)
	case len(p) > 4095:
		return fmt.Errorf("path %.100q… has %d bytes, more than 4095", p, len(p))
	case !utf8.ValidString(p):
		return fmt.Errorf("path %.100q is not valid UTF-8", p)
	}
	for part := range strings.SplitSeq(p, "/") {
		switch {
		case part == "" || part == "." || part == ".." || len(part) > 255:
			return fmt.Errorf("path %.100q does not stay in the workspace", p)
		case Private(part):
			return fmt.Errorf("path %.100q is in %s", p, part)
		}
	}
	return nil
}

// Private reports whether a file or directory of this name belongs to git or to
// same, and is never an input or an output. It ignores case, as some file systems
// do.
func Private(name string) bool {
	return strings.EqualFold(name, ".git") || strings.EqualFold(name, Name)
}
