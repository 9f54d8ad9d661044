package docs

import (
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommands runs every command that a page shows, page by page from the top, in a
// copy of this repository; those of docs/cachekey.md and docs/same.md in a workspace
// with the tasks that they name. The commands in elsewhere and readers are not run.
func TestCommands(t *testing.T) {
	s := newStage(t)
	known := map[string]bool{} // entries of elsewhere and readers that are in use
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			checkLanguage(t, p, b, known)
		}
		snippets := p.snippets()
		if known[p.path+" sh"] {
			snippets = nil
		}
		for _, span := range p.spans {
			if ours.MatchString(span) && !isReference(p.path) {
				snippets = append(snippets, snippet{script: span})
			}
		}
		for i := range snippets {
			snippets[i].script = withoutElsewhere(snippets[i].script, known)
		}
		snippets = slices.DeleteFunc(snippets, func(s snippet) bool { return s.script == "" })
		if len(snippets) == 0 {
			continue
		}
		t.Run(p.path, func(t *testing.T) {
			t.Parallel()
			dir := s.directory(t, p)
			for _, snippet := range snippets {
				s.run(t, dir, snippet)
			}
		})
	}
	for command := range elsewhere {
		if !known[command] {
			t.Errorf("elsewhere: no page shows %s", command)
		}
	}
	for blocks := range readers {
		if !known[blocks] {
			t.Errorf("readers: no page shows %s", blocks)
		}
	}
}

// ours matches the commands of this repository in the prose of a page. TestNames checks
// those of the two programs.
var ours = regexp.MustCompile(`^(go (run|generate|test|build) |nix (run|flake (check|init))|npm |\./test|\.ci/run|nix/update-vendor-hash)`)

// unmarked matches a line that is a command and is not marked as one.
var unmarked = regexp.MustCompile(`^\s*(cachekey|same|go|nix|git|npm|gh|\./test|\.ci/run) `)

// checkLanguage reports code that no test runs or reads.
func checkLanguage(t *testing.T, p page, b block, known map[string]bool) {
	if name := p.path + " " + b.language; readers[name] != "" {
		known[name] = true
		return
	}
	switch {
	case isShell(b.language):
	case b.language == "text" && isReference(p.path):
	case b.language == "indented", b.language == "console", b.language == "":
		for _, line := range b.lines {
			if unmarked.MatchString(line) {
				t.Errorf("%s: a command needs \"$ \" before it, or an `sh` block: %s", p.path, line)
			}
		}
	default:
		t.Errorf("%s: nothing reads its %q blocks: see readers", p.path, b.language)
	}
}

// isReference reports whether a page is about one of the programs.
func isReference(path string) bool { return path == "docs/cachekey.md" || path == "docs/same.md" }

// withoutElsewhere returns a script without the lines that are run elsewhere.
func withoutElsewhere(script string, known map[string]bool) string {
	var here []string
	for line := range strings.SplitSeq(script, "\n") {
		command, _, _ := strings.Cut(line, " # ")
		command = strings.TrimSpace(command)
		if elsewhere[command] != (place{}) {
			known[command] = true
		} else if command != "" {
			here = append(here, line)
		}
	}
	return strings.Join(here, "\n")
}

// run runs a snippet and checks that it prints the lines that the page shows; digests,
// the system and times may differ.
func (s *stage) run(t *testing.T, dir string, page snippet) {
	cmd := exec.Command("bash", "-euc", page.script)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, s.env, t.Output()
	out, err := cmd.Output()
	// A diff that finds differences exits with 1.
	exit := new(exec.ExitError)
	differs := strings.Contains(page.script, "cachekey diff") && errors.As(err, &exit) && exit.ExitCode() == 1
	if err != nil && !differs {
		t.Fatalf("%s\n%v\n%s", page.script, err, out)
	}
	if got, want := anyValue(string(out)), anyValue(strings.Join(page.output, "\n")); !strings.Contains(got, want) {
		t.Errorf("%s\nprints\n%s\nin which this is not:\n%s", page.script, got, want)
	}
}

var values = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`\b[0-9a-df-np-sv-z]{52}\b|\b[0-9a-df-np-sv-z]{32}\b`), "DIGEST"},
	{regexp.MustCompile(`sha256-[0-9A-Za-z+/]{43}=`), "SRI"},
	{regexp.MustCompile(`(x86_64|aarch64)-(linux|darwin)`), "SYSTEM"},
	{regexp.MustCompile(`\d+\.\d+s`), "TIME"},
}

func anyValue(s string) string {
	for _, v := range values {
		s = v.pattern.ReplaceAllString(s, v.name)
	}
	return s
}
