package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cachekey/internal/message"
)

const (
	maxMistakes = 25   // reported: more are likely to be one mistake repeated
	maxKept     = 1000 // collected, to report the first of them
	maxText     = 500  // bytes of each
)

// mistakes collects the mistakes and warnings of the manifests of one workspace.
type mistakes struct {
	files    []string // in the order in which they were read
	all      []mistake
	more     int // beyond maxKept
	warnings []string
}

type mistake struct {
	pos        Position
	text, cure string
}

func (m *mistakes) add(pos Position, cure, format string, args ...any) {
	if len(m.all) == maxKept {
		m.more++
		return
	}
	m.all = append(m.all, mistake{pos, clip(fmt.Sprintf(format, args...)), clip(cure)})
}

func (m *mistakes) warn(pos Position, format string, args ...any) {
	m.warnings = append(m.warnings, pos.String()+": "+fmt.Sprintf(format, args...))
}

// absorb adds those of a file that was read on its own.
func (m *mistakes) absorb(other *mistakes) {
	m.warnings = append(m.warnings, other.warnings...)
	m.more += other.more
	for _, x := range other.all {
		if len(m.all) == maxKept {
			m.more++
			continue
		}
		m.all = append(m.all, x)
	}
}

// err returns all mistakes in order of file, line and column, or nil.
func (m *mistakes) err() error {
	if len(m.all) == 0 {
		return nil
	}
	slices.SortStableFunc(m.all, func(a, b mistake) int {
		return cmp.Or(
			cmp.Compare(slices.Index(m.files, a.pos.File), slices.Index(m.files, b.pos.File)),
			cmp.Compare(a.pos.Line, b.pos.Line),
			cmp.Compare(a.pos.Column, b.pos.Column))
	})
	var several message.Several
	for i, x := range m.all {
		if i == maxMistakes {
			several = append(several, fmt.Errorf("%d more mistakes", len(m.all)-i+m.more))
			break
		}
		err := fmt.Errorf("%s: %s", x.pos, x.text)
		if x.cure != "" {
			err = message.WithHint(err, "%s", x.cure)
		}
		several = append(several, err)
	}
	if len(several) == 1 {
		return several[0]
	}
	return several
}

// many reports whether there are more mistakes than err lists.
func (m *mistakes) many() bool { return len(m.all) > maxMistakes }

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

func join(names []string) string { return strings.Join(names, ", ") }

func quote(s string) string { return fmt.Sprintf("%q", s) }

func quoted(words []string) string {
	for i, w := range words {
		words[i] = quote(w)
	}
	return join(words)
}
