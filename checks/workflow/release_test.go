package workflow

import (
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleaseOfTag runs the job that builds a release. The job that publishes it needs
// GitHub itself.
func TestReleaseOfTag(t *testing.T) {
	origin := thisRepository(t)
	h := newHub(t, origin, uses(t, origin)...)
	tag := event{
		workflow: ".github/workflows/release.yml", job: "build",
		payload: map[string]any{"ref": "refs/tags/v1.2.3"},
	}
	if r := h.run(t, tag); r.jobs["build"] != "failure" || !strings.Contains(r.text(), "has another version than v1.2.3") {
		t.Error("a tag with another version than that of nix/package.nix was released")
	}
	nix := edit(t, origin, "nix/package.nix", `version = "0.1.0"`, `version = "1.2.3"`)
	commit(t, origin, "the version", nix)
	if r := h.run(t, tag); r.jobs["build"] != "failure" || !strings.Contains(r.text(), `CHANGELOG.md has no section "## 1.2.3"`) {
		t.Error("a version that is not in the changelog was released")
	}
	commit(t, origin, "the changes", map[string]string{
		"CHANGELOG.md": "# Changes\n\n## 1.2.3 (2026-11-23)\n\n- This one.\n\n## 1.2.2\n\n- Another.\n",
	})
	r := h.run(t, tag)
	if r.jobs["build"] != "success" {
		t.Fatalf("the job ended as %v", r.jobs)
	}
	dist := filepath.Join(r.dir, "artifacts/release/files")
	notes, err := os.ReadFile(filepath.Join(r.dir, "artifacts/release/notes.md"))
	must(t, err)
	if got := strings.TrimSpace(string(notes)); got != "- This one." {
		t.Errorf("the notes are %q", got)
	}
	sums := map[string]string{}
	text, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
	must(t, err)
	for sum := range strings.Lines(string(text)) {
		digest, name, _ := strings.Cut(strings.TrimSpace(sum), "  ")
		sums[name] = digest
	}
	names := 0
	for _, program := range []string{"cachekey", "same"} {
		for _, system := range []string{"x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"} {
			name := program + "-" + system
			data, err := os.ReadFile(filepath.Join(dist, name))
			must(t, err)
			if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != sums[name] {
				t.Errorf("SHA256SUMS has %q for %s, whose digest is %s", sums[name], name, got)
			}
			built(t, filepath.Join(dist, name), system)
			names++
		}
	}
	if files, _ := os.ReadDir(dist); len(files) != names+1 || len(sums) != names {
		t.Errorf("the release has %d files, and digests of %d", len(files), len(sums))
	}
	for _, program := range []string{"cachekey", "same"} {
		if printed := command(t, ".", filepath.Join(dist, program+"-"+runnerSystem()), "--version"); printed != program+" 1.2.3" {
			t.Errorf("%s --version: got %q", program, printed)
		}
	}
	if got := h.keys(t); len(got) != 0 {
		t.Errorf("the release saved %q", got)
	}
}

// built checks that a program is for that system and static, and contains no path of
// the machine that built it.
func built(t *testing.T, file, system string) {
	t.Helper()
	info, err := buildinfo.ReadFile(file)
	must(t, err)
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[settings["GOARCH"]]
	if got := machine + "-" + settings["GOOS"]; got != system || settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" {
		t.Errorf("%s is built for %s with %v", filepath.Base(file), got, settings)
	}
	if !strings.HasSuffix(system, "-linux") {
		return // macOS has no static programs: each calls its libSystem
	}
	program, err := elf.Open(file)
	must(t, err)
	defer program.Close()
	if libraries, _ := program.ImportedLibraries(); len(libraries) != 0 || program.Section(".interp") != nil {
		t.Errorf("%s needs %q at run time", filepath.Base(file), libraries)
	}
}
