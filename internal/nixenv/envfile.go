package nixenv

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"cachekey/internal/dotsame"
)

// MaxEnvironment is the greatest size of an environment file, in bytes; a real one
// has some 20 KB.
const MaxEnvironment = 1 << 20

const maxVariables = 4096

// ofResolution is the entry of an environment file that says which resolution
// it was made of; a task does not see it. The existing same writes none.
const ofResolution = "SAME_RESOLUTION"

// pinnedPrefix begins the value of ofResolution where `same env` wrote the file.
const pinnedPrefix = "packages:"

// EnvironmentID names the environment of a set of tools (alias → spec): the
// SHA-256 of "alias:spec;" for each, sorted by alias.
func EnvironmentID(tools map[string]string) string {
	h := sha256.New()
	for _, alias := range slices.Sorted(maps.Keys(tools)) {
		h.Write([]byte(alias + ":" + tools[alias] + ";"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// EnvironmentPath is where the environment of a set of tools is remembered,
// relative to the workspace root.
func EnvironmentPath(tools map[string]string) string {
	return path.Join(dotsame.Environments, EnvironmentID(tools)+".json")
}

// An Environment is what an environment file says: a JSON list of "KEY=VALUE",
// sorted.
type Environment struct {
	Variables  []string // "KEY=VALUE", sorted by KEY, without what belongs to the shell that they were taken from
	System     string   // Nix's; "" if the file does not say
	Path       []string // the entries of PATH, all of them in /nix/store
	resolution string   // value of ofResolution
}

// ParseEnvironment reads an environment file. It is executed, in effect, and may
// have come with a restored cache: so it is refused if it has anything that Nix
// would not have put there.
func ParseEnvironment(data []byte) (*Environment, error) {
	var entries []string
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("not a list of strings: %w", err)
	}
	return newEnvironment(entries)
}

func newEnvironment(entries []string) (*Environment, error) {
	if len(entries) > maxVariables {
		return nil, fmt.Errorf("%d variables, which no shell has", len(entries))
	}
	e := &Environment{Variables: make([]string, 0, len(entries))}
	seen := make(map[string]bool, len(entries))
	for _, entry := range entries {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || !variable.MatchString(name) {
			return nil, fmt.Errorf("%.100q is not a variable", entry)
		}
		if seen[name] {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if shellsOwn[name] {
			continue
		}
		if err := checkVariable(name, value); err != nil {
			return nil, err
		}
		switch name {
		case ofResolution:
			e.resolution = value
			continue
		case "system":
			e.System = value
		case "PATH":
			e.Path = strings.Split(value, ":")
		}
		e.Variables = append(e.Variables, entry)
	}
	if len(e.Path) == 0 {
		return nil, errors.New("no PATH")
	}
	slices.Sort(e.Variables)
	return e, nil
}

// encode writes e in the form of the existing same.
func (e *Environment) encode() ([]byte, error) {
	entries := slices.Clone(e.Variables)
	if e.resolution != "" {
		entries = append(entries, ofResolution+"="+e.resolution)
	}
	slices.Sort(entries)
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	err := w.Encode(entries)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// pinned gives the digest of the packages that `same env` wrote e for, or "".
func (e *Environment) pinned() string {
	d, ok := strings.CutPrefix(e.resolution, pinnedPrefix)
	if !ok {
		return ""
	}
	return d
}

var (
	variable  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	storePath = regexp.MustCompile(`^/nix/store/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+(/[^/:]+)*$`)
)

// checkVariable refuses what would make every program of a task load or run
// something that is not of the Nix store.
func checkVariable(name, value string) error {
	if strings.ContainsAny(value, "\n\r\x00") {
		return fmt.Errorf("%s has a line break in it", name)
	}
	switch {
	case name == "PATH" || searchPaths[name]:
		for _, p := range strings.Split(value, ":") {
			if !storePath.MatchString(p) || path.Clean(p) != p {
				return fmt.Errorf("%s has %.200q in it, which is not in /nix/store", name, p)
			}
		}
	case hooks[name]:
		return fmt.Errorf("%s would run code in every program", name)
	}
	return nil
}

func set(names string) map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(names) {
		m[name] = true
	}
	return m
}

// searchPaths are where programs look for code to load.
var searchPaths = set(`LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH
	DYLD_FRAMEWORK_PATH DYLD_FALLBACK_LIBRARY_PATH GCONV_PATH GIT_EXEC_PATH
	PYTHONPATH PERL5LIB RUBYLIB NODE_PATH`)

// hooks run code wherever they are set, and no package sets them.
var hooks = set(`BASH_ENV ENV PROMPT_COMMAND PERL5OPT PERL5DB PYTHONSTARTUP PYTHONHOME RUBYOPT NODE_OPTIONS
	JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS GOFLAGS MAKEFLAGS GNUMAKEFLAGS RUSTC_WRAPPER
	GIT_SSH GIT_SSH_COMMAND GIT_EXTERNAL_DIFF GIT_ASKPASS SSH_ASKPASS`)

// shellsOwn belong to the shell that an environment was taken from and not to
// its tools: what `nix develop` drops (ignoreVars in Nix's src/nix/develop.cc),
// what bash sets itself, the place of the build, and the scripts of the builder.
var shellsOwn = set(`BASHOPTS HOME NIX_BUILD_TOP NIX_ENFORCE_PURITY NIX_LOG_FD NIX_REMOTE PPID SHELL
	SHELLOPTS SSL_CERT_FILE TEMP TEMPDIR TERM TMP TMPDIR TZ UID
	BASH BASHPID BASH_VERSION COLUMNS DIRSTACK EUID HOSTNAME HOSTTYPE IFS LINENO LINES MACHTYPE
	OPTERR OPTIND OSTYPE PS1 PS2 PS4 SHLVL _
	LOGNAME NIX_BUILD_CORES OLDPWD PWD USER
	buildCommand buildPhase phases shellHook`)
