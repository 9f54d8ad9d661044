//go:build !linux

package dotsame

import (
	"errors"
	"os"
)

// reflink always fails. The clonefile of macOS only creates new files, and gives
// them the mode and times of the blob, which are not those of the output.
func reflink(*os.File, *os.File) error { return errors.ErrUnsupported }
