package nixenv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"cachekey/internal/disk"
)

// MaxEnvironment is the maximum size of an environment file in bytes. A real one
// has some 20 KB.
const MaxEnvironment = 1 << 20

const maxVariables = 4096

// resolutionVariable is the entry of an environment file that holds the digest of
// the resolution that the environment was made for. Tasks do not see it, and
// upstream same does not write it.
const resolutionVariable = "SAME_RESOLUTION"

// pinnedPrefix begins the value of resolutionVariable in a file that `same env`
// wrote.
const pinnedPrefix = "packages:"

// An Environment is the content of an environment file, which is a sorted JSON
// list of "KEY=VALUE".
type Environment struct {
	Variables  []string // "KEY=VALUE", sorted by KEY, without the shell's own variables
	System     string   // Nix's name of it; "" if the file has none
	Path       []string // the entries of PATH, all of them in /nix/store
	resolution string   // the value of resolutionVariable
}

// ParseEnvironment parses an environment file. The file may come from a restored
// cache, and its variables decide what a task executes. So it is refused if it
// holds anything that Nix would not have written.
func ParseEnvironment(data []byte) (*Environment, error) {
	var entries []string
	if err := disk.DecodeJSON(data, &entries); err != nil {
		return nil, fmt.Errorf("not a list of strings: %w", err)
	}
	return newEnvironment(entries)
}

func newEnvironment(entries []string) (*Environment, error) {
	if len(entries) > maxVariables {
		return nil, fmt.Errorf("%d variables, more than any shell has", len(entries))
	}
	e := &Environment{Variables: make([]string, 0, len(entries))}
	seen := make(map[string]bool, len(entries))
	for _, entry := range entries {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || !variable.MatchString(name) {
			return nil, fmt.Errorf("%.100q is not a variable", entry)
		}
		if seen[name] {
			return nil, fmt.Errorf("%s is set twice", name)
		}
		seen[name] = true
		if shellVariables[name] {
			continue
		}
		if err := checkVariable(name, value); err != nil {
			return nil, err
		}
		switch name {
		case resolutionVariable:
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

// encode returns e in the format of upstream same.
func (e *Environment) encode() ([]byte, error) {
	entries := slices.Clone(e.Variables)
	if e.resolution != "" {
		entries = append(entries, resolutionVariable+"="+e.resolution)
	}
	slices.Sort(entries)
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	err := w.Encode(entries)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// pinned returns the digest of the packages that `same env` wrote e for, or "".
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

// checkVariable refuses a variable that would make every program of a task load
// or run something from outside the Nix store.
func checkVariable(name, value string) error {
	if strings.ContainsAny(value, "\n\r\x00") {
		return fmt.Errorf("%s has a line break in its value", name)
	}
	switch {
	case name == "PATH" || searchPaths[name]:
		for _, p := range strings.Split(value, ":") {
			if !storePath.MatchString(p) || path.Clean(p) != p {
				return fmt.Errorf("%s contains %.200q, which is not in /nix/store", name, p)
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

// searchPaths are variables that list where programs look for code to load.
var searchPaths = set(`LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH
	DYLD_FRAMEWORK_PATH DYLD_FALLBACK_LIBRARY_PATH GCONV_PATH GIT_EXEC_PATH
	PYTHONPATH PERL5LIB RUBYLIB NODE_PATH`)

// hooks are variables that make programs run code. No package sets them.
var hooks = set(`BASH_ENV ENV PROMPT_COMMAND PERL5OPT PERL5DB PYTHONSTARTUP PYTHONHOME RUBYOPT NODE_OPTIONS
	JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS GOFLAGS MAKEFLAGS GNUMAKEFLAGS RUSTC_WRAPPER
	GIT_SSH GIT_SSH_COMMAND GIT_EXTERNAL_DIFF GIT_ASKPASS SSH_ASKPASS`)

// shellVariables belong to the shell that an environment was taken from, not to
// its tools: those that `nix develop` drops (ignoreVars in Nix's
// src/nix/develop.cc), those that bash sets, the directory of the build, and the
// scripts of the builder.
var shellVariables = set(`BASHOPTS HOME NIX_BUILD_TOP NIX_ENFORCE_PURITY NIX_LOG_FD NIX_REMOTE PPID SHELL
	SHELLOPTS SSL_CERT_FILE TEMP TEMPDIR TERM TMP TMPDIR TZ UID
	BASH BASHPID BASH_VERSION COLUMNS DIRSTACK EUID HOSTNAME HOSTTYPE IFS LINENO LINES MACHTYPE
	OPTERR OPTIND OSTYPE PS1 PS2 PS4 SHLVL _
	LOGNAME NIX_BUILD_CORES OLDPWD PWD USER
	buildCommand buildPhase phases shellHook`)
