package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cachekey/bench/internal/measure"
	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
)

// A workspace has one task whose outputs are all the files.
type workspace struct {
	root  string
	list  string // names the files, relative to root
	files int
	bytes int64
	some  string // one of the files
}

// newWorkspace makes a workspace whose cache has files from 8 bytes to 64 KiB, most
// of them small. It uses an existing one.
func newWorkspace(dir string, files int) (*workspace, error) {
	w := &workspace{root: filepath.Join(dir, "workspace"), list: filepath.Join(dir, "list"), files: files}
	made := filepath.Join(dir, "made")
	if _, err := os.Stat(made); errors.Is(err, fs.ErrNotExist) {
		if err := errors.Join(os.RemoveAll(dir), w.make(), os.WriteFile(made, nil, 0o644)); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	list, err := os.ReadFile(w.list)
	if err != nil {
		return nil, err
	}
	for name := range strings.Lines(string(list)) {
		w.some = strings.TrimSpace(name)
		info, err := os.Stat(filepath.Join(w.root, w.some))
		if err != nil {
			return nil, err
		}
		w.bytes += info.Size()
	}
	return w, nil
}

func (w *workspace) make() error {
	random := rand.NewChaCha8([32]byte{1})
	numbers := rand.New(random)
	var outputs []dotsame.Output
	var list bytes.Buffer
	for i := range w.files {
		content := make([]byte, 8+int(numbers.ExpFloat64()*4096)%(64<<10))
		random.Read(content)
		binary.LittleEndian.PutUint64(content, uint64(i)) // no two alike
		d := digest.Of(content)
		name := dotsame.BlobPath(d)
		if err := write(filepath.Join(w.root, name), content); err != nil {
			return err
		}
		fmt.Fprintln(&list, name)
		outputs = append(outputs, dotsame.Output{Path: fmt.Sprintf("out/%06d", i), Type: dotsame.TypeFile, Mode: 0o644, Size: int64(len(content)), Digest: d})
	}
	slices.SortFunc(outputs, func(a, b dotsame.Output) int { return cmp.Compare(a.Path, b.Path) })
	info := &dotsame.BuildInfo{TaskName: "all-of-it", InputHash: digest.Of(nil).String(), OutputHash: dotsame.OutputHash(outputs).String(),
		Timestamp: time.Unix(1, 0).UTC(), Schema: dotsame.BuildInfoSchema, Outputs: outputs}
	var encoded bytes.Buffer
	if err := info.Encode(&encoded); err != nil {
		return err
	}
	return errors.Join(
		write(filepath.Join(w.root, dotsame.InfoPath(info.TaskName)), encoded.Bytes()),
		write(filepath.Join(w.root, "same.yaml"), []byte("version: \"1\"\ntasks: {all-of-it: {cmd: [make], target: [out]}}\n")),
		write(filepath.Join(w.root, "flake.nix"), []byte("{ outputs = _: { }; }\n")),
		write(filepath.Join(w.root, "flake.lock"), []byte("{}\n")),
		write(w.list, list.Bytes()),
	)
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// findsOneByte checks that verify --deep finds a file with one wrong byte, and leaves the
// workspace sealed and complete.
func (w *workspace) findsOneByte(command func(...string) measure.Command) error {
	path := filepath.Join(w.root, w.some)
	good, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if _, err := measure.Run(command("seal")); err != nil {
		return err
	}
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	if err := os.WriteFile(path, bad, 0o644); err != nil {
		return err
	}
	sample, err := measure.Run(command("verify", "--deep", "--json"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, good, 0o644); err != nil {
		return err
	}
	var verdict struct{ Kept, Removed int }
	if err := json.Unmarshal(sample.Out, &verdict); err != nil {
		return err
	}
	if verdict.Removed != 1 || verdict.Kept != w.files {
		return fmt.Errorf("with one wrong byte verify --deep removed %d files and kept %d", verdict.Removed, verdict.Kept)
	}
	return nil
}

// whole checks that a round found all files and removed none.
func (w *workspace) whole(out []byte) error {
	var result struct{ Kept, Removed int }
	if err := json.Unmarshal(out, &result); err != nil {
		return err
	}
	if result.Kept != w.files+1 || result.Removed != 0 {
		return fmt.Errorf("%d files were kept and %d removed", result.Kept, result.Removed)
	}
	return nil
}
