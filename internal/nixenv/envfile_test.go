package nixenv

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cachekey/internal/dotsame"
)

const (
	goStorePath    = "/nix/store/52f5kjcmgmvgrz3rij676b3rjmgg5l5g-go-1.25.4"
	existingSample = "12f5f7b63d6c11121b47caedd429fc0b615612b14c8c97748f4be410d25c0256"
)

// TestEnvironmentID checks the file name in testdata/dot-same, which upstream same
// wrote.
func TestEnvironmentID(t *testing.T) {
	if got := dotsame.EnvironmentID(map[string]string{"go": "go@1.25.4"}); got != existingSample {
		t.Errorf("got %s", got)
	}
	// printf 'go:go@1;lint:golangci-lint@2;' | sha256sum
	const two = "976bb6ad18eb540fb169961e5929d9174bced4a24781febb0a42da7c094699bf"
	if got := dotsame.EnvironmentID(map[string]string{"lint": "golangci-lint@2", "go": "go@1"}); got != two {
		t.Errorf("got %s", got)
	}
}

func TestParseEnvironment(t *testing.T) {
	path := `"PATH=` + goStorePath + `/bin"`
	for _, tt := range []struct{ name, file, err string }{
		{"good", `["A=b",` + path + `]`, ""},
		{"words and store paths", `["A=b = c:` + goStorePath + `/lib,d;-e","E=",` + path + `]`, ""},
		{"a path of the machine", `["A=b = c:/usr/bin",` + path + `]`, "which is neither a word nor in /nix/store"},
		{"code in a value", `["A=$(x)",` + path + `]`, "which is neither a word nor in /nix/store"},
		{"another Go", `["GOTOOLCHAIN=go1.99",` + path + `]`, "not local"},
		{"libraries of the store", `["LD_LIBRARY_PATH=` + goStorePath + `/lib",` + path + `]`, ""},
		{"modules of the store", `["PYTHONPATH=` + goStorePath + `/lib/python3.12/site-packages:` + goStorePath + `/lib",` + path + `]`, ""},
		{"truncated", `["A=b",` + path, "not a list of strings"},
		{"an object", `{"PATH": "x"}`, "not a list of strings"},
		{"not strings", `[1]`, "not a list of strings"},
		{"null", `null`, "no PATH"},
		{"no PATH", `["A=b"]`, "no PATH"},
		{"not a variable", `["A",` + path + `]`, "is not a variable"},
		{"no name", `["=b",` + path + `]`, "is not a variable"},
		{"an exported function", `["BASH_FUNC_ls%%=() { evil; }",` + path + `]`, "is not a variable"},
		{"a line break in a name", `["A\nB=c",` + path + `]`, "is not a variable"},
		{"a line break", `["A=b\nLD_PRELOAD=x",` + path + `]`, "A has a line break in its value"},
		{"NUL", `["A=b\u0000c",` + path + `]`, "A has a line break in its value"},
		{"twice", `["A=b","A=c",` + path + `]`, "A is set twice"},
		{"two PATHs", `["PATH=/nix/store/x",` + path + `]`, "not in /nix/store"},
		{"LD_PRELOAD", `["LD_PRELOAD=/tmp/evil.so",` + path + `]`, "LD_PRELOAD contains"},
		{"LD_LIBRARY_PATH", `["LD_LIBRARY_PATH=` + goStorePath + `/lib:/tmp",` + path + `]`, "LD_LIBRARY_PATH contains"},
		{"DYLD_INSERT_LIBRARIES", `["DYLD_INSERT_LIBRARIES=x",` + path + `]`, "DYLD_INSERT_LIBRARIES contains"},
		{"PYTHONPATH", `["PYTHONPATH=` + goStorePath + `/lib:/tmp",` + path + `]`, "PYTHONPATH contains"},
		{"MAKEFLAGS", `["MAKEFLAGS=SHELL=/tmp/evil",` + path + `]`, "could make a program run or load other code"},
		{"BASH_ENV", `["BASH_ENV=` + goStorePath + `",` + path + `]`, "could make a program run or load other code"},
		{"NODE_OPTIONS", `["NODE_OPTIONS=-r x",` + path + `]`, "could make a program run or load other code"},
		{"the workspace on PATH", `["PATH=` + goStorePath + `/bin:."]`, "which is not in /nix/store"},
		{"an empty entry on PATH", `["PATH=` + goStorePath + `/bin:"]`, "which is not in /nix/store"},
		{"the machine on PATH", `["PATH=/usr/bin"]`, "which is not in /nix/store"},
		{"out of the store", `["PATH=` + goStorePath + `/../../../tmp"]`, "which is not in /nix/store"},
		{"not a store path", `["PATH=/nix/store/evil/bin"]`, "which is not in /nix/store"},
		{"too many variables", `[` + strings.Repeat(`"A=b",`, maxVariables) + path + `]`, "more than any shell has"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := ParseEnvironment([]byte(tt.file))
			if tt.err == "" {
				if err != nil || !slices.Equal(e.Path, []string{goStorePath + "/bin"}) {
					t.Errorf("got %+v, %v", e, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// attacks are variables that make a common program run or load files of a restored
// cache. EVIL is a script that makes the file RAN; run shows the attack.
var attacks = []struct {
	variables string // one per line
	run       string
}{
	{"MAKEFILES=EVIL.mk", "make -f /dev/null; true"},
	{"MAKEFLAGS=--eval=$(shell EVIL)", "make -f /dev/null; true"},
	{"GIT_CONFIG_COUNT=1\nGIT_CONFIG_KEY_0=core.fsmonitor\nGIT_CONFIG_VALUE_0=EVIL", "git init -q . && git config user.email a@b && git config user.name a && git commit -q --allow-empty -m a && git status"},
	{"GIT_CONFIG_GLOBAL=EVIL.gitconfig", "git evil"},
	{"GIT_CONFIG_PARAMETERS='alias.evil=!EVIL'", "git evil"},
	{"GIT_EDITOR=EVIL", "git init -q . && git config user.email a@b && git config user.name a && git commit --allow-empty; true"},
	{"PYTHONWARNINGS=all:0:antigravity.x:0:0\nBROWSER=EVIL", "python3 -c 'import time; time.sleep(0.1)'; sleep 0.2"},
	{"TAR_OPTIONS=--to-command=EVIL", "echo a > a; env -u TAR_OPTIONS tar cf a.tar a; tar xf a.tar"},
	{"TAR_OPTIONS=--checkpoint=1 --checkpoint-action=exec=EVIL", "echo a > a; tar cf a.tar a"},
	{"GOCACHEPROG=EVIL", "go build -o /dev/null errors; true"},
	{"LUA_INIT=os.execute('EVIL')", "lua -v -e ''"},
	{"BASH_ENV=EVIL", "bash -c true"},
	{"LESSOPEN=|EVIL %s", "less EVIL < /dev/null"},
	{"PERL5OPT=-I. -MEVIL", ""},
	{"ZDOTDIR=/tmp", ""}, {"RUSTC_WORKSPACE_WRAPPER=EVIL", ""}, {"RUSTC_WRAPPER=evil", ""}, {"npm_config_script_shell=EVIL", ""},
	{"PAGER=sh", ""}, {"MANPAGER=EVIL", ""}, {"OPENSSL_CONF=EVIL", ""}, {"OPENSSL_MODULES=" + goStorePath, ""},
	{"NIX_CONFIG=builders = x", ""}, {"NIX_CFLAGS_COMPILE=-fplugin=EVIL", ""}, {"NIX_CFLAGS_COMPILE=-I" + goStorePath + " -B.", ""},
	{"NIX_CFLAGS_COMPILE=@evil", ""}, {"NIX_LDFLAGS=-L.", ""}, {"NIX_LDFLAGS=-L/tmp", ""},
	{"HTTPS_PROXY=evil.example.org", ""}, {"https_proxy=evil.example.org", ""}, {"CURL_HOME=EVIL", ""}, {"PHPRC=EVIL", ""}, {"GEM_HOME=EVIL", ""},
	{"CC=EVIL", ""}, {"CC=sh -c", ""}, {"JAVA_TOOL_OPTIONS=x", ""}, {"CARGO_BUILD_RUSTC=evil", ""}, {"XDG_CONFIG_HOME=evil", ""},
	{"PYTHONINSPECT=1", ""}, {"PYTHONHOME=" + goStorePath, ""}, {"GOFLAGS=-toolexec=evil", ""}, {"LD_AUDIT=evil.so", ""},
	{"SSH_ASKPASS=EVIL", ""}, {"EDITOR=evil", ""}, {"CMAKE_TOOLCHAIN_FILE=evil", ""}, {"ANYTHING=./evil", ""}, {"ANYTHING=../evil", ""},
	// one path to us, several words to a shell, the loader, make or the linker
	{"CC=" + goStorePath + "/bin/sh EVIL", "env -u MAKEFLAGS sh -c '$CC'"}, {"PYTHON=" + goStorePath + "/bin/sh -c EVIL", ""},
	{"LD_PRELOAD=" + goStorePath + "/lib/a.so EVIL.so", ""}, {"LD_PRELOAD=" + goStorePath + "/a.so\tEVIL.so", ""},
	{"CONFIG_SHELL=" + goStorePath + "/bin/sh;EVIL", ""}, {"CC=" + goStorePath + "/bin/$(EVIL)", ""}, {"CC=" + goStorePath + "/x`EVIL`", ""},
	{"NIX_CFLAGS_COMPILE=-Wl,-rpath," + goStorePath + "/lib,-plugin,EVIL.so", ""}, {"NIX_LDFLAGS=-rpath=" + goStorePath + "/lib,EVIL", ""},
	{"LD_LIBRARY_PATH=" + goStorePath + "/lib;EVIL", ""}, {"ANYTHING=" + goStorePath + "/a|EVIL", ""}, {"ANYTHING=" + goStorePath + "/a'EVIL", ""},
	// relative to the current directory
	{"CLASSPATH=.", ""}, {"CPATH=include", ""}, {"CPATH=:" + goStorePath + "/include", ""}, {"LIBRARY_PATH=lib:" + goStorePath + "/lib", ""},
	{"C_INCLUDE_PATH=.", ""}, {"HGRCPATH=hgrc", ""}, {"AWKPATH=.", ""}, {"FPATH=functions", ""}, {"GUILE_LOAD_PATH=.", ""}, {"TEXINPUTS=.", ""},
	{"PYTEST_PLUGINS=evil", ""}, {"DJANGO_SETTINGS_MODULE=evil", ""}, {"FLASK_APP=evil", ""}, {"COVERAGE_PROCESS_START=evil", ""}, {"ANT_ARGS=-f evil.xml", ""},
	{"RSYNC_RSH=evil", ""}, {"SVN_SSH=evil", ""},
	{"ANYTHING=-x=/tmp/evil", ""}, {"ANYTHING=~/evil", ""}, {"ANYTHING=`evil`", ""}, {"ANYTHING=" + goStorePath + "/../../../tmp", ""},
}

// TestAttacksAreRefused runs each attack whose program is on this machine, to confirm
// that it works, and checks that no file may contain its variables.
func TestAttacksAreRefused(t *testing.T) {
	for i, a := range attacks {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			dir := t.TempDir()
			evil := filepath.Join(dir, "evil")
			script := "#!/bin/sh\n: > " + dir + "/RAN\n"
			if err := os.WriteFile(evil, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, evil+".mk", "$(shell "+evil+")\n")
			write(t, evil+".gitconfig", "[alias]\nevil = !"+evil+"\n")
			variables := strings.Split(strings.ReplaceAll(a.variables, "EVIL", evil), "\n")
			if program, _, _ := strings.Cut(a.run, " "); a.run != "" {
				if a.variables[:3] == "TAR" {
					program = "tar"
				}
				if _, err := exec.LookPath(program); err == nil {
					cmd := exec.Command("sh", "-c", strings.ReplaceAll(a.run, "EVIL", evil))
					cmd.Dir, cmd.Env = dir, append(os.Environ(), variables...)
					out, _ := cmd.CombinedOutput()
					if _, err := os.Stat(dir + "/RAN"); err != nil {
						t.Logf("not an attack on this machine: %.300s", out)
					}
				}
			}
			entries, err := json.Marshal(append(variables, "PATH="+goStorePath+"/bin"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseEnvironment(entries); err == nil {
				t.Errorf("%q was accepted", variables)
			}
		})
	}
}

// TestHonestVariablesAreAccepted checks the variables that Nix and the setup hooks of
// packages set in ordinary shells.
func TestHonestVariablesAreAccepted(t *testing.T) {
	for _, v := range []string{
		"AR=ar", "CC=gcc", "CXX=g++", "LD=ld", "STRIP=strip", "CONFIG_SHELL=" + goStorePath + "/bin/bash", "GOTOOLCHAIN=local",
		"HOST_PATH=" + goStorePath + "/bin:" + goStorePath + "/sbin", "IN_NIX_SHELL=impure", "NIX_STORE=/nix/store", "XDG_DATA_DIRS=",
		"XDG_DATA_DIRS=" + goStorePath + "/share", "NIX_BINTOOLS=" + goStorePath, "NIX_CC=" + goStorePath,
		"NIX_CC_WRAPPER_TARGET_HOST_x86_64_unknown_linux_gnu=1", "NIX_BINTOOLS_WRAPPER_TARGET_HOST_x86_64_unknown_linux_gnu=1",
		"NIX_CFLAGS_COMPILE= -frandom-seed=w270m9clhj -isystem " + goStorePath + "/include -isystem " + goStorePath + "/include",
		"NIX_LDFLAGS=-rpath " + goStorePath + "/lib  -L" + goStorePath + "/lib -L" + goStorePath + "/lib",
		"NIX_HARDENING_ENABLE=bindnow format fortify fortify3 pic relro stackprotector strictoverflow", "NIX_ENFORCE_NO_NATIVE=1",
		"PKG_CONFIG=pkg-config", "PKG_CONFIG_PATH=" + goStorePath + "/lib/pkgconfig", "PYTHONNOUSERSITE=1", "PYTHONHASHSEED=0", "DETERMINISTIC_BUILD=1",
		"SOURCE_DATE_EPOCH=315532800", "__structuredAttrs=", "buildInputs=" + goStorePath + " " + goStorePath, "builder=" + goStorePath + "/bin/bash",
		"cmakeFlags=", "configureFlags=", "depsBuildBuild=", "doCheck=", "name=same-environment", "nativeBuildInputs=" + goStorePath,
		"out=" + goStorePath, "outputs=out", "patches=", "preferLocalBuild=1", "stdenv=" + goStorePath, "strictDeps=", "system=x86_64-linux",
		"GOROOT=" + goStorePath + "/share/go", "JAVA_HOME=" + goStorePath, "LOCALE_ARCHIVE=" + goStorePath + "/lib/locale/locale-archive",
		"gl_cv_func_getcwd_abort_bug=no", "MACOSX_DEPLOYMENT_TARGET=14.0", "DEVELOPER_DIR=" + goStorePath, "SDKROOT=" + goStorePath + "/Platforms/MacOSX.platform",
		"GREETING=hello", "ZERO_AR_DATE=1", "GDK_PIXBUF_MODULE_FILE=" + goStorePath + "/lib/gdk-pixbuf-2.0/2.10.0/loaders.cache",
		"QML2_IMPORT_PATH=" + goStorePath + "/lib/qt-6/qml:" + goStorePath + "/lib/gtk+3", "GSETTINGS_SCHEMAS_PATH=" + goStorePath + "/share/gsettings-schemas/gtk+3-3.24.49", "CLASSPATH=",
	} {
		name, value, _ := strings.Cut(v, "=")
		if err := checkVariable(name, value); err != nil {
			t.Error(err)
		}
	}
}

// TestPinnedEnvironmentIsExact checks that a file of same env has the variables that
// same env writes, and the digest of its packages.
func TestPinnedEnvironmentIsExact(t *testing.T) {
	good, err := Pin("x86_64-linux", map[string]string{"go": goStorePath}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseEnvironment(good); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"other packages":   strings.Replace(string(good), "52f5", "53f5", 1),
		"any digest":       regexp.MustCompile(`packages:[0-9a-f]*`).ReplaceAllString(string(good), "packages:whatever-i-like"),
		"a variable more":  strings.Replace(string(good), "[", `["A=b",`, 1),
		"a variable less":  strings.Replace(string(good), `"GOTOOLCHAIN=local",`, "", 1),
		"no system":        strings.Replace(string(good), `"system=x86_64-linux"`, `"a=b"`, 1),
		"something behind": strings.Replace(string(good), `/bin"`, `/bin:`+goStorePath+`/sbin"`, 1),
	} {
		if text == string(good) {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := ParseEnvironment([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// existing returns a resolver of a workspace with a .same of upstream same, a store
// that has all paths of its environment, and no Nix.
func existing(t *testing.T) (*Resolver, *warnings) {
	r, warned, _ := newResolver(t, nil)
	copySample(t, r.Root)
	r.System = "aarch64-darwin"
	r.Nix = "/nowhere/nix"
	r.store = t.TempDir()
	var entries []string
	readJSON(t, filepath.Join(r.Root, ".same/cache/environments/environments", existingSample+".json"), &entries)
	for _, entry := range entries {
		if list, ok := strings.CutPrefix(entry, "PATH="); ok {
			for p := range strings.SplitSeq(list, ":") {
				write(t, filepath.Join(r.store, strings.TrimPrefix(p, "/nix/store/"), "tool"), "")
			}
		}
	}
	return r, warned
}

var goTool = map[string]string{"go": "go@1.25.4"}

// TestExistingEnvironment checks that a file of upstream same is used.
func TestExistingEnvironment(t *testing.T) {
	r, warned := existing(t)
	env, err := environmentOf(t, r, goTool)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"AR=ar", "CC=clang", "GOTOOLCHAIN=local", "system=aarch64-darwin"} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, entry := range env {
		if name, _, _ := strings.Cut(entry, "="); slices.Contains([]string{"IFS", "BASH", "TZ", "shellHook"}, name) {
			t.Errorf("got %s, which belongs to the shell", name)
		}
	}
	if !slices.IsSorted(env) {
		t.Error("not sorted")
	}
	if warned.String() != "" {
		t.Error(warned)
	}
}

// TestExistingEnvironmentIsOld checks that such a file is not used for other tools.
func TestExistingEnvironmentIsOld(t *testing.T) {
	file := ".same/cache/environments/environments/" + existingSample + ".json"
	for name, change := range map[string]func(t *testing.T, r *Resolver){
		"a path is gone": func(t *testing.T, r *Resolver) {
			if err := os.RemoveAll(filepath.Join(r.store, filepath.Base(goStorePath))); err != nil {
				t.Fatal(err)
			}
		},
		"another system": func(_ *testing.T, r *Resolver) { r.System = "x86_64-linux" },
		"no system": func(t *testing.T, r *Resolver) {
			edit(t, filepath.Join(r.Root, file), "system=aarch64-darwin", "sistem=aarch64-darwin")
		},
		"another go than Nixhub says": func(t *testing.T, r *Resolver) {
			edit(t, filepath.Join(r.Root, dotsame.NixhubPath("go", "1.25.4")), "52f5kjcmgmvgrz3rij676b3rjmgg5l5g", "52f5kjcmgmvgrz3rij676b3rjmgg5l50")
		},
		"of another resolution": func(t *testing.T, r *Resolver) {
			edit(t, filepath.Join(r.Root, file), "AR=ar", "SAME_RESOLUTION="+strings.Repeat("0", 64))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, warned := existing(t)
			change(t, r)
			_, err := environmentOf(t, r, goTool)
			// Nix was searched, so the file was not used.
			if err == nil || !strings.Contains(err.Error(), "nix is not installed") {
				t.Errorf("got %v", err)
			}
			if warned.String() != "" {
				t.Error(warned)
			}
		})
	}
}

// TestHostileEnvironment checks that a hostile file is ignored with a warning.
func TestHostileEnvironment(t *testing.T) {
	for name, text := range map[string]string{
		"code":   `["LD_PRELOAD=/tmp/evil.so","PATH=` + goStorePath + `/bin","system=aarch64-darwin"]`,
		"giant":  `["A=` + strings.Repeat("x", MaxEnvironment) + `","PATH=` + goStorePath + `/bin","system=aarch64-darwin"]`,
		"broken": `["PATH=`,
	} {
		t.Run(name, func(t *testing.T) {
			r, warned := existing(t)
			write(t, filepath.Join(r.Root, dotsame.EnvironmentPath(goTool)), text)
			env, err := environmentOf(t, r, goTool)
			if err != nil || !slices.Contains(env, "CC=clang") {
				t.Errorf("the valid file of upstream same is not used: %v", err)
			}
			if !strings.Contains(warned.String(), "ignoring "+dotsame.EnvironmentPath(goTool)+": ") {
				t.Errorf("warnings %q", warned)
			}
		})
	}
	t.Run("a link out of the workspace", func(t *testing.T) {
		r, warned := existing(t)
		file := filepath.Join(r.Root, dotsame.EnvironmentPath(goTool))
		if err := os.Symlink("/dev/zero", file); err != nil {
			t.Fatal(err)
		}
		if _, err := environmentOf(t, r, goTool); err != nil || !strings.Contains(warned.String(), "ignoring ") {
			t.Errorf("got %v, warnings %q", err, warned)
		}
	})
}

func environmentOf(t *testing.T, r *Resolver, tools map[string]string) ([]string, error) {
	t.Helper()
	res, err := r.Resolve(t.Context(), tools)
	if err != nil {
		if r.System == "x86_64-linux" {
			return nil, err
		}
		t.Fatal(err)
	}
	return r.Environment(t.Context(), tools, res)
}

func edit(t *testing.T, file, from, to string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		t.Fatalf("no %s in %s", from, file)
	}
	write(t, file, strings.ReplaceAll(string(data), from, to))
}

// FuzzParseEnvironment checks that an accepted environment is harmless, and that
// it is the same after a round trip.
func FuzzParseEnvironment(f *testing.F) {
	sample, err := os.ReadFile("testdata/dot-same/cache/environments/environments/" + existingSample + ".json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add([]byte(`["A=b","LD_PRELOAD=x","PATH=` + goStorePath + `"]`))
	f.Add([]byte(`["SAME_RESOLUTION=packages:1","PATH=` + goStorePath + `"]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseEnvironment(data)
		if err != nil {
			return
		}
		for _, entry := range e.Variables {
			name, value, ok := strings.Cut(entry, "=")
			if !ok || strings.ContainsAny(entry, "\n\x00") || shellVariables[name] || name == resolutionVariable {
				t.Errorf("accepted %q", entry)
			}
			if strings.HasPrefix(name, "LD_PRELOAD") && strings.Contains(value, "/tmp") {
				t.Errorf("accepted %q", entry)
			}
		}
		for _, p := range e.Path {
			if rel, err := filepath.Rel("/nix/store", p); err != nil || !filepath.IsLocal(rel) || rel == "." {
				t.Errorf("accepted %q on PATH", p)
			}
		}
		again, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		second, err := ParseEnvironment(again)
		if err != nil || !slices.Equal(e.Variables, second.Variables) || second.resolution != e.resolution {
			t.Errorf("round trip: got %s, %v", again, err)
		}
	})
}

func FuzzReadLock(f *testing.F) {
	f.Add([]byte(locked), "nixpkgs")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		var lock lockFile
		if json.Unmarshal(data, &lock) != nil {
			return
		}
		if node, err := lock.input(name); err == nil {
			if ref, locked, err := node.reference(); err == nil && (ref == "" || locked == "") {
				t.Errorf("input %q has an empty reference", name)
			}
		}
	})
}
