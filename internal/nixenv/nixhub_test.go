package nixenv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cachekey/internal/dotsame"
	"cachekey/internal/message"
)

// sampleRev is the revision in testdata/dot-same, which upstream same wrote.
const sampleRev = "ee09932cedcef15aaf476f9343d1dea2cb77e261"

// answer is a response of Nixhub's v2/resolve for a version of go; see
// ResolveResponse in internal/searcher/model.go of jetify-com/devbox.
const answer = `{"name": "go", "version": "1.25.4", "summary": "Go Programming language", "systems": {
  "x86_64-linux": {
    "flake_installable": {"ref": {"type": "github", "owner": "NixOS", "repo": "nixpkgs", "rev": "` + sampleRev + `"}, "attr_path": "go"},
    "last_updated": "2025-11-20T01:02:03Z",
    "outputs": [{"name": "out", "path": "/nix/store/0a3dyfq09dnkw28ap2i450wjimvdmv6s-go-1.25.4", "default": true, "nar": "nar/x.nar.xz"}]},
  "aarch64-darwin": {
    "flake_installable": {"ref": {"type": "github", "owner": "NixOS", "repo": "nixpkgs", "rev": "` + sampleRev + `"}, "attr_path": "go"},
    "last_updated": "2025-11-20T01:02:03Z"}}}`

// hurried waits a millisecond between two tries.
var hurried = policy{limit: time.Minute, tries: 3, pause: time.Millisecond}

type warnings struct {
	mu    sync.Mutex
	lines []string
}

func (w *warnings) warnf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.lines, "\n")
}

// newResolver returns a resolver of a new workspace that asks handler instead of
// Nixhub, its warnings, and the number of requests.
func newResolver(t *testing.T, handler http.HandlerFunc) (*Resolver, *warnings, *atomic.Int32) {
	t.Helper()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked.Add(1)
		if handler == nil {
			t.Errorf("unexpected request: %s", req.URL)
			return
		}
		handler(w, req)
	}))
	t.Cleanup(server.Close)
	warned := &warnings{}
	r := &Resolver{Root: t.TempDir(), System: "x86_64-linux", Nixhub: server.URL, Get: httpGet, Warnf: warned.warnf, nixhubPolicy: hurried}
	return r, warned, &asked
}

func TestNixhub(t *testing.T) {
	r, warned, asked := newResolver(t, func(w http.ResponseWriter, req *http.Request) {
		if got := req.URL.Path + " " + req.URL.Query().Get("name") + " " + req.URL.Query().Get("version"); got != "/v2/resolve go 1.25.4" {
			t.Errorf("asked for %s", got)
		}
		fmt.Fprint(w, answer)
	})
	tools := map[string]string{"go": "go@1.25.4", "again": "go@1.25.4"}
	first, err := r.Resolve(t.Context(), tools)
	if err != nil {
		t.Fatal(err)
	}
	goTool := first.Tools[1]
	if goTool.Alias != "go" || goTool.Flake != "github:NixOS/nixpkgs/"+sampleRev || goTool.Attr != "go" {
		t.Errorf("resolved to %+v", goTool)
	}
	// The file has the shape of upstream same's.
	var got, want map[string]any
	sample := "cache/nixhub/a8ac4cd8ba97e70f9340f22bc3b4a062bf6fd386ba89d6138c90b4640d17a9c6.json"
	readJSON(t, filepath.Join(r.Root, ".same", sample), &got)
	readJSON(t, filepath.Join("testdata/dot-same", sample), &want)
	if shape(got["systems"].(map[string]any)["x86_64-linux"]) != shape(want["systems"].(map[string]any)["x86_64-linux"]) ||
		strings.Join(sortedNames(got), " ") != strings.Join(sortedNames(want), " ") || got["alias"] != "go" || got["version"] != "1.25.4" {
		t.Errorf("cached %v", got)
	}
	// There was one request for the two tools, and another resolver needs none.
	other := &Resolver{Root: r.Root, System: r.System, Nixhub: r.Nixhub, Get: httpGet}
	second, err := other.Resolve(t.Context(), tools)
	if err != nil || second.Digest() != first.Digest() {
		t.Errorf("resolved again: %+v, %v", second, err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if warned.String() != "" {
		t.Error(warned)
	}
}

// TestExistingNixhubFile checks that a file of upstream same saves the request.
func TestExistingNixhubFile(t *testing.T) {
	r, warned, _ := newResolver(t, nil)
	copySample(t, r.Root)
	res, err := r.Resolve(t.Context(), map[string]string{"golang": "go@1.25.4"})
	if err != nil || res.Tools[0].Flake != "github:NixOS/nixpkgs/"+sampleRev {
		t.Errorf("got %+v, %v", res, err)
	}
	if warned.String() != "" {
		t.Error(warned)
	}
}

func TestNixhubFails(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		times   int32 // asked
		err     string
		hint    string
	}{
		{"404", func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }, 1,
			`tool "go" (go@1.25.4): go@1.25.4 is not on Nixhub`, "see https://www.nixhub.io/packages/go for the versions"},
		{"500", status(500), 3, "asking Nixhub, 3 times: HTTP status 500", "nixpkgs#go"},
		{"429", status(429), 3, "HTTP status 429", "check the network"},
		{"garbage", body("<html>hello</html>"), 3, "parsing the answer", "check the network"},
		{"another type", body(`{"systems": [1]}`), 3, "parsing the answer", "check the network"},
		{"an empty object", body(`{}`), 3, "it lists no systems", "check the network"},
		{"an attribute that would be code", body(strings.ReplaceAll(answer, `"attr_path": "go"`, `"attr_path": "go; throw 1"`)), 3, "is not an attribute", ""},
		{"a revision that is a branch", body(strings.ReplaceAll(answer, sampleRev, "master")), 3, "is not a revision of nixpkgs", ""},
		{"a fork of nixpkgs", body(strings.ReplaceAll(answer, "NixOS", "mallory")), 3, "is not a revision of nixpkgs", ""},
		{"not for this system", body(strings.ReplaceAll(answer, "x86_64-linux", "riscv64-linux")), 1,
			"nixpkgs has it for aarch64-darwin, riscv64-linux, but not for x86_64-linux", "use a version"},
		{"silence", func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }, 3, "no complete answer within 200ms", "check the network"},
		{"a slow drip", func(w http.ResponseWriter, req *http.Request) {
			for req.Context().Err() == nil {
				fmt.Fprint(w, " ")
				w.(http.Flusher).Flush()
				select {
				case <-req.Context().Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
		}, 3, "no complete answer within 200ms", "check the network"},
		{"an endless body", func(w http.ResponseWriter, req *http.Request) {
			line := strings.Repeat(" ", 1<<16)
			for range 64 {
				if _, err := fmt.Fprint(w, line); err != nil {
					return
				}
			}
		}, 3, "larger than 1048576 bytes", "check the network"},
		{"a lost connection", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "{")
			panic(http.ErrAbortHandler)
		}, 3, "EOF", "check the network"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _, asked := newResolver(t, tt.handler)
			if strings.Contains(tt.err, "200ms") {
				r.nixhubPolicy.limit = 200 * time.Millisecond
			}
			_, err := r.Resolve(t.Context(), map[string]string{"go": "go@1.25.4"})
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(message.Hint(err), tt.hint) {
				t.Errorf("got %v, hint %q", err, message.Hint(err))
			}
			if got := asked.Load(); got != tt.times {
				t.Errorf("asked %d times, want %d", got, tt.times)
			}
			if _, err := os.Stat(filepath.Join(r.Root, ".same")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("something was cached: %v", err)
			}
		})
	}
}

// TestNixhubRetries checks that a request that fails twice is made a third time.
func TestNixhubRetries(t *testing.T) {
	var n atomic.Int32
	r, _, _ := newResolver(t, func(w http.ResponseWriter, req *http.Request) {
		switch n.Add(1) {
		case 1:
			status(503)(w, req)
		case 2:
			body("busy")(w, req)
		default:
			body(answer)(w, req)
		}
	})
	if _, err := r.Resolve(t.Context(), map[string]string{"go": "go@1.25.4"}); err != nil {
		t.Fatal(err)
	}
}

// TestNixhubInterrupted checks that an interrupt ends the wait before a retry.
func TestNixhubInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r, _, _ := newResolver(t, func(w http.ResponseWriter, req *http.Request) {
		cancel(errors.New("interrupted"))
		status(500)(w, req)
	})
	r.nixhubPolicy = policy{limit: time.Hour, tries: 3, pause: time.Hour}
	if _, err := r.Resolve(ctx, map[string]string{"go": "go@1.25.4"}); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
}

// TestBadNixhubFile checks that a bad file from a restored cache is replaced.
func TestBadNixhubFile(t *testing.T) {
	good, err := os.ReadFile("testdata/dot-same/cache/nixhub/a8ac4cd8ba97e70f9340f22bc3b4a062bf6fd386ba89d6138c90b4640d17a9c6.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"truncated":            string(good[:len(good)/2]),
		"empty":                "",
		"another version's":    strings.Replace(string(good), `"version": "1.25.4"`, `"version": "1.25.5"`, 1),
		"a fork of nixpkgs":    strings.ReplaceAll(string(good), `"owner": "NixOS"`, `"owner": "mallory"`),
		"code in an attribute": strings.ReplaceAll(string(good), `"attr_path": "go"`, `"attr_path": "${throw 1}"`),
		"giant":                strings.Repeat(" ", maxResponse) + string(good),
	} {
		t.Run(name, func(t *testing.T) {
			r, warned, asked := newResolver(t, body(answer))
			file := filepath.Join(r.Root, dotsame.NixhubPath("go", "1.25.4"))
			write(t, file, bad)
			if _, err := r.Resolve(t.Context(), map[string]string{"go": "go@1.25.4"}); err != nil {
				t.Fatal(err)
			}
			if asked.Load() != 1 || !strings.Contains(warned.String(), "ignoring ") {
				t.Errorf("asked %d times, warned %q", asked.Load(), warned)
			}
			again := &Resolver{Root: r.Root, System: r.System, Nixhub: r.Nixhub, Get: httpGet}
			if _, err := again.Resolve(t.Context(), map[string]string{"go": "go@1.25.4"}); err != nil || asked.Load() != 1 {
				t.Errorf("not replaced: %v", err)
			}
		})
	}
}

// TestSeveralBadTools checks that all errors are reported, in order.
func TestSeveralBadTools(t *testing.T) {
	r, _, _ := newResolver(t, func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) })
	_, err := r.Resolve(t.Context(), map[string]string{"c": "c@1", "a": "a@1", "b": "nonsense"})
	var several message.Several
	if !errors.As(err, &several) || len(several) != 3 || !strings.HasPrefix(several[1].Error(), `tool "b" (nonsense)`) {
		t.Errorf("got %v", err)
	}
}
