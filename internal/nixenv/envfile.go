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

	"cachekey/internal/digest"
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
// cache, and its variables determine which programs a task runs. So anything that Nix
// would not have written is an error.
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
	return e, e.checkPinned()
}

// checkPinned returns an error if a file of `same env` has other variables than Pin
// writes, or another digest. Its packages are the resolution of the tools, so a file
// with a wrong digest would pass for another toolchain.
func (e *Environment) checkPinned() error {
	if !strings.HasPrefix(e.resolution, pinnedPrefix) {
		return nil
	}
	if want := pinnedEnvironment(e.System, e.Path); !slices.Equal(e.Variables, want.Variables) {
		return errors.New("same env writes GOTOOLCHAIN=local, PATH and system, and nothing else")
	} else if e.resolution != want.resolution {
		return fmt.Errorf("its %s is not that of its PATH", resolutionVariable)
	}
	return nil
}

// pinnedEnvironment returns the environment that `same env` writes for the packages
// on path.
func pinnedEnvironment(system string, path []string) *Environment {
	parts := digest.NewParts("cachekey same-v1 packages")
	parts.Add('p', path...)
	return &Environment{
		Variables:  []string{"GOTOOLCHAIN=local", "PATH=" + strings.Join(path, ":"), "system=" + system},
		System:     system,
		Path:       path,
		resolution: pinnedPrefix + parts.Sum().String(),
	}
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

// pinned returns the digest of the packages of an environment that `same env` wrote,
// or "".
func (e *Environment) pinned() string {
	d, ok := strings.CutPrefix(e.resolution, pinnedPrefix)
	if !ok {
		return ""
	}
	return d
}

var (
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// Only characters that keep a path one word for a shell, make, the loader and
	// the linker, which split at spaces, semicolons or commas.
	storePath = regexp.MustCompile(`^/nix/store/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+(/[A-Za-z0-9+._@=-]+)*$`)
)

// checkVariable returns an error if a variable could make a program run or load
// something from outside the Nix store. A restored file may contain anything, and no
// list of dangerous variables is complete, so it checks the value: it accepts only
// plain words and store paths, and for names that programs themselves read, only
// values that Nix and the setup hooks of packages set.
func checkVariable(name, value string) error {
	if strings.ContainsAny(value, "\n\r\x00") {
		return fmt.Errorf("%s has a line break in its value", name)
	}
	switch {
	case name == "GOTOOLCHAIN":
		if value != "local" {
			return fmt.Errorf("%s is %.200q, not local: Go would download another Go", name, value)
		}
	case name == "XDG_DATA_DIRS" && value == "", name == "XDG_CONFIG_DIRS" && value == "":
	case value == "" && searchPathName.MatchString(name) && !searchPaths[name] && !ownedByPrograms.MatchString(name):
	case name == "PATH" || searchPaths[name] || searchPathName.MatchString(name) && !ownedByPrograms.MatchString(name):
		for _, p := range strings.Split(value, ":") {
			if !inStore(p) {
				return fmt.Errorf("%s contains %.200q, which is not in /nix/store", name, p)
			}
		}
	case programs[name]:
		if !plainWord.MatchString(value) && !inStore(value) {
			return fmt.Errorf("%s is %.200q, which is neither a name nor in /nix/store", name, value)
		}
	case compilerFlags.MatchString(name):
		for word := range strings.FieldsSeq(value) {
			if m := flag.FindString(word); !inStore(word[len(m):]) && !plainFlag.MatchString(word) {
				return fmt.Errorf("%s contains %.200q, which is neither a search path in /nix/store nor harmless", name, word)
			}
		}
	case harmless[name] || harmlessPattern.MatchString(name) || !ownedByPrograms.MatchString(name):
		for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t:=,;", r) }) {
			if !plainWord.MatchString(word) && !inStore(word) && word != "/nix/store" {
				return fmt.Errorf("%s contains %.200q, which is neither a word nor in /nix/store", name, word)
			}
		}
	default:
		return fmt.Errorf("%s could make a program run or load other code", name)
	}
	return nil
}

// inStore reports whether p is a clean path in the Nix store.
func inStore(p string) bool { return storePath.MatchString(p) && path.Clean(p) == p }

func set(names string) map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(names) {
		m[name] = true
	}
	return m
}

// searchPaths are variables that list directories of code to load.
var searchPaths = set(`LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH
	DYLD_FRAMEWORK_PATH DYLD_FALLBACK_LIBRARY_PATH GCONV_PATH GIT_EXEC_PATH
	PYTHONPATH PERL5LIB RUBYLIB NODE_PATH
	HOST_PATH PKG_CONFIG_PATH PKG_CONFIG_PATH_FOR_BUILD ACLOCAL_PATH CMAKE_PREFIX_PATH CMAKE_INCLUDE_PATH CMAKE_LIBRARY_PATH
	GI_TYPELIB_PATH XDG_DATA_DIRS XDG_CONFIG_DIRS GEM_PATH`)

// programs are variables that name a program.
var programs = set(`AR AS CC CPP CXX LD NM OBJCOPY OBJDUMP RANLIB READELF SIZE STRINGS STRIP WINDRES
	AR_FOR_BUILD AS_FOR_BUILD CC_FOR_BUILD CXX_FOR_BUILD LD_FOR_BUILD NM_FOR_BUILD OBJCOPY_FOR_BUILD
	OBJDUMP_FOR_BUILD RANLIB_FOR_BUILD READELF_FOR_BUILD SIZE_FOR_BUILD STRINGS_FOR_BUILD STRIP_FOR_BUILD
	CONFIG_SHELL PKG_CONFIG PYTHON PERL RUBY`)

// harmless are variables whose names match the patterns below, but which run and load
// nothing else if their values are words and store paths.
var harmless = set(`GOROOT JAVA_HOME IN_NIX_SHELL NIX_STORE NIX_CC NIX_BINTOOLS NIX_CC_FOR_BUILD NIX_BINTOOLS_FOR_BUILD
	NIX_HARDENING_ENABLE NIX_INDENT_MAKE NIX_ENFORCE_NO_NATIVE NIX_DONT_SET_RPATH NIX_NO_SELF_RPATH
	NIX_IGNORE_LD_THROUGH_GCC NIX_APPLE_SDK_VERSION PYTHONNOUSERSITE PYTHONHASHSEED PYTHONDONTWRITEBYTECODE
	configureFlags cmakeFlags mesonFlags makeFlags ninjaFlags`)

var (
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_+.-]*$`)
	plainFlag = regexp.MustCompile(`^(-(I|L|F|isystem|idirafter|iframework|rpath|Wl,-rpath|headerpad_max_install_names)|-frandom-seed=[A-Za-z0-9]+|-l[A-Za-z0-9_+-]+)$`)
	flag      = regexp.MustCompile(`^(-I|-L|-F|-isystem|-idirafter|-rpath=|-Wl,-rpath,)`)

	compilerFlags   = regexp.MustCompile(`^NIX_(CFLAGS_COMPILE|CFLAGS_LINK|CXXSTDLIB_COMPILE|LDFLAGS)(_BEFORE|_AFTER)?(_FOR_BUILD|_FOR_TARGET)?$`)
	harmlessPattern = regexp.MustCompile(`^NIX_(CC|BINTOOLS|PKG_CONFIG)_WRAPPER_TARGET_[A-Za-z0-9_]+$`)

	// searchPathName matches names of lists of directories, in which a word would be
	// relative to the current directory.
	searchPathName = regexp.MustCompile(`(PATH|INPUTS)$`)

	// ownedByPrograms matches names that programs themselves read, in either case.
	ownedByPrograms = regexp.MustCompile(`(?i)^(GIT|LD|DYLD|PYTHON|PERL|RUBY|GEM|BUNDLE|NODE|NPM|YARN|CARGO|RUST|GO|XDG|OPENSSL|SSL|CURL|LUA|MAKE|GNUMAKE|MFLAGS|TAR|BASH|ENV$|ZDOT|JAVA|JDK|_JAVA|JVM|MAVEN|GRADLE|LESS|MAN|PHP|NIX|SSH|GCONV|GCC|COMPILER_PATH|CLANG|CCACHE|CMAKE_TOOLCHAIN|CMAKE_PROJECT|PIP|UV_|POETRY|VIRTUAL_ENV|MALLOC|GLIBC|LOCPATH|NLSPATH|TERMINFO|TERMCAP|RIPGREP|DOCKER|KUBE|AWS|EMACS|VIM|EXINIT|TCL|R_|JULIA|GHC|STACK|CABAL|OPAM|OCAML|CAML|ERL|ELIXIR|MIX|DOTNET|NUGET|CORECLR|COR_|PKG_CONFIG_SYSROOT|QT_|GTK|GIO|GST|SHELL|PROMPT|HTTPS?_|ALL_PROXY|FTP_|PYTEST|DJANGO|FLASK|COVERAGE)` +
		`|(PRELOAD|AUDIT|OPTIONS|OPTS?|FLAGS|PAGER|EDITOR|VISUAL|BROWSER|PROXY|ASKPASS|WRAPPER|COMMAND|HOOKS?|STARTUP|INIT|RC|CONFIG|CONF|HOME|SHELL|EXEC|CACHEPROG|MAKEFILES|LAUNCHER|RUNNER|WARNINGS|ARGS|RSH|SSH)$`)
)

// shellVariables belong to the shell of an environment, not to its tools: those that
// `nix develop` drops (ignoreVars in Nix's src/nix/develop.cc), those that bash sets,
// the directory of the build, and the scripts of the builder.
var shellVariables = set(`BASHOPTS HOME NIX_BUILD_TOP NIX_ENFORCE_PURITY NIX_LOG_FD NIX_REMOTE PPID SHELL
	SHELLOPTS SSL_CERT_FILE NIX_SSL_CERT_FILE TEMP TEMPDIR TERM TMP TMPDIR TZ UID
	BASH BASHPID BASH_VERSION COLUMNS DIRSTACK EUID HOSTNAME HOSTTYPE IFS LINENO LINES MACHTYPE
	OPTERR OPTIND OSTYPE PS1 PS2 PS4 SHLVL _
	LOGNAME NIX_BUILD_CORES OLDPWD PWD USER
	buildCommand buildPhase phases shellHook`)
