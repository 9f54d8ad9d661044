package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A program maps its commands to their flags, as its page in docs/ lists them. A test
// of the program compares that page with the program. The command "" is the program
// without a command.
type program map[string]map[string]bool

var (
	sectionLine = regexp.MustCompile(`^## \S+ ?(.*)$`)
	flagLine    = regexp.MustCompile(`^  (-\w|  )(?:,|  ?) *--([a-z-]+)`)
)

func programs(t *testing.T) map[string]program {
	t.Helper()
	all := map[string]program{}
	for _, name := range []string{"cachekey", "same"} {
		p, command := program{}, ""
		for line := range strings.SplitSeq(read(t, "docs/"+name+".md"), "\n") {
			if m := sectionLine.FindStringSubmatch(line); m != nil {
				command = m[1]
				p[command] = map[string]bool{}
			} else if m := flagLine.FindStringSubmatch(line); m != nil {
				p[command][m[1]], p[command]["--"+m[2]] = true, true
			}
		}
		if len(p) < 5 {
			t.Errorf("docs/%s.md has only %d commands", name, len(p))
		}
		all[name] = p
	}
	return all
}

// TestNames checks that the commands and flags of our programs that prose names exist.
func TestNames(t *testing.T) {
	programs, seen := programs(t), 0
	flags := map[string]bool{}
	for _, p := range programs {
		for _, of := range p {
			for flag := range of {
				flags[flag] = true
			}
		}
	}
	for _, p := range pages(t) {
		if isReference(p.path) {
			continue
		}
		for _, span := range p.spans {
			words := strings.Fields(span)
			program, ok := programs[words[0]]
			switch {
			case ok && len(words) > 1 && words[1] != "v1": // a context string of the key's
				seen++
				if wrong := program.check(words[1:]); wrong != "" {
					t.Errorf("%s: `%s`: unknown %s", p.path, span, wrong)
				}
			case flag.MatchString(words[0]) && p.path != "docs/benchmarks.md": // these are its own programs'
				seen++
				if name, _, _ := strings.Cut(words[0], "="); !flags[name] {
					t.Errorf("%s: no command has the flag %s", p.path, name)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("saw only %d names", seen)
	}
}

var flag = regexp.MustCompile(`^--?[a-z]`)

// check returns the first word of the command that is not a known command or flag,
// or "".
func (p program) check(words []string) string {
	command := ""
	if !strings.HasPrefix(words[0], "-") {
		command, words = words[0], words[1:]
	}
	flags := p[command]
	if flags == nil {
		return command
	}
	for _, word := range words {
		if strings.ContainsAny(word, "|;&<>") {
			break
		}
		if name, _, _ := strings.Cut(word, "="); flag.MatchString(name) && !flags[name] {
			return name
		}
	}
	return ""
}

var (
	ownPath = regexp.MustCompile(`^(\.ci|\.github|action|bench|checks|docs|internal|nix|save|templates|tools)/[\w./-]*$`)
	mapLine = regexp.MustCompile(`^(\S+)(?:, (\S+))?(?:, (\S+))? {2,}\S`)
)

// TestPaths checks that the files of this repository that prose names exist, and that
// the list in CONTRIBUTING.md has every package below internal/.
func TestPaths(t *testing.T) {
	exists := func(page, path string) {
		t.Helper()
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			t.Errorf("%s: %v", page, err)
		}
	}
	mapped := map[string]bool{}
	for _, p := range pages(t) {
		for _, span := range p.spans {
			if ownPath.MatchString(span) {
				exists(p.path, span)
			}
		}
		if p.path == "CONTRIBUTING.md" {
			for _, line := range p.blocks[0].lines {
				for _, path := range mapLine.FindStringSubmatch(line)[1:] {
					mapped[path] = true
					exists(p.path, path)
				}
			}
		}
	}
	packages, err := filepath.Glob(filepath.Join(root, "internal/*/"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range packages {
		if path := "internal/" + filepath.Base(dir) + "/"; !mapped[path] {
			t.Errorf("the list in CONTRIBUTING.md has no %s", path)
		}
	}
}

// walkLine matches a step in the ```text blocks of CONTRIBUTING.md: its file, and the
// function in it.
var walkLine = regexp.MustCompile(` {2,}(\w+/\w+\.go) +(\w+)$`)

// TestWalks checks that each step in CONTRIBUTING.md is in the file that the page names.
func TestWalks(t *testing.T) {
	seen := 0
	for _, p := range pages(t) {
		if p.path != "CONTRIBUTING.md" {
			continue
		}
		for _, b := range p.blocks {
			for _, line := range b.lines {
				m := walkLine.FindStringSubmatch(line)
				if m == nil {
					continue
				}
				seen++
				data, err := os.ReadFile(filepath.Join(root, "internal", m[1]))
				if err != nil {
					t.Error(err)
				} else if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + m[2] + `\(`).Match(data) {
					t.Errorf("internal/%s has no function %s", m[1], m[2])
				}
			}
		}
	}
	if seen < 15 {
		t.Errorf("%d steps found", seen)
	}
}
