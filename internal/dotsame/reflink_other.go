//go:build !linux

package dotsame

import (
	"errors"
	"os"
)

// reflink is not used here: macOS clones files only to names that do not exist
// yet, and its clonefile keeps the source's mode and times, which a blob's are
// not the output's.
func reflink(*os.File, *os.File) error { return errors.ErrUnsupported }
