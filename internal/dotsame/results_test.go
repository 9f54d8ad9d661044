package dotsame

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cachekey/internal/digest"
)

// TestResult checks that a result is what WriteResult was given, without the inputs,
// and that nothing else under its name is one.
func TestResult(t *testing.T) {
	d := Open(t.TempDir())
	b := sample()
	inputs, err := digest.Parse(b.InputHash)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.ReadResult(inputs); got != nil || err != nil {
		t.Errorf("before it was written: got %+v, %v", got, err)
	}
	if err := d.WriteResult(b); err != nil {
		t.Fatal(err)
	}
	got, err := d.ReadResult(inputs)
	if err != nil || got.InputHash != b.InputHash || got.OutputHash != b.OutputHash || len(got.Outputs) != len(b.Outputs) || len(got.Recipe) != len(b.Recipe) || got.Inputs != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, b)
	}
	if len(b.Inputs) == 0 {
		t.Error("WriteResult has changed its argument")
	}
	n := 0
	d.EachResult(func(r *BuildInfo) {
		if n++; r.InputHash != b.InputHash {
			t.Errorf("got %+v", r)
		}
	})
	if n != 1 {
		t.Errorf("got %d results, want 1", n)
	}

	// Under another hash it is no result.
	other := digest.Of([]byte("other"))
	data, err := os.ReadFile(d.Path(ResultPath(inputs)))
	if err != nil {
		t.Fatal(err)
	}
	for _, rel := range []string{ResultPath(other), Results + "/ab/" + filepath.Base(ResultPath(inputs)), Results + "/x"} {
		if err := d.WriteFile(rel, data); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := d.ReadResult(other); err == nil {
		t.Errorf("under another hash: got %+v", got)
	}
	n = 0
	if d.EachResult(func(*BuildInfo) { n++ }); n != 1 {
		t.Errorf("got %d results, want 1", n)
	}

	// With a list of inputs neither.
	var whole bytes.Buffer
	if err := b.Encode(&whole); err != nil {
		t.Fatal(err)
	}
	if got, err := ParseResult(whole.Bytes(), inputs); err == nil {
		t.Errorf("with inputs: got %+v", got)
	}
}

// TestFailure checks that a failure takes the place of a result, and ends with
// RemoveFailure.
func TestFailure(t *testing.T) {
	d := Open(t.TempDir())
	b := sample()
	inputs, err := digest.Parse(b.InputHash)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{d.WriteResult(b), d.WriteFailure("a", inputs)} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if r, err := d.ReadResult(inputs); r != nil || err != nil || !d.HasFailed(inputs) {
		t.Errorf("got result %+v, %v, failed %v", r, err, d.HasFailed(inputs))
	}
	for range 2 {
		if err := d.RemoveFailure(inputs); err != nil || d.HasFailed(inputs) {
			t.Errorf("got %v, failed %v", err, d.HasFailed(inputs))
		}
	}
}

// TestBoundFailures checks that old failures are removed, and the oldest of too many.
func TestBoundFailures(t *testing.T) {
	d := Open(t.TempDir())
	now := time.Now()
	failed := func(i int) digest.Digest { return digest.Of([]byte{byte(i >> 8), byte(i)}) }
	for i := range MaxFailures + 3 {
		name := d.Path(FailedPath(failed(i)))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		at := now.Add(-time.Duration(i) * time.Second)
		if i == 0 {
			at = now.Add(-FailureAge - time.Hour)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.BoundFailures(now); err != nil {
		t.Fatal(err)
	}
	for i := range MaxFailures + 3 {
		if want := i > 0 && i <= MaxFailures; d.HasFailed(failed(i)) != want {
			t.Errorf("%d: got %v, want %v", i, !want, want)
		}
	}
}
