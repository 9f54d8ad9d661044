package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

// A State is what a run does with a task.
type State string

// The states. Depends and Fails are those of planned tasks: Depends if another one
// runs first, and it hangs on the result of that one whether there is a stored result;
// Fails if the run would fail before its command, or that of a dependency.
const (
	Cached  State = "cached"
	Runs    State = "run"
	Depends State = "depends"
	Fails   State = "fails"
)

// A Reason is a reason why a task runs, or may run.
type Reason struct {
	Kind string `json:"kind"`
	Path string `json:"path,omitempty"` // the spelling of that of an input or output; the name of a dependency, program or command

	Message string `json:"message,omitempty"` // of an error
	Hint    string `json:"hint,omitempty"`
}

// The kinds of reasons. Besides them there is one for each part of a recipe:
// command-changed, environment-changed, targets-changed, tools-changed,
// path-changed (the /nix/store entries of PATH), system-changed, and with the name
// of a program or a command program-changed and toolchain-changed. A part that can't
// be known in this run has tools-unknown, program-unknown or toolchain-unknown.
const (
	NeverBuilt        = "never-built"
	RebuildAlways     = "rebuild-always"
	CacheDisabled     = "cache-disabled" // Config.NoCache
	InputAdded        = "input-added"
	InputRemoved      = "input-removed"
	InputChanged      = "input-changed"
	DependencyChanged = "dependency-changed"
	DependencyRuns    = "dependency-runs" // of a task that depends
	DependencyFails   = "dependency-fails"
	Failure           = "error"          // the only reason of a task that fails itself
	OutputMissing     = "output-missing" // neither in place nor in the store
	FailedBefore      = "failed-before"  // with these inputs, and has not succeeded since

	inputsChanged = "inputs-changed" // in a run, for all kinds of changes
)

// String returns the reason as `same plan` prints it.
func (r Reason) String() string {
	text := strings.ReplaceAll(r.Kind, "-", " ")
	switch {
	case r.Message != "":
		return text + ": " + message.OneLine(r.Message)
	case r.Path == "":
		return text
	case strings.ContainsFunc(r.Path, unicode.IsControl):
		return fmt.Sprintf("%s: %q", text, r.Path)
	}
	return text + ": " + message.OneLine(r.Path)
}

// A verdict is the decision about one task.
type verdict struct {
	state   State
	reasons []Reason // none if cached
	inputs  *inputs
	result  *dotsame.BuildInfo // with the outputs to restore; nil unless cached
	last    *dotsame.BuildInfo // the last success; nil if there is none, or it can't be used
	digest  digest.Digest      // counts among the inputs of tasks that depend on it; zero if only a run can tell
}

// decide decides whether t is skipped or runs. depends has the digests of its
// dependencies' results. In a plan, a digest is zero if the dependency runs first, so
// that its result is not known yet; the forecast then describes the files that t will
// find.
//
// A run stops at the first reason. A dry session lists all reasons, and checks that
// the outputs of a cached task can be restored, which a run notices when it restores
// them.
func (s *session) decide(ctx context.Context, t *manifest.Task, depends map[string]digest.Digest, then forecast) (*verdict, error) {
	in, err := s.newInputs(ctx, t, depends)
	if err != nil {
		return nil, err
	}
	if err := s.find(ctx, t, in, then); err != nil {
		return nil, err
	}
	v := &verdict{state: Cached, reasons: []Reason{}, inputs: in}
	if s.NoCache {
		v.reasons = append(v.reasons, Reason{Kind: CacheDisabled})
	}
	if t.Rebuild == manifest.Always {
		v.reasons = append(v.reasons, Reason{Kind: RebuildAlways})
	}
	for _, part := range slices.Sorted(maps.Keys(in.unsure)) {
		v.reasons = append(v.reasons, reasonOf(part, "unknown"))
	}
	forced := len(v.reasons) > 0 // t runs, whatever its inputs are
	var result *dotsame.BuildInfo
	if s.dry || !forced {
		var more []Reason
		v.last = s.lastSuccess(t, in)
		result, more = s.lookup(t, in, v.last, then)
		v.reasons = append(v.reasons, more...)
	}
	if s.dry && len(v.reasons) == 0 {
		v.reasons = append(v.reasons, s.missingOutputs(ctx, t, cmp.Or(result, v.last))...)
	}
	switch unknown := in.unknown(); {
	case len(unknown) > 0 && !forced && (len(v.reasons) == 0 || s.mayHaveResult(in)):
		v.state = Depends
		for _, d := range unknown {
			v.reasons = append(v.reasons, Reason{Kind: DependencyRuns, Path: d})
		}
	case len(v.reasons) > 0:
		v.state = Runs
	default:
		v.result = result
		v.digest = in.result(t, result.Outputs)
	}
	if len(t.Targets) == 0 {
		v.digest = in.hash
	}
	return v, nil
}

// lookup returns the stored result of t's inputs. If there is none, or t has failed with
// these inputs, it returns the reasons to run; they are empty if the input hash is not
// known, and nothing else has changed.
func (s *session) lookup(t *manifest.Task, in *inputs, last *dotsame.BuildInfo, then forecast) (*dotsame.BuildInfo, []Reason) {
	switch {
	case len(in.unknown()) > 0:
		return nil, s.changes(t, in, last, then)
	case s.dir.HasFailed(in.hash):
		return nil, []Reason{{Kind: FailedBefore}}
	case last != nil && last.InputHash == in.hash.String():
		return last, nil
	}
	result, err := s.dir.ReadResult(in.hash)
	if err == nil && result != nil && !result.Foreign() {
		if err = checkOutputs(result, t); err == nil {
			return result, nil
		}
	}
	if err != nil {
		s.warnf("task %q: a stored result can't be used: %v", t.Name, err)
	}
	return nil, s.changes(t, in, last, then)
}

// mayHaveResult reports whether the results of in's dependencies, which are not known
// yet, can be such that there is a stored result of in.
func (s *session) mayHaveResult(in *inputs) bool {
	unknown := in.unknown()
	for _, r := range s.results() {
		if fits(in.recipe, r.Recipe, func(part string) bool { return in.open && strings.HasPrefix(part, partProgram) }) &&
			fits(in.depends, r.Depends, func(task string) bool { return slices.Contains(unknown, task) }) {
			return true
		}
	}
	return false
}

// fits reports whether a and b are equal, except for digests that are not known.
func fits(a, b map[string]digest.Digest, unknown func(name string) bool) bool {
	for _, name := range sortedKeys(a, b) {
		d, ok := a[name]
		other, too := b[name]
		if !unknown(name) && (ok != too || d != other) {
			return false
		}
	}
	return true
}

// lastSuccess returns what is stored of t's last success, or nil if there is nothing
// that can be used.
func (s *session) lastSuccess(t *manifest.Task, in *inputs) *dotsame.BuildInfo {
	info, err := s.readBuildInfo(t)
	if err == nil && info != nil && !info.Foreign() && (info.InputHash == in.hash.String() || info.Recipe[partTargets] == in.recipe[partTargets]) {
		err = checkOutputs(info, t)
	}
	if err != nil {
		s.warnf("task %q: its stored result can't be used: %v", t.Name, err)
		return nil
	}
	if info == nil || info.Foreign() {
		if info != nil && info.Schema != 0 { // upstream same writes none
			s.otherVersion.Do(func() {
				s.warnf("results that another version of same has stored here are not used: their tasks run once more")
			})
		}
		return nil
	}
	return info
}

// maxReadAhead bounds the outputs of a build info that is held in memory while its task
// waits. Others are read when it is their turn.
const maxReadAhead = 100

// readAhead reads t's build info for readBuildInfo.
func (s *session) readAhead(t *manifest.Task) {
	if info, err := s.dir.ReadBuildInfo(t.Name); err == nil && info != nil && len(info.Outputs) <= maxReadAhead {
		s.ahead.Store(t, info)
	}
}

// readBuildInfo returns t's build info, or nil if there is none.
func (s *session) readBuildInfo(t *manifest.Task) (*dotsame.BuildInfo, error) {
	if info, ok := s.ahead.LoadAndDelete(t); ok {
		return info.(*dotsame.BuildInfo), nil
	}
	return s.dir.ReadBuildInfo(t.Name)
}

// checkOutputs returns an error if an output is at none of t's targets, or a target
// has no output. The build info may come from a cache, and be forged.
func checkOutputs(info *dotsame.BuildInfo, t *manifest.Task) error {
	for _, o := range info.Outputs {
		if !isBelow(o.Path, t.Targets...) {
			return fmt.Errorf("output %q is outside its targets", o.Path)
		}
	}
	for _, target := range t.Targets {
		_, ok := slices.BinarySearchFunc(info.Outputs, target, func(o dotsame.Output, p string) int { return strings.Compare(o.Path, p) })
		if !ok {
			return fmt.Errorf("target %q is not among its outputs", target)
		}
	}
	return nil
}

// changes lists the differences from the last success, except at paths whose files
// are not known until the run.
func (s *session) changes(t *manifest.Task, in *inputs, last *dotsame.BuildInfo, then forecast) (reasons []Reason) {
	if last == nil {
		return []Reason{{Kind: NeverBuilt}}
	}
	known := len(in.unknown()) == 0
	if known && !s.dry {
		return []Reason{{Kind: inputsChanged}} // a run need not know which
	}
	for _, part := range sortedKeys(in.recipe, last.Recipe) {
		if in.recipe[part] != last.Recipe[part] && !in.unsure[part] && !(in.open && strings.HasPrefix(part, partProgram)) {
			reasons = append(reasons, reasonOf(part, "changed"))
		}
	}
	for _, d := range sortedKeys(in.depends, last.Depends) {
		now, is := in.depends[d]
		if was, had := last.Depends[d]; is != had || !now.IsZero() && now != was {
			reasons = append(reasons, Reason{Kind: DependencyChanged, Path: d})
		}
	}
	if full, err := s.dir.ReadInputs(t.Name); err == nil && full != nil {
		reasons = append(reasons, inputChanges(in.list(), full.Inputs, then)...)
	}
	if known && len(reasons) == 0 && len(in.unsure) == 0 {
		return []Reason{{Kind: NeverBuilt}} // its list of inputs does not have the hash that it names
	}
	return reasons
}

// reasonOf returns the reason that something has happened to a part of a recipe.
func reasonOf(part, event string) Reason {
	kind, name, _ := strings.Cut(part, ":")
	return Reason{Kind: kind + "-" + event, Path: name}
}

func sortedKeys(a, b map[string]digest.Digest) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

func inputChanges(now, before []dotsame.Input, then forecast) (reasons []Reason) {
	for len(now) > 0 || len(before) > 0 {
		switch {
		case len(before) == 0 || len(now) > 0 && now[0].Path < before[0].Path:
			reasons = append(reasons, Reason{Kind: InputAdded, Path: now[0].Path.Spelling()})
			now = now[1:]
		case len(now) == 0 || now[0].Path > before[0].Path:
			if !then.open(string(before[0].Path)) {
				reasons = append(reasons, Reason{Kind: InputRemoved, Path: before[0].Path.Spelling()})
			}
			before = before[1:]
		default:
			if now[0] != before[0] {
				reasons = append(reasons, Reason{Kind: InputChanged, Path: now[0].Path.Spelling()})
			}
			now, before = now[1:], before[1:]
		}
	}
	return reasons
}

// missingOutputs lists the outputs of t that could not be restored.
func (s *session) missingOutputs(ctx context.Context, t *manifest.Task, info *dotsame.BuildInfo) (reasons []Reason) {
	there, _ := s.scan(ctx, t)
	for _, o := range compare(there.outputs, info.Outputs).wrong {
		if o.Type == dotsame.TypeFile && !s.dir.ProveBlob(o.Digest, o.Size) {
			reasons = append(reasons, Reason{Kind: OutputMissing, Path: disk.Path(o.Path).Spelling()})
		}
	}
	return reasons
}
