package workflow

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nektos/act/pkg/artifactcache"
)

// immutable starts a cache server that refuses to save a key that has an entry, as
// GitHub's does and act's does not. It returns the address for the runners.
func (h *hub) immutable(t *testing.T) string {
	t.Helper()
	var behind *httputil.ReverseProxy
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/caches") {
			body, _ := io.ReadAll(r.Body)
			var asked artifactcache.Request
			if err := json.Unmarshal(body, &asked); err != nil {
				t.Error(err)
			}
			for _, e := range h.entries(t) {
				if strings.EqualFold(e.Key, asked.Key) && e.Version == asked.Version {
					w.WriteHeader(http.StatusConflict)
					io.WriteString(w, `{"message":"Cache already exists."}`)
					return
				}
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		behind.ServeHTTP(w, r)
	}))
	server, err := artifactcache.StartHandler(h.cache, front.URL, "127.0.0.1", 0, nil)
	must(t, err)
	t.Cleanup(func() { front.Close(); server.Close() })
	address, err := url.Parse("http://127.0.0.1")
	must(t, err)
	address.Host += ":" + port(server)
	behind = httputil.NewSingleHostReverseProxy(address)
	return server.ExternalURL() + "/"
}

func port(h *artifactcache.Handler) string {
	text, _ := json.Marshal(h.GetActualPort())
	return string(text)
}

// TestTakenKeyPrintsNotice restores a tampered entry, which cannot be replaced on
// GitHub. The job is green and prints a notice, and the next tree is saved again.
func TestTakenKeyPrintsNotice(t *testing.T) {
	origin, h := consumer(t)
	h.extra["PATH"] = programs(t) + ":" + os.Getenv("PATH")
	e := event{
		workflow: ".github/workflows/actions.yml",
		vars:     []string{"FROM=path"},
		env:      []string{"ACTIONS_CACHE_URL=" + h.immutable(t)},
	}
	if first := h.run(t, e); first.jobs["build"] != "success" || len(h.keys(t)) != 1 {
		t.Fatalf("the first run ended as %v, with the entries %q", first.jobs, h.keys(t))
	}
	h.tamper(t, h.entries(t)[0], func(dir string) { appendTo(t, filepath.Join(dir, ".same/seal.json"), " ") })
	second := h.run(t, e)
	if second.jobs["build"] != "success" || second.hit("build") != "none" {
		t.Errorf("over a tampered entry the job is a %v, its hit %q", second.jobs, second.hit("build"))
	}
	if printed := second.output("build", "Save"); !strings.Contains(printed, "Unable to reserve cache with key "+h.keys(t)[0]) {
		t.Errorf("the refusal is not printed:\n%s", printed)
	}
	if got := h.keys(t); len(got) != 1 {
		t.Errorf("the entries are %q", got)
	}
	commit(t, origin, "a text", map[string]string{"NEWS": "nothing that a task reads\n"})
	if third := h.run(t, e); third.hit("build") != "none" || len(h.keys(t)) != 2 {
		t.Errorf("the next commit has a hit %q and the entries %q", third.hit("build"), h.keys(t))
	}
	commit(t, origin, "another text", map[string]string{"NEWS": "still nothing\n"})
	if fourth := h.run(t, e); fourth.hit("build") != "partial" || len(h.keys(t)) != 2 {
		t.Errorf("the one after it has a hit %q and the entries %q", fourth.hit("build"), h.keys(t))
	}
}
