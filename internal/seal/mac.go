package seal

import (
	"fmt"

	"github.com/zeebo/blake3"

	"cachekey/internal/digest"
	"cachekey/internal/message"
)

// A MACKey authenticates seals.
type MACKey [32]byte

// SecretVariable is the environment variable that the secret comes from.
const SecretVariable = "CACHEKEY_SEAL_KEY"

// DeriveKey makes a MAC's key of secret. It is nil for an empty secret, which is
// none: GitHub gives a fork's job an empty one. A secret of less than MinSecret bytes is an error.
func DeriveKey(secret string) (*MACKey, error) {
	if secret == "" {
		return nil, nil
	}
	if len(secret) < MinSecret {
		return nil, message.WithHint(fmt.Errorf("%s has %d bytes, at least %d are needed", SecretVariable, len(secret), MinSecret),
			"make one with: openssl rand -hex 32")
	}
	var k MACKey
	blake3.DeriveKey(macContext, []byte(secret), k[:])
	return &k, nil
}

// A summer sums up the lines of a seal.
type summer struct {
	plain *blake3.Hasher
	keyed *blake3.Hasher // nil without a key
}

func newSummer(k *MACKey) (*summer, error) {
	s := &summer{plain: blake3.New()}
	if k != nil {
		keyed, err := blake3.NewKeyed(k[:])
		if err != nil {
			return nil, fmt.Errorf("keying a seal: %w", err)
		}
		s.keyed = keyed
	}
	return s, nil
}

func (s *summer) write(b []byte) {
	s.plain.Write(b)
	if s.keyed != nil {
		s.keyed.Write(b)
	}
}

func (s *summer) digest() (sum digest.Digest) {
	s.plain.Sum(sum[:0])
	return sum
}

func (s *summer) mac() (sum digest.Digest) {
	s.keyed.Sum(sum[:0])
	return sum
}
