package key

import (
	"cachekey/internal/message"
	"strings"

	"github.com/nix-community/go-nix/pkg/nixbase32"
)

// Segments are the parts of a key that can be read off it.
type Segments struct {
	Head               string // prefix, schema, extras and system: not told apart
	Locks, Tasks, Tree string // digests
}

// ParseKey takes a key apart, from the right: only there the segments have
// lengths that are known, and no dash in them.
func ParseKey(k string) (*Segments, error) {
	var s Segments
	rest := k
	for _, part := range []struct {
		into   *string
		length int
	}{{&s.Tree, 52}, {&s.Tasks, 32}, {&s.Locks, 32}} {
		i := strings.LastIndexByte(rest, '-')
		if i < 1 || len(rest)-i-1 != part.length || nixbase32.ValidateString(rest[i+1:]) != nil {
			return nil, message.WithHint(message.Usagef("%.200q is not a key", k), "cachekey key prints one; a restore key is only its beginning")
		}
		*part.into, rest = rest[i+1:], rest[:i]
	}
	s.Head = rest
	return &s, nil
}
