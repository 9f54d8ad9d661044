package manifest

import "path/filepath"

// Root returns the absolute root of the workspace that contains dir, as Load
// does, but reads only `root` in the manifest that Find returns. Mistakes in the
// manifest are left to Load; if they hide the root, Root returns the manifest's own
// directory. Without a manifest the error is a *NotFoundError.
func Root(dir string) (string, error) {
	return RootFrom(dir, func(string, int64) ([]byte, bool, error) { return nil, false, nil })
}

// RootFrom is Root for a caller that may have read the manifest: if read returns
// ok, the manifest is b and not opened.
func RootFrom(dir string, read func(path string, limit int64) (b []byte, ok bool, err error)) (string, error) {
	file, err := Find(dir)
	if err != nil {
		return "", err
	}
	name := filepath.Base(file)
	l := &loader{dir: filepath.Dir(file), mistakes: &mistakes{}}
	h := head{document: &document{file: name, mistakes: l.mistakes, left: maxRead}}
	data, ok, err := read(file, maxFile)
	if !ok && err == nil {
		data, err = readBounded(file)
	}
	if err != nil {
		return l.dir, nil
	}
	if top := h.parse(data); top != nil {
		for _, f := range h.fields(top, name) {
			if f.name == "root" {
				h.root = h.item(f.value, "root")
			}
		}
	}
	if !l.setRoot(h) {
		return l.dir, nil
	}
	return l.root, nil
}
