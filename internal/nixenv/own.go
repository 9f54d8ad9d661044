package nixenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

// A tool of the workspace's own flake (".#lint") counts by the path of its
// derivation, which covers everything that it is built from, and which only Nix can
// compute. Nix is asked once for the tools of all tasks. Its answer is cached for the
// same source tree, flake.nix and flake.lock: the last 20 answers in .same/local, and
// the last one in .same/cache, which CI carries.

const (
	maxAnswers     = 20
	maxDerivations = 1000     // of one answer
	maxAnswerFile  = 16 << 20 // bytes; 20 answers with 1000 derivations have some 3 MB
)

// A treeAnswer is the answer of Nix for one source tree.
type treeAnswer struct {
	State       digest.Digest `json:"state"`       // of the tree and the system
	Derivations derivations   `json:"derivations"` // attribute → path of its derivation
}

type derivations map[string]string

// UnmarshalJSON decodes derivations, with a bound on their number.
func (d *derivations) UnmarshalJSON(data []byte) (err error) {
	*d, err = disk.DecodeJSONMap[string](data, 48) // "a":"/nix/store/<32 characters>-a"
	return err
}

// derivationPath matches the path of a derivation, or of a package that is a plain
// store path.
var derivationPath = regexp.MustCompile(`^/nix/store/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+$`)

// parseAnswers parses a file of answers, which may come from a restored cache.
func parseAnswers(data []byte) ([]treeAnswer, error) {
	all, err := disk.DecodeJSONList[treeAnswer](data, 80) // {"state":"<64 hex>","derivations":{}}
	if err != nil {
		return nil, err
	}
	if len(all) > maxAnswers {
		return nil, fmt.Errorf("it has more than %d answers", maxAnswers)
	}
	for _, a := range all {
		if len(a.Derivations) > maxDerivations {
			return nil, fmt.Errorf("it has more than %d derivations", maxDerivations)
		}
		for attr, path := range a.Derivations {
			if _, err := manifest.ParseSpec(".#" + attr); err != nil || !derivationPath.MatchString(path) {
				return nil, fmt.Errorf("%.100q is not the derivation of a package %.100q", path, attr)
			}
		}
	}
	return all, nil
}

// An own holds the tools of the workspace's own flake.
type own struct {
	attrs []string // those that Prepare names, sorted
	ask   func() (map[string]string, map[string]error)
}

// Prepare begins to compute the derivations of the own tools among these sets of
// tools. Resolve waits for them. The caller must call stop.
func (r *Resolver) Prepare(ctx context.Context, sets []map[string]string) (stop func()) {
	r.init()
	for _, tools := range sets {
		if _, pinned := r.pinned(tools); pinned {
			continue // it counts by its packages
		}
		for _, text := range tools {
			if spec, err := manifest.ParseSpec(text); err == nil && spec.Flake == "." {
				r.own.attrs = append(r.own.attrs, spec.Attr)
			}
		}
	}
	slices.Sort(r.own.attrs)
	r.own.attrs = slices.Compact(r.own.attrs)
	if len(r.own.attrs) == 0 || r.checkFlake() != nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	found, failed := map[string]string(nil), map[string]error(nil)
	go func() {
		defer close(done)
		found, failed = r.derivations(ctx, r.own.attrs)
	}()
	r.own.ask = func() (map[string]string, map[string]error) { <-done; return found, failed }
	return func() { cancel(); <-done }
}

// derivation returns the path of the derivation of an attribute.
func (r *Resolver) derivation(ctx context.Context, attr string) (string, error) {
	var found map[string]string
	var failed map[string]error
	if slices.Contains(r.own.attrs, attr) && r.own.ask != nil {
		found, failed = r.own.ask()
	} else {
		found, failed = r.derivations(ctx, []string{attr})
	}
	return found[attr], failed[attr]
}

// derivations returns the paths of the derivations of attrs, and the errors of those
// that have none.
func (r *Resolver) derivations(ctx context.Context, attrs []string) (map[string]string, map[string]error) {
	failed := map[string]error{}
	narHash, state, err := r.state(ctx)
	if err != nil {
		for _, attr := range attrs {
			failed[attr] = err
		}
		return nil, failed
	}
	found := map[string]string{}
	local := r.answers(dotsame.LocalDerivations)
	for _, a := range slices.Concat(r.answers(dotsame.Derivations), local) {
		if a.State == state {
			for attr, path := range a.Derivations {
				found[attr] = path
			}
		}
	}
	missing := slices.DeleteFunc(slices.Clone(attrs), func(attr string) bool { return found[attr] != "" })
	if len(missing) == 0 {
		return found, failed
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("nix took longer than %v", r.Timeout))
	defer cancel()
	source, hash, err := r.ownSource(ctx)
	if err == nil {
		err = r.evaluate(ctx, source, missing, found)
	}
	for i := range missing {
		switch {
		case err == nil:
		case len(missing) == 1 || source == "" || ctx.Err() != nil:
			failed[missing[i]] = err
		default: // one package may be broken: ask for each alone
			if err := r.evaluate(ctx, source, missing[i:i+1], found); err != nil {
				failed[missing[i]] = err
			}
		}
	}
	if hash == narHash && len(found) > 0 { // otherwise the tree has changed meanwhile
		r.record(treeAnswer{state, found}, local)
	}
	return found, failed
}

// state returns the narHash of the own flake's tree, and a digest of everything that
// its derivations depend on.
func (r *Resolver) state(ctx context.Context) (narHash string, state digest.Digest, err error) {
	if narHash, err = r.NarHash(ctx); err != nil {
		return "", state, err
	}
	fields := []string{r.System, narHash}
	for _, name := range []string{"flake.nix", "flake.lock"} {
		data, err := disk.ReadTarget(filepath.Join(r.Flake, name), maxLock)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", state, err
		}
		fields = append(fields, digest.Of(data).String())
	}
	parts := digest.NewParts("cachekey same-v1 own flake")
	parts.Add('s', fields...)
	return narHash, parts.Sum(), nil
}

// answers returns the cached answers in file.
func (r *Resolver) answers(file string) []treeAnswer {
	data, err := r.dir.ReadFile(file, maxAnswerFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var all []treeAnswer
	if err == nil {
		all, err = parseAnswers(data)
	}
	if err != nil {
		r.warnf("ignoring %s: %v", file, err)
	}
	return all
}

// record adds an answer to those in .same/local, and makes it the one in .same/cache.
func (r *Resolver) record(a treeAnswer, local []treeAnswer) {
	local = slices.DeleteFunc(local, func(old treeAnswer) bool { return old.State == a.State })
	local = append([]treeAnswer{a}, local[:min(len(local), maxAnswers-1)]...)
	for file, list := range map[string][]treeAnswer{dotsame.LocalDerivations: local, dotsame.Derivations: {a}} {
		data, err := json.Marshal(list)
		if err == nil {
			err = r.dir.WriteFile(file, data)
		}
		if err != nil {
			r.warnf("the derivations of this flake's packages are not cached: %v", err)
			return
		}
	}
}

// ErrOtherDerivation is returned by Environment if a tool of the own flake has another
// derivation than it was resolved to: the tree has changed in the meantime, or the
// cached answer is wrong. It may come from a cache.
var ErrOtherDerivation = errors.New("the flake has changed since its tools were resolved, or the cached derivation is wrong")

// forget removes the cached answers, so that the next run asks Nix.
func (r *Resolver) forget() {
	for _, file := range []string{dotsame.LocalDerivations, dotsame.Derivations} {
		if err := r.dir.Remove(file); err != nil {
			r.warnf("%v", err)
		}
	}
}

// Unresolved returns r with the derivations of its own tools unknown because of err.
func (r Resolution) Unresolved(err error) Resolution {
	r.Tools = slices.Clone(r.Tools)
	for i := range r.Tools {
		if t := &r.Tools[i]; t.own {
			t.derivation, t.Locked, t.unknown = "", "", err
		}
	}
	return r
}

// evaluate asks Nix for the derivations of attrs, and adds them to found.
func (r *Resolver) evaluate(ctx context.Context, source string, attrs []string, found map[string]string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "let\n%s  own = builtins.getFlake %s;\nin\n{\n", findPackage(r.System), nixString(source))
	for _, attr := range attrs {
		fmt.Fprintf(&b, "  %s = identity (find own %s);\n", nixString(attr), nixPath(attr))
	}
	b.WriteString("}\n")
	out, err := r.nix(ctx, "", "eval", "--json", "--expr", b.String())
	if err != nil {
		return err
	}
	var paths map[string]string
	if err := disk.DecodeJSON(out, &paths); err != nil {
		return fmt.Errorf("unexpected output of nix eval: %.200q", out)
	}
	for _, attr := range attrs {
		if !derivationPath.MatchString(paths[attr]) {
			return fmt.Errorf("unexpected output of nix eval: %.200q", out)
		}
	}
	for _, attr := range attrs {
		found[attr] = paths[attr]
	}
	return nil
}

// checkFlake returns an error if Nix cannot refer to the own flake.
func (r *Resolver) checkFlake() error {
	if r.Flake == "" {
		return errNoFlake
	}
	if strings.ContainsAny(r.Flake, "?#%\"\\$\n") {
		return message.WithHint(fmt.Errorf("the directory %q cannot be part of a flake reference", r.Flake), "%s", `move it to a directory without ? # % " \ $`)
	}
	return nil
}

// resolveOwn resolves a package of the flake that contains the workspace. A package
// whose derivation cannot be computed is not an error but an unknown tool: Nix
// reports what is wrong when the task runs.
func (r *Resolver) resolveOwn(ctx context.Context, t *Tool) error {
	if err := r.checkFlake(); err != nil {
		return err
	}
	t.Flake, t.own = r.Flake, true
	derivation, err := r.derivation(ctx, t.Attr)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		t.unknown = err
		return nil
	}
	t.derivation, t.Locked = derivation, "derivation:"+derivation
	return nil
}

// Unknown returns the reason why the derivation of a tool is not known, or nil. If it
// is not nil, the resolution does not determine the tools.
func (r Resolution) Unknown() error {
	for _, t := range r.Tools {
		if t.unknown != nil {
			return fmt.Errorf("tool %q (%s): %w", t.Alias, t.Spec, t.unknown)
		}
	}
	return nil
}
