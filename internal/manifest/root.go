package manifest

import "path/filepath"

// Root gives the absolute root of the workspace that dir lies in, as Load does,
// but reads no more than the manifest that rules it. Mistakes in that are for
// Load to tell; where they hide the root, it is the manifest's own directory.
// Without a manifest the error is a *NotFoundError.
func Root(dir string) (string, error) {
	file, err := Find(dir)
	if err != nil {
		return "", err
	}
	l := &loader{dir: filepath.Dir(file), mistakes: &mistakes{}}
	var h head
	if name := filepath.Base(file); name == WorkspaceFile {
		if w := readWorkFile(file, name, l.mistakes); w != nil {
			h = w.head
		}
	} else if t := readTaskFile(file, name, l.mistakes); t != nil {
		h = t.head
	}
	if !l.setRoot(h) {
		return l.dir, nil
	}
	return l.root, nil
}
