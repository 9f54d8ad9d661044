package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/files"
	"cachekey/internal/manifest"
)

// inputsOf finds and hashes all that goes into t, now that what it depends on
// is done.
func (r *Runner) inputsOf(ctx context.Context, t *manifest.Task, depends map[string]digest.Digest) (*inputs, error) {
	in := &inputs{depends: depends}
	var err error
	if in.recipe, err = r.recipe(ctx, t); err != nil {
		return nil, fmt.Errorf("%s: task %q: %w", t.Pos, t.Name, err)
	}
	if err := r.look(ctx, t, in); err != nil {
		return nil, err
	}
	r.suspect(t, in)
	return in, nil
}

// look finds the files that go into t, as they are now, and sets the hash of
// all its inputs.
func (r *Runner) look(ctx context.Context, t *manifest.Task, in *inputs) (err error) {
	if in.match, err = r.match(ctx, t); err != nil {
		return err
	}
	if err := checkEmpty(t, in.match); err != nil {
		return err
	}
	in.sum()
	return nil
}

func (r *Runner) match(ctx context.Context, t *manifest.Task) (*files.Match, error) {
	patterns, err := files.Compile(t.Inputs, t.Targets)
	if err != nil {
		return nil, fmt.Errorf("%s: task %q: input %w", t.Pos, t.Name, err)
	}
	m, err := r.files.Match(ctx, patterns)
	if err != nil {
		return nil, fmt.Errorf("%s: task %q: %w", t.Pos, t.Name, err)
	}
	return m, nil
}

// remembered gives the build info that t could be skipped with, or nil: the
// last success had the same inputs and made what t makes.
func (r *Runner) remembered(t *manifest.Task, hash digest.Digest) *dotsame.BuildInfo {
	info, err := r.dir.ReadBuildInfo(t.Name)
	if err != nil {
		r.warnf("task %q: what was remembered of it can't be used: %v", t.Name, err)
		return nil
	}
	if info == nil || info.Foreign() || info.InputHash != hash.String() {
		return nil
	}
	if err := fits(info, t); err != nil {
		r.warnf("task %q: what was remembered of it can't be used: %v", t.Name, err)
		return nil
	}
	return info
}

// fits refuses outputs that are not t's to make, and a target without any. The
// build info comes out of a cache: it may have been made to look right.
func fits(info *dotsame.BuildInfo, t *manifest.Task) error {
	for _, o := range info.Outputs {
		if !under(o.Path, t.Targets) {
			return fmt.Errorf("output %q is at none of its targets", o.Path)
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

// scanPresent gives what lies at t's targets. missing tells of the first target
// that is not there.
func (r *Runner) scanPresent(ctx context.Context, t *manifest.Task) (outputs []dotsame.Output, missing, err error) {
	for _, target := range t.Targets {
		found, err := r.files.Scan(ctx, target)
		if errors.Is(err, files.ErrNotThere) {
			if missing == nil {
				missing = fmt.Errorf("target %q was not made: %w", target, err)
			}
			continue
		} else if err != nil {
			return nil, nil, err
		}
		outputs = append(outputs, found...)
	}
	slices.SortFunc(outputs, func(a, b dotsame.Output) int { return strings.Compare(a.Path, b.Path) })
	return outputs, missing, nil
}

// A difference is what lies at t's targets against what is remembered.
type difference struct {
	wrong []dotsame.Output // remembered, and missing or not so
	extra []dotsame.Output // there, and not remembered
}

func compare(have, want []dotsame.Output) (d difference) {
	for len(have) > 0 || len(want) > 0 {
		switch {
		case len(want) == 0 || len(have) > 0 && have[0].Path < want[0].Path:
			d.extra = append(d.extra, have[0])
			have = have[1:]
		case len(have) == 0 || have[0].Path > want[0].Path:
			d.wrong = append(d.wrong, want[0])
			want = want[1:]
		default:
			if have[0] != want[0] {
				d.wrong = append(d.wrong, want[0])
			}
			have, want = have[1:], want[1:]
		}
	}
	return d
}

func (d *difference) none() bool { return len(d.wrong) == 0 && len(d.extra) == 0 }
