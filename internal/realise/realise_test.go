package realise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cachekey/internal/dotsame"
)

const (
	goPath   = "/nix/store/52f5kjcmgmvgrz3rij676b3rjmgg5l5g-go-1.25.4"
	bashPath = "/nix/store/p0k9r5h8qs7220xdbdihhfgzwjcly70x-bash-5.3p3"
	cPath    = "/nix/store/qk20nysrc2170f1mal5k6r0axqn6jmfj-clang-wrapper-21.1.2"
	outPath  = "/nix/store/w270m9clhj3aycywq9ph5chpr7881srn-nix-shell-env"
)

// A stage is a workspace with its own Nix store and a stand-in for nix-store, which
// can fetch some paths and logs its arguments.
type stage struct {
	t         *testing.T
	root      string
	store     string
	log       string
	printed   []string
	nixStore  string
	fetchable []string
}

func newStage(t *testing.T, fetchable ...string) *stage {
	t.Helper()
	s := &stage{t: t, root: t.TempDir(), store: t.TempDir(), fetchable: fetchable}
	bin := t.TempDir()
	s.log, s.nixStore = filepath.Join(bin, "log"), filepath.Join(bin, "nix-store")
	script := fmt.Sprintf(`#!/bin/sh
echo "$@" >> %q
if [ "$2" = --add-root ]; then
	link=$3 n=1
	shift 4
	for p; do
		ln -s "$p" "$link"
		n=$((n + 1)) link=${link%%-*}-$n
	done
	exit
fi
shift 2
status=0
for p; do
	case " %s " in
	*" $p "*) mkdir %q/"${p##*/}" ;;
	*) echo "error: path '$p' is required, but there is no substituter that can build it" >&2; status=1 ;;
	esac
done
exit $status
`, s.log, strings.Join(fetchable, " "), s.store)
	must(t, os.WriteFile(s.nixStore, []byte(script), 0o777))
	return s
}

func (s *stage) has(path string) {
	must(s.t, os.Mkdir(filepath.Join(s.store, filepath.Base(path)), 0o777))
}

func (s *stage) environment(id string, variables ...string) string {
	data, err := json.Marshal(variables)
	must(s.t, err)
	return s.put(dotsame.Environments+"/"+id+".json", string(data))
}

func (s *stage) put(rel, content string) string {
	p := filepath.Join(s.root, rel)
	must(s.t, os.MkdirAll(filepath.Dir(p), 0o777))
	must(s.t, os.WriteFile(p, []byte(content), 0o666))
	return p
}

func (s *stage) run() *Result {
	s.t.Helper()
	s.printed = nil
	record := func(f string, a ...any) { s.printed = append(s.printed, fmt.Sprintf(f, a...)) }
	r, err := Run(context.Background(), Options{Root: s.root, System: "x86_64-linux", Timeout: time.Minute,
		Describe: func(id string) string { return map[string]string{"aa": "go@1.25.4"}[id] }, Infof: record, Warnf: record, nixStore: s.nixStore, store: s.store})
	must(s.t, err)
	return r
}

func (s *stage) calls() []string {
	data, err := os.ReadFile(s.log)
	if os.IsNotExist(err) {
		return nil
	}
	must(s.t, err)
	must(s.t, os.Remove(s.log))
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(string(data), s.root, "ROOT")), "\n")
}

func (s *stage) hasPrinted(part string) bool {
	return slices.ContainsFunc(s.printed, func(l string) bool { return strings.Contains(l, part) })
}

func exists(p string) bool { _, err := os.Lstat(p); return err == nil }

func TestFetchesInOneCallAndRoots(t *testing.T) {
	s := newStage(t, goPath, cPath)
	s.has(bashPath)
	a := s.environment("aa", "PATH="+goPath+"/bin:"+bashPath+"/bin", "system=x86_64-linux", "out="+outPath, "NIX_LDFLAGS=-rpath "+outPath+"/lib")
	b := s.environment("bb", "PATH="+bashPath+"/bin", "CC="+cPath+"/bin/cc", "system=x86_64-linux")
	s.put(dotsame.Seal, "seal")
	if r := s.run(); *r != (Result{Kept: 2, Fetched: 2}) {
		t.Errorf("got %+v, %q", r, s.printed)
	}
	want := []string{
		"--realise --keep-going " + goPath + " " + cPath,
		"--realise --add-root ROOT/.same/local/gcroots/aa/root --indirect " + goPath + " " + bashPath,
		"--realise --add-root ROOT/.same/local/gcroots/bb/root --indirect " + bashPath + " " + cPath,
	}
	if got := s.calls(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !exists(a) || !exists(b) || !exists(filepath.Join(s.root, dotsame.Seal)) {
		t.Error("an environment or the seal was removed")
	}
	// Nothing is missing: Nix is not called again.
	if r := s.run(); *r != (Result{Kept: 2}) || s.calls() != nil {
		t.Errorf("the second run: %+v, %q", r, s.printed)
	}
	// A root lives as long as its environment.
	must(t, os.Remove(b))
	s.run()
	if exists(filepath.Join(s.root, dotsame.GCRoots, "bb")) || !exists(filepath.Join(s.root, dotsame.GCRoots, "aa")) {
		t.Error("roots do not live as long as their environments")
	}
}

func TestDropsByName(t *testing.T) {
	good := []string{"PATH=" + bashPath + "/bin", "system=x86_64-linux"}
	for _, c := range []struct {
		name      string
		variables []string
		printed   string
	}{
		{"cannot be fetched", append([]string{"GOROOT=" + goPath}, good...), goPath + " is missing and could not be fetched"},
		{"another system", []string{good[0], "system=aarch64-darwin"}, `it is for "aarch64-darwin", not for "x86_64-linux"`},
		{"no system", good[:1], "it does not say which system it is for"},
		{"runs code", append([]string{"BASH_ENV=/tmp/evil"}, good...), "BASH_ENV could make a program run or load other code"},
		{"a derivation", append([]string{"X=" + goPath + ".drv"}, good...), "which would be built"},
		{"outside of the store", []string{"PATH=/tmp/bin", good[1]}, "which is not in /nix/store"},
		{"the linker's path", append([]string{"LD_PRELOAD=/tmp/evil.so"}, good...), "which is not in /nix/store"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.has(bashPath)
			bad := s.environment("aa", c.variables...)
			fine := s.environment("bb", good...)
			s.put(dotsame.Seal, "seal")
			if r := s.run(); r.Kept != 1 || r.Dropped != 1 {
				t.Errorf("got %+v", r)
			}
			if exists(bad) || !exists(fine) {
				t.Error("the wrong environment was removed")
			}
			if !s.hasPrinted(`dropped the environment ".same/cache/environments/aa.json" (go@1.25.4): `) || !s.hasPrinted(c.printed) {
				t.Errorf("printed %q", s.printed)
			}
			if exists(filepath.Join(s.root, dotsame.Seal)) {
				t.Error("the seal still covers a removed environment")
			}
		})
	}
}

func TestWithoutNix(t *testing.T) {
	s := newStage(t)
	s.nixStore = filepath.Join(t.TempDir(), "nix-store")
	s.has(bashPath)
	lost := s.environment("aa", "PATH="+goPath+"/bin", "system=x86_64-linux")
	whole := s.environment("bb", "PATH="+bashPath+"/bin", "system=x86_64-linux")
	if r := s.run(); *r != (Result{Kept: 1, Dropped: 1}) || exists(lost) || !exists(whole) {
		t.Errorf("got %+v", r)
	}
	if !s.hasPrinted("nix-store is not on PATH") {
		t.Errorf("printed %q", s.printed)
	}
}

func TestTimeLimit(t *testing.T) {
	s := newStage(t)
	must(t, os.WriteFile(s.nixStore, []byte("#!/bin/sh\nsleep 1000 &\necho $! >"+s.log+"\nwait\n"), 0o777))
	lost := s.environment("aa", "PATH="+goPath+"/bin", "system=x86_64-linux")
	_, err := Run(context.Background(), Options{Root: s.root, System: "x86_64-linux", Timeout: 200 * time.Millisecond,
		Describe: func(string) string { return "" }, Infof: t.Logf, Warnf: func(f string, a ...any) { s.printed = append(s.printed, fmt.Sprintf(f, a...)) },
		nixStore: s.nixStore, store: s.store})
	must(t, err)
	if exists(lost) || !s.hasPrinted("nix took longer than 200ms") {
		t.Errorf("printed %q", s.printed)
	}
	pid, err := strconv.Atoi(s.calls()[0])
	must(t, err)
	for unix.Kill(pid, 0) == nil && !zombie(pid) {
		time.Sleep(time.Millisecond) // until the test's own limit
	}
}

// zombie reports whether a process has ended and its parent has not waited for it.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// The doubled folder of some versions of upstream same is read, too.
func TestOldFolder(t *testing.T) {
	s := newStage(t)
	s.has(bashPath)
	sample, err := os.ReadFile("testdata/environment.json")
	must(t, err)
	old := s.put(dotsame.OldEnvironments+"/cc.json", string(sample))
	if r := s.run(); r.Dropped != 1 || exists(old) || !s.hasPrinted(`".same/cache/environments/environments/cc.json": it is for "aarch64-darwin"`) {
		t.Errorf("got %+v, %q", r, s.printed)
	}
}

// With nothing to realise, nothing is written.
func TestNoEnvironments(t *testing.T) {
	s := newStage(t)
	must(t, os.MkdirAll(filepath.Join(s.root, dotsame.Environments), 0o777))
	if r := s.run(); *r != (Result{}) || exists(filepath.Join(s.root, dotsame.Local)) {
		t.Errorf("got %+v, %q", r, s.printed)
	}
}

// same does not run while its environments are being dropped.
func TestRunningSame(t *testing.T) {
	s := newStage(t)
	file := s.environment("aa", "PATH="+goPath+"/bin", "system=x86_64-linux")
	lock, err := dotsame.Open(s.root).TryLock()
	must(t, err)
	defer lock.Unlock()
	_, err = Run(context.Background(), Options{Root: s.root, System: "x86_64-linux", Timeout: time.Minute})
	if !errors.As(err, new(*dotsame.LockedError)) || !exists(file) {
		t.Errorf("got %v", err)
	}
}

func TestHostileFiles(t *testing.T) {
	for name, do := range map[string]func(s *stage, p string){
		"a link":      func(s *stage, p string) { must(t, os.Symlink(s.root+"/precious/env.json", p)) },
		"a pipe":      func(s *stage, p string) { must(t, unix.Mkfifo(p, 0o666)) },
		"a directory": func(s *stage, p string) { must(t, os.MkdirAll(p+"/x", 0o777)) },
		"a giant": func(s *stage, p string) {
			must(t, os.WriteFile(p, nil, 0o666))
			must(t, os.Truncate(p, 1<<40))
		},
		"no JSON": func(s *stage, p string) { must(t, os.WriteFile(p, []byte("[\"PATH="), 0o666)) },
		"no list": func(s *stage, p string) { must(t, os.WriteFile(p, []byte(`{"PATH":"x"}`), 0o666)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.has(bashPath)
			s.put("precious/env.json", `["PATH=`+bashPath+`/bin","system=x86_64-linux"]`)
			must(t, os.MkdirAll(filepath.Join(s.root, dotsame.Environments), 0o777))
			p := filepath.Join(s.root, dotsame.Environments, "x\ny.json")
			do(s, p)
			if r := s.run(); r.Dropped != 1 || exists(p) {
				t.Errorf("got %+v, %q", r, s.printed)
			}
			for _, l := range s.printed {
				if strings.Contains(l, "\n") {
					t.Errorf("a name broke the line %q", l)
				}
			}
			if !exists(s.root + "/precious/env.json") {
				t.Error("a file outside of the cache was removed")
			}
		})
	}
	t.Run("a folder that is a link", func(t *testing.T) {
		s := newStage(t)
		mine := s.put("precious/environments/x.json", "[]")
		must(t, os.MkdirAll(s.root+"/.same/cache", 0o777))
		must(t, os.Symlink("../../precious/environments", s.root+"/.same/cache/environments"))
		_, err := Run(context.Background(), Options{Root: s.root, System: "x86_64-linux", Timeout: time.Minute})
		if !errors.As(err, new(*dotsame.LinkError)) || !exists(mine) {
			t.Errorf("got %v", err)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestStorePaths(t *testing.T) {
	got := storePaths([]string{
		"PATH=" + goPath + "/bin:" + bashPath + "/bin", "NIX_STORE=/nix/store", "out=" + outPath, "dev=" + cPath, "outputs=out dev",
		"NIX_LDFLAGS=-rpath " + outPath + "/lib -L" + cPath + "/lib", "SELF=" + goPath, "EMPTY=",
		"BAD=/nix/store/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee-x /nix/store/short-x /nix/store/52f5kjcmgmvgrz3rij676b3rjmgg5l5g-.x /nix/store/../etc",
		"LONG=/nix/store/52f5kjcmgmvgrz3rij676b3rjmgg5l5g-" + strings.Repeat("x", 212),
	})
	if want := []string{goPath, bashPath}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzStorePaths checks that storePaths returns only valid store paths, whatever
// text surrounds them.
func FuzzStorePaths(f *testing.F) {
	sample, err := os.ReadFile("testdata/environment.json")
	if err != nil {
		f.Fatal(err)
	}
	var variables []string
	if err := json.Unmarshal(sample, &variables); err != nil || len(variables) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, v := range variables {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for _, p := range storePaths([]string{v, "A=" + v}) {
			name := strings.TrimPrefix(p, "/nix/store/")
			if len(name) < 34 || name[32] != '-' || strings.ContainsAny(name, "/: \n") || strings.HasPrefix(name[33:], ".") || !strings.Contains(v, p) {
				t.Errorf("storePaths(%q) returned %q", v, p)
			}
		}
	})
}
