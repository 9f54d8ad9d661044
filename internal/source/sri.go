package source

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// A Hash is a narHash: the SHA-256 of a NAR.
type Hash [sha256.Size]byte

// String gives the hash as Nix prints it, in the form of W3C's Subresource
// Integrity: sha256- and the padded base64 of the 32 bytes.
func (h Hash) String() string { return "sha256-" + base64.StdEncoding.EncodeToString(h[:]) }

// ParseHash reads what String gives. There is one spelling of a hash: what
// String would not print is refused.
func ParseHash(sri string) (Hash, error) {
	var h Hash
	text, ok := strings.CutPrefix(sri, "sha256-")
	if !ok {
		return h, fmt.Errorf("%q is not a narHash: it does not begin with %q", sri, "sha256-")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != len(h) || strings.ContainsAny(text, "\r\n") {
		return h, fmt.Errorf("%q is not a narHash: after %q come the 44 characters of the base64 of 32 bytes", sri, "sha256-")
	}
	return Hash(raw), nil
}
