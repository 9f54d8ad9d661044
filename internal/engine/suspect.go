package engine

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"cachekey/internal/files"
	"cachekey/internal/manifest"
)

// suspect tells people what is most likely not meant about t's inputs.
func (r *Runner) suspect(t *manifest.Task, in *inputs) {
	for _, pattern := range slices.Sorted(maps.Keys(in.match.Through)) {
		r.warnf("%s: task %q: input %q goes through the symbolic link %s, which counts as a link: no change behind it makes the task run again", t.Pos, t.Name, pattern, in.match.Through[pattern])
	}
	for _, f := range in.match.Found {
		if f.Kind == files.Link && slices.Contains(t.Inputs, f.Path) {
			r.suspectLink(t, in, f.Path)
		}
	}
	if len(r.makers) == 0 {
		return
	}
	asked := map[string]bool{}
	for _, f := range in.match.Found {
		maker := r.makerOf(f.Path)
		if maker == "" || maker == t.Name || asked[maker] {
			continue
		}
		asked[maker] = true
		if r.dependsOn(t, maker) {
			continue
		}
		r.warnf("%s: task %q: its input %s is made by task %q, on which it does not depend: which of them comes first is left to chance", t.Pos, t.Name, f.Path, maker)
	}
}

// suspectLink warns of a link that t names as an input, unless what it leads to is
// an input too, or lies in the Nix store, where nothing changes.
func (r *Runner) suspectLink(t *manifest.Task, in *inputs, link string) {
	to, err := os.Readlink(filepath.Join(r.Workspace.Root, filepath.FromSlash(link)))
	if err != nil || strings.HasPrefix(to, "/nix/store/") {
		return
	}
	if !path.IsAbs(to) {
		to = path.Join(path.Dir(link), to)
	}
	if slices.ContainsFunc(in.match.Found, func(f files.Found) bool { return f.Path == to || strings.HasPrefix(f.Path, to+"/") }) {
		return
	}
	r.warnf("%s: task %q: input %q is a symbolic link and counts as one: no change of %s, to which it leads, makes the task run again", t.Pos, t.Name, link, to)
}

// makerOf gives the task that has p at one of its targets, or "".
func (r *Runner) makerOf(p string) string {
	for ; p != "."; p = path.Dir(p) {
		if maker := r.makers[p]; maker != "" {
			return maker
		}
	}
	return ""
}

// dependsOn says whether t depends on the task called name, if only by way of
// others.
func (r *Runner) dependsOn(t *manifest.Task, name string) bool {
	seen := map[string]bool{}
	var depends func(t *manifest.Task) bool
	depends = func(t *manifest.Task) bool {
		if t == nil || seen[t.Name] {
			return false
		}
		seen[t.Name] = true
		return slices.Contains(t.DependsOn, name) || slices.ContainsFunc(t.DependsOn, func(d string) bool { return depends(r.Workspace.Task(d)) })
	}
	return depends(t)
}
