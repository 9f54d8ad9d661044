package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestExitCodes runs the commands of the table in exit-codes.md.
func TestExitCodes(t *testing.T) {
	text, err := os.ReadFile("exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	rows := regexp.MustCompile("(?m)^\\| ([0-9]) \\| `(.+?)` \\|").FindAllStringSubmatch(string(text), -1)
	commands := map[string]bool{}
	for _, row := range rows {
		cmd := exec.Command("bash", "-c", row[2])
		cmd.Dir, cmd.Env = s.workspace, s.env
		out, _ := cmd.CombinedOutput()
		if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != row[1] {
			t.Errorf("%s: exit code %s, want %s\n%s", row[2], got, row[1], out)
		}
		for _, name := range regexp.MustCompile(`\b(?:same|cachekey) [a-z-]+`).FindAllString(row[2], -1) {
			commands[name] = true
		}
	}
	for _, page := range []string{"same", "cachekey"} {
		text, err := os.ReadFile(filepath.Join(page + ".md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)^## `?("+page+" [a-z-]+)").FindAllStringSubmatch(string(text), -1) {
			if name := strings.TrimSpace(m[1]); !commands[name] && !strings.HasSuffix(name, " completion") && !strings.HasSuffix(name, " help") {
				t.Errorf("no row is about %s", name)
			}
		}
	}
}
