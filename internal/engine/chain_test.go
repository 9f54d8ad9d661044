package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/seal"
)

// A chained is a workspace whose .same was sealed with a secret. The task make makes the
// files out/a and out/b.
type chained struct {
	t    *testing.T
	root string
	mac  *seal.MACKey
}

var chainedOutputs = map[string]string{"a": "good a\n", "b": "good b\n"}

func newChained(t *testing.T) *chained {
	c := &chained{t: t, root: t.TempDir()}
	c.write("same.yaml", `{"version": "1", "tasks": {"make": {"input": ["in"], "target": ["out"], "cmd": ["sh", "-c", "mkdir out; echo good a >out/a; echo good b >out/b"]}}}`)
	c.write("in", "")
	c.run()
	mac, err := seal.DeriveKey("a secret of more than sixteen bytes")
	c.must(err)
	c.mac = mac
	doc := &key.Document{System: "x86_64-linux", Ingredients: []key.Ingredient{{Name: "locks", Digest: "locks"}}}
	_, err = seal.Make(t.Context(), seal.MakeOptions{Root: c.root, Doc: doc, Key: mac, Warnf: t.Errorf})
	c.must(err)
	c.must(os.RemoveAll(c.path("out")))
	c.must(os.RemoveAll(c.path(".same/local")))
	return c
}

func (c *chained) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *chained) path(p string) string { return filepath.Join(c.root, p) }

func (c *chained) write(p, text string) {
	c.t.Helper()
	c.must(os.MkdirAll(filepath.Dir(c.path(p)), 0o755))
	_ = os.Remove(c.path(p))
	c.must(os.WriteFile(c.path(p), []byte(text), 0o644))
}

func (c *chained) read(p string) string {
	c.t.Helper()
	data, err := os.ReadFile(c.path(p))
	c.must(err)
	return string(data)
}

// run runs the task and returns what it printed.
func (c *chained) run() string {
	c.t.Helper()
	w, err := manifest.Load(c.root)
	c.must(err)
	var out strings.Builder
	config := Config{Workspace: w, System: "x86_64-linux", LookupEnv: os.LookupEnv, Resolver: &world{}, Report: &Lines{To: &out},
		Warnf: func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }}
	tasks, err := w.Select(manifest.All)
	c.must(err)
	_, err = config.Run(c.t.Context(), tasks)
	c.must(err)
	return out.String()
}

func (c *chained) verify(deep bool) (*seal.Verdict, []string) {
	c.t.Helper()
	var found []string
	v, err := seal.Verify(c.t.Context(), seal.VerifyOptions{Root: c.root, System: "x86_64-linux", Locks: "locks", Key: c.mac, Deep: deep,
		Report: func(f seal.Finding) { found = append(found, f.String()) }, Warnf: c.t.Errorf})
	c.must(err)
	return v, found
}

func blobOf(content string) string { return dotsame.BlobPath(digest.Of([]byte(content))) }

func (c *chained) info() *dotsame.BuildInfo {
	c.t.Helper()
	info, err := dotsame.Open(c.root).ReadBuildInfo("make")
	c.must(err)
	return info
}

func (c *chained) result() string {
	c.t.Helper()
	inputs, err := digest.Parse(c.info().InputHash)
	c.must(err)
	return dotsame.ResultPath(inputs)
}

// forge returns a build info of the task whose outputs have the contents evil.
func (c *chained) forge(evil string) *dotsame.BuildInfo {
	info := c.info()
	for i, o := range info.Outputs {
		if o.Type == dotsame.TypeFile {
			info.Outputs[i].Digest, info.Outputs[i].Size = digest.Of([]byte(evil)), int64(len(evil))
		}
	}
	info.OutputHash = dotsame.OutputHash(info.Outputs).String()
	return info
}

func encode(t *testing.T, info *dotsame.BuildInfo) string {
	t.Helper()
	var b bytes.Buffer
	if err := info.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestChain attacks each step from the MAC of a seal to a result, and from a result to a
// blob. Whatever was done, the outputs are those of the task.
func TestChain(t *testing.T) {
	const evil = "evil a\n" // as long as the right one
	for name, attack := range map[string]struct {
		do   func(c *chained)
		seen bool // by a verify that reads no blob
		deep bool // by one that does
	}{
		"nothing":                 {func(*chained) {}, false, false},
		"wrong bytes, right size": {func(c *chained) { c.write(blobOf(chainedOutputs["a"]), evil) }, false, true},
		"exchanged blobs": {func(c *chained) {
			c.write(blobOf(chainedOutputs["a"]), chainedOutputs["b"])
			c.write(blobOf(chainedOutputs["b"]), chainedOutputs["a"])
		}, false, true},
		"a truncated blob": {func(c *chained) { c.write(blobOf(chainedOutputs["a"]), "good") }, true, true},
		"a longer blob":    {func(c *chained) { c.write(blobOf(chainedOutputs["a"]), chainedOutputs["a"]+"!") }, true, true},
		"a removed blob":   {func(c *chained) { c.must(os.Remove(c.path(blobOf(chainedOutputs["a"])))) }, true, true},
		"an added blob":    {func(c *chained) { c.write(blobOf(evil), evil) }, true, true},
		"a blob that is a link": {func(c *chained) {
			c.must(os.Remove(c.path(blobOf(chainedOutputs["a"]))))
			c.write("evil", evil)
			c.must(os.Symlink("../../../../evil", c.path(blobOf(chainedOutputs["a"]))))
		}, true, true},
		"a result of other outputs": {func(c *chained) {
			forged := c.forge(evil)
			forged.Inputs = nil
			c.write(blobOf(evil), evil)
			c.write(c.result(), encode(c.t, forged))
		}, true, true},
		"a build info of other outputs": {func(c *chained) {
			c.write(blobOf(evil), evil)
			c.write(dotsame.InfoPath("make"), encode(c.t, c.forge(evil)))
		}, true, true},
		"a result under another hash": {func(c *chained) {
			forged := c.forge(chainedOutputs["b"])
			forged.Inputs = nil
			other := digest.Of([]byte("other"))
			forged.InputHash = other.String()
			c.write(dotsame.ResultPath(other), encode(c.t, forged))
			c.must(os.Rename(c.path(c.result()), c.path(dotsame.ResultPath(other))))
		}, true, true},
		"proofs for wrong bytes": {func(c *chained) {
			c.write(blobOf(chainedOutputs["a"]), evil)
			c.write(dotsame.ProvenBlobs, "same proven blobs 1\n")
		}, false, true},
		"a seal of a forged result": {func(c *chained) {
			forged := c.forge(evil)
			c.write(blobOf(evil), evil)
			c.write(dotsame.InfoPath("make"), encode(c.t, forged))
			doc := key.Document{}
			line, _, _ := strings.Cut(strings.TrimPrefix(c.read(".same/seal.json"), `{"seal":"v2","key":`), `,"entries":`)
			c.must(json.Unmarshal([]byte(line), &doc))
			_, err := seal.Make(c.t.Context(), seal.MakeOptions{Root: c.root, Doc: &doc, Key: nil, Warnf: c.t.Errorf})
			c.must(err)
		}, true, true},
	} {
		for _, deep := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", deep ", deep), func(t *testing.T) {
				c := newChained(t)
				attack.do(c)
				v, found := c.verify(deep)
				if want := deep && attack.deep || !deep && attack.seen; v.Flawed() != want {
					t.Errorf("verify: %+v, %q; want a finding: %v", v, found, want)
				}
				printed := c.run()
				for file, want := range chainedOutputs {
					if got := c.read("out/" + file); got != want {
						t.Errorf("out/%s: got %q, want %q; the run printed:\n%s", file, got, want, printed)
					}
				}
				if attack.deep && !attack.seen && !deep && !strings.Contains(printed, "Runs again: damaged cache") {
					t.Errorf("the run printed:\n%s", printed)
				}
				if again := c.run(); !strings.Contains(again, "0 ran, 1 cached") {
					t.Errorf("the second run printed:\n%s", again)
				}
			})
		}
	}
}
