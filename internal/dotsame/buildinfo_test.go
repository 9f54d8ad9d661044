package dotsame

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"cachekey/internal/digest"
)

func sample() *BuildInfo {
	hello := digest.Of([]byte("hello"))
	b := &BuildInfo{
		TaskName:   "core:gen",
		InputHash:  digest.Of([]byte("in")).String(),
		Timestamp:  time.Date(2026, 11, 23, 17, 24, 0, 0, time.UTC),
		Schema:     BuildInfoSchema,
		DurationMS: 1234,
		Outputs: []Output{
			{Path: "dist", Type: TypeDir, Mode: 0o755},
			{Path: "dist/app", Type: TypeFile, Mode: 0o755, Size: 5, Digest: hello},
			{Path: "dist/app2", Type: TypeFile, Mode: 0o644, Size: 5, Digest: hello},
			{Path: "dist/current", Type: TypeLink, Link: "app"},
		},
		Recipe:  map[string]digest.Digest{"command": hello},
		Depends: map[string]digest.Digest{"core:fetch": hello},
		Inputs:  []Input{{"src/a\n.go", hello}, {"src/b,\n\"inputs\": [", hello}, {"src/b\\\xff", hello}},
	}
	b.OutputHash = OutputHash(b.Outputs).String()
	return b
}

func TestBuildInfoRoundTrip(t *testing.T) {
	want := sample()
	data, err := encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseBuildInfo(data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseBuildInfo: %v\ngot  %+v\nwant %+v\n%s", err, got, want, data)
	}
	head, err := parseHead(data)
	want.Inputs = nil
	if err != nil || !reflect.DeepEqual(head, want) {
		t.Errorf("parseHead: %v\ngot  %+v\nwant %+v", err, head, want)
	}
	if n := len(want.Blobs()); n != 1 {
		t.Errorf("%d blobs for two outputs with the same contents", n)
	}
}

func TestUpstreamBuildInfoIsForeign(t *testing.T) {
	data, err := os.ReadFile("testdata/existing-same.json")
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseBuildInfo(data)
	if err != nil {
		t.Fatal(err)
	}
	if !b.Foreign() || b.TaskName != "install" || b.InputHash != "ddb13951d8861a33" || b.Timestamp.IsZero() {
		t.Errorf("got %+v", b)
	}
	// Its file name: printf %s install | sha256sum
	if got, want := InfoName("install"), "1e142e6277b12b7e1110478a24caee8f006a9349e86970c890203d6266209463.json"; got != want {
		t.Errorf("InfoName = %s, want %s", got, want)
	}
}

func TestHostileBuildInfoIsRefused(t *testing.T) {
	d := digest.Of(nil)
	file := func(path string) Output { return Output{Path: path, Type: TypeFile, Mode: 0o644, Digest: d} }
	link := func(path, to string) Output { return Output{Path: path, Type: TypeLink, Link: to} }
	cases := map[string][]Output{
		"absolute":          {file("/etc/passwd")},
		"above":             {file("../x")},
		"above, inside":     {file("a/../../x")},
		"not shortest":      {file("a//b")},
		"dot":               {file("./a")},
		"empty":             {file("")},
		"NUL":               {file("a\x00b")},
		"git hook":          {file(".git/hooks/pre-commit")},
		"git hook, folded":  {file("sub/.GIT/hooks/pre-commit")},
		"same itself":       {file(".same/cache/environments/x.json")},
		"out of order":      {file("b"), file("a")},
		"twice":             {file("a"), file("a")},
		"below a link":      {link("a", "/etc"), file("a/passwd")},
		"below, not next":   {link("a", "/etc"), file("a-b"), file("a/passwd")},
		"below a file":      {file("a"), file("a/b")},
		"unknown type":      {{Path: "a", Type: "fifo"}},
		"setuid":            {{Path: "a", Type: TypeFile, Mode: 0o4755, Digest: d}},
		"negative size":     {{Path: "a", Type: TypeFile, Size: -1, Digest: d}},
		"file, no digest":   {{Path: "a", Type: TypeFile}},
		"dir with digest":   {{Path: "a", Type: TypeDir, Digest: d}},
		"link with mode":    {{Path: "a", Type: TypeLink, Link: "b", Mode: 0o777}},
		"link to nothing":   {{Path: "a", Type: TypeLink}},
		"link, NUL":         {link("a", "b\x00c")},
		"name of 256 bytes": {file(strings.Repeat("a", 256))},
	}
	for name, outputs := range cases {
		t.Run(name, func(t *testing.T) {
			b := sample()
			b.Outputs, b.OutputHash = outputs, OutputHash(outputs).String()
			if _, err := encode(b); err == nil {
				t.Errorf("%+v was accepted", outputs)
			}
		})
	}
}

func TestChangedOutputsAreRefused(t *testing.T) {
	data, err := encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	for old, changed := range map[string]string{
		`"dist/app2"`: `"dist/app3"`, `"0644"`: `"0666"`, `"link": "app"`: `"link": "/etc"`, `"size": 5`: `"size": 6`,
	} {
		if !bytes.Contains(data, []byte(old)) {
			t.Fatalf("%s is not in\n%s", old, data)
		}
		if _, err := ParseBuildInfo(bytes.Replace(data, []byte(old), []byte(changed), 1)); err == nil {
			t.Errorf("%s in place of %s was accepted", changed, old)
		}
	}
}

// TestBlobNames checks that the name of a blob is what b3sum prints for its contents.
// The vectors are BLAKE3's own (test_vectors.json: the empty input, and the bytes 0,
// 1, 2).
func TestBlobNames(t *testing.T) {
	for content, want := range map[string]string{
		"":             "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
		"\x00\x01\x02": "e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f",
	} {
		if got := BlobPath(digest.Of([]byte(content))); got != ".same/store/blobs/"+want[:2]+"/"+want {
			t.Errorf("%q: %s", content, got)
		}
	}
}

func FuzzParseBuildInfo(f *testing.F) {
	data, err := encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	existing, err := os.ReadFile("testdata/existing-same.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{data, existing, []byte(`{}`), []byte(`{"task_name":"a","schema":1}`), data[:len(data)/2]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseBuildInfo(data)
		if err != nil {
			return
		}
		for _, o := range b.Outputs {
			if !filepath.IsLocal(o.Path) {
				t.Errorf("output %q leaves the workspace", o.Path)
			}
		}
		again, err := encode(b)
		if err != nil {
			t.Fatalf("accepted but not written: %v", err)
		}
		c, err := ParseBuildInfo(again)
		if err != nil {
			t.Fatalf("written but not accepted: %v\n%s", err, again)
		}
		if third, err := encode(c); err != nil || !bytes.Equal(again, third) {
			t.Errorf("%v\nonce  %s\ntwice %s", err, again, third)
		}
	})
}

func TestBlobs(t *testing.T) {
	d := Open(t.TempDir())
	if err := d.WriteFile(Seal, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	d = Open(d.root) // another process
	content := bytes.Repeat([]byte("content\n"), 100_000)
	name, sum := filepath.Join(t.TempDir(), "f"), digest.Of(content)
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := d.PutBlob(f, digest.Of([]byte("other")), 5, 0o444); err == nil {
		t.Error("a blob of another digest was kept")
	}
	if err := d.PutBlob(f, sum, int64(len(content)), 0o444); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Path(Seal)); err == nil {
		t.Error("the seal is still there after the first write")
	}
	if left, _ := os.ReadDir(d.Path(Temp)); len(left) > 0 {
		t.Errorf("left in %s: %v", Temp, left)
	}
	get := func() ([]byte, error) {
		to, err := d.Temp()
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		err = d.GetBlob(to, sum, int64(len(content)))
		got, _ := os.ReadFile(to.Name())
		return got, err
	}
	if got, err := get(); err != nil || !bytes.Equal(got, content) || !d.ProveBlob(sum, int64(len(content))) {
		t.Fatalf("%v; read %d bytes of %d", err, len(got), len(content))
	}
	blob := d.Path(BlobPath(sum))
	if links, err := exec.Command("find", d.root, "-type", "f", "-links", "+1").Output(); err != nil || len(links) > 0 {
		t.Errorf("hard links: %s %v", links, err)
	}
	bad := bytes.Clone(content)
	bad[5] ^= 1
	if err := os.Remove(blob); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blob, bad, 0o644); err != nil {
		t.Fatal(err)
	}
	if d.ProveBlob(sum, int64(len(content))) {
		t.Error("a blob with a flipped bit passed")
	}
	if _, err := get(); err == nil {
		t.Error("a blob with a flipped bit was restored")
	}
	if d.HasBlob(sum, int64(len(content))) {
		t.Error("a blob with a flipped bit was kept")
	}
}

func encode(b *BuildInfo) ([]byte, error) {
	var to bytes.Buffer
	err := b.Encode(&to)
	return to.Bytes(), err
}

// TestCheckPath checks that the error of an invalid path says why it is one.
func TestCheckPath(t *testing.T) {
	for p, want := range map[string]string{
		"a/b":                           "",
		strings.Repeat("a/", 2048):      "has 4096 bytes, more than 4095",
		"a\xff":                         "is not valid UTF-8",
		"a/../b":                        "does not stay in the workspace",
		"/a":                            "does not stay in the workspace",
		"a/" + strings.Repeat("b", 256): "does not stay in the workspace",
		"a/.GIT/b":                      "is in .GIT",
		"a\x00":                         "invalid path",
	} {
		err := CheckPath(p)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: got %v, want %q", p, err, want)
		}
	}
}
