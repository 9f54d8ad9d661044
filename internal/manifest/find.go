package manifest

import (
	"cachekey/internal/message"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A NotFoundError says that a directory lies in no workspace.
type NotFoundError struct{ Dir string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no %s or %s in %s or above it", WorkspaceFile, TaskFile, e.Dir)
}

// Find gives the absolute path of the manifest that rules dir: the nearest
// same.work.yaml in dir or above it, else the nearest same.yaml. Without one the
// error is a *NotFoundError.
func Find(dir string) (file string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	standalone := ""
	for d := dir; ; d = filepath.Dir(d) {
		work := filepath.Join(d, WorkspaceFile)
		if ok, err := isManifest(work); err != nil {
			return "", err
		} else if ok {
			return work, nil
		}
		if standalone == "" {
			own := filepath.Join(d, TaskFile)
			if ok, err := isManifest(own); err != nil {
				return "", err
			} else if ok {
				standalone = own
			}
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	if standalone != "" {
		return standalone, nil
	}
	for _, name := range []string{WorkspaceFile, TaskFile} {
		short := strings.TrimSuffix(name, ".yaml") + ".yml"
		if _, err := os.Stat(filepath.Join(dir, short)); err == nil {
			return "", message.WithHint(&NotFoundError{dir}, "%s is there: rename it to %s", short, name)
		}
	}
	return "", message.WithHint(&NotFoundError{dir},
		"write a %s there, or name the directory with -C", TaskFile)
}

func isManifest(file string) (bool, error) {
	info, err := os.Stat(file)
	switch {
	case err == nil && info.Mode().IsRegular():
		return true, nil
	case err == nil:
		return false, fmt.Errorf("%s is not a regular file", file)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return false, nil
	default:
		return false, err
	}
}
