package manifest

import (
	"strings"
	"testing"

	"cachekey/internal/message"

	"github.com/rogpeppe/go-internal/txtar"
)

func TestSelect(t *testing.T) {
	w, err := Load(unpack(t, txtar.Parse([]byte(`
-- same.work.yaml --
version: "1"
projects: [p, q]
-- p/same.yaml --
version: "1"
project: p
tasks:
  a: {cmd: [x], dependsOn: [z, "q:b"]}
  m: {cmd: [x]}
  z: {cmd: [x], dependsOn: [m]}
-- q/same.yaml --
version: "1"
project: q
tasks:
  b: {cmd: [x], dependsOn: ["p:m"]}
  lonely: {cmd: [x]}
`))))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, ask, want, hint string }{
		{"one without dependencies", "p:m", "p:m", ""},
		{"dependencies first", "p:a", "p:m p:z q:b p:a", ""},
		{"asked for twice", "p:a p:m p:a", "p:m p:z q:b p:a", ""},
		{"all", "all", "p:m p:z q:b p:a q:lonely", ""},
		{"all and more", "q:b all", "p:m p:z q:b p:a q:lonely", ""},
		{"nothing", "", "", ""},
		{"mistyped", "q:lonley", `unknown task "q:lonley"`, `did you mean "q:lonely"?`},
		{"without its project", "lonely", `unknown task "lonely"`, `did you mean "q:lonely"?`},
		{"all mistyped", "al", `unknown task "al"`, `did you mean "all"?`},
		{"far from all", "entirely-different", `unknown task "entirely-different"`, "the tasks are all, p:a, p:m, p:z, q:b, q:lonely"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tasks, err := w.Select(strings.Fields(tt.ask)...)
			if err != nil {
				if err.Error() != tt.want || message.Hint(err) != tt.hint {
					t.Errorf("got %v, hint %q", err, message.Hint(err))
				}
				return
			}
			var names []string
			for _, task := range tasks {
				names = append(names, task.Name)
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
