package report

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"cachekey/bench/internal/measure"
)

func TestTable(t *testing.T) {
	results := []measure.Result{
		{Name: "ours", Samples: []measure.Sample{{Wall: 300 * time.Millisecond, CPU: 400 * time.Millisecond, Peak: 20 << 20}}},
		{Name: "bound", Samples: []measure.Sample{{Wall: 200 * time.Millisecond, CPU: 200 * time.Millisecond, Peak: 5 << 20}}},
	}
	want := `| command | wall time, median (min–max) | CPU time | peak memory | runs | × bound | seen |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| ours | 0.300 s (0.300 s–0.300 s) | 0.400 s | 20 MiB | 1 | 1.50 | ours! |
| bound | 0.200 s (0.200 s–0.200 s) | 0.200 s | 5 MiB | 1 | 1.00 | bound! |
`
	got := Table(results, "bound", Column{Head: "seen", Cell: func(row string) string { return row + "!" }})
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTargets(t *testing.T) {
	got, missed := Targets([]Target{
		{Text: "at most", Got: 2, Limit: 2}, {Text: "too much", Got: 2.1, Limit: 2},
		{Text: "at least", Got: 5, Limit: 5, Least: true}, {Text: "too little", Got: 4.9, Limit: 5, Least: true},
	})
	want := `| target | limit | measured | |
| --- | ---: | ---: | --- |
| at most | ≤ 2 | 2.00 | pass |
| too much | ≤ 2 | 2.10 | **fail** |
| at least | ≥ 5 | 5.00 | pass |
| too little | ≥ 5 | 4.90 | **fail** |
`
	if got != want || missed != 2 {
		t.Errorf("%d missed, got\n%s\nwant\n%s", missed, got, want)
	}
}

func TestReplace(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	const before, after = "# Page\n<!-- a:begin: by hand -->\n", "<!-- a:end -->\nmore\n"
	if err := os.WriteFile(page, []byte(before+"old\n"+after), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Replace(page, "a", "new\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != before+"new\n"+after {
		t.Errorf("got %q, %v", got, err)
	}
	if err := Replace(page, "b", "new\n"); err == nil {
		t.Error("a page without the markers was accepted")
	}
}
