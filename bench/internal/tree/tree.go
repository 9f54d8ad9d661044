// Package tree generates the source trees that the benchmarks measure: the
// same bytes under the same names on every machine, from a Spec alone.
package tree

import (
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A Spec describes a tree.
type Spec struct {
	Name      string
	Files     int   // tracked files
	Bytes     int64 // their sizes, summed; reached to within a few bytes a file
	Untracked int   // files beside them that git does not track, three in four of them ignored
}

// A file is one entry of a tree before it is written.
type file struct {
	path string // slash-separated, relative to the root
	mode os.FileMode
	link string // a symbolic link's target
	text string // content, when it matters what it is
	size int64
}

// Source code's file sizes are close to log-normal: half the files are below
// the median, and a few large ones hold most of the bytes.
const (
	sizeMedian = 3500
	sizeSigma  = 1.75
	sizeMost   = 4 << 20
	perDir     = 8 // files a directory, on average
	maxDepth   = 8
)

var words = strings.Fields(`account api archive auth batch binary blob build cache channel check client
	cluster codec command common config context cursor daemon data decode deploy diff digest disk docs driver
	edge encode engine error event export fetch filter format frame graph group handler hash header index
	input internal job kernel layout lexer link list loader local lock log manifest map merge message meter
	model module mount net node object output package parser patch path peer plan pool proxy queue reader
	record region render report request resolve result root router rule runner schema scope seal search
	server session shard sign source stack state store stream string sync table target task test token
	trace tree type update user value vector verify view walk watch worker writer zone`)

var suffixes = []string{".go", ".go", ".go", "_test.go", ".ts", ".tsx", ".md", ".json", ".yaml", ".py", ".c", ".h", ".sh", ".txt", ".svg"}

// files lists the tracked entries of the tree, every directory's together.
func (s Spec) files() []file {
	rng := rand.New(rand.NewPCG(0x63616368656b6579, uint64(s.Files)))
	dirs := s.dirs(rng)
	list := rootFiles()
	for i, dir := range dirs {
		if i%100 == 1 {
			list = append(list, file{path: path.Join(dir, "same.yaml"), text: fmt.Sprintf("version: \"1\"\nproject: p%d\ntasks: {}\n", i)})
		}
		if i%200 == 2 {
			list = append(list,
				file{path: path.Join(dir, "go.mod"), text: fmt.Sprintf("module example.org/m%d\n\ngo 1.25.0\n", i)},
				file{path: path.Join(dir, "go.sum"), size: 9000},
				file{path: path.Join(dir, "default.nix"), text: "{ pkgs }: pkgs.hello\n"})
		}
	}
	taken := map[string]bool{}
	for len(list) < s.Files {
		dir := dirs[rng.IntN(len(dirs))]
		name := words[rng.IntN(len(words))]
		if rng.IntN(2) == 0 {
			name += "_" + words[rng.IntN(len(words))]
		}
		full := path.Join(dir, name+suffixes[rng.IntN(len(suffixes))])
		if taken[full] {
			continue
		}
		taken[full] = true
		size := sizeMedian * math.Exp(sizeSigma*rng.NormFloat64())
		f := file{path: full, mode: 0o644, size: int64(min(size, sizeMost))}
		switch n := rng.IntN(1000); {
		case n < 5:
			f.link, f.size = path.Base(f.path)+".target", 0
		case n < 20:
			f.mode = 0o755
		}
		list = append(list, f)
	}
	scale(list, s.Bytes)
	return list
}

// dirs makes a tree of directories in which shallow ones are as common as deep ones.
func (s Spec) dirs(rng *rand.Rand) []string {
	dirs := []string{"."}
	taken := map[string]bool{}
	for len(dirs) < max(s.Files/perDir, 2) {
		parent := dirs[rng.IntN(len(dirs))]
		if strings.Count(parent, "/") >= maxDepth-1 {
			continue
		}
		name := words[rng.IntN(len(words))]
		// Siblings such as a, a-b and a.b sort differently by name than by path.
		if n := rng.IntN(10); n < 2 {
			name += []string{"-", "."}[n] + words[rng.IntN(len(words))]
		}
		dir := path.Join(parent, name)
		if !taken[dir] {
			taken[dir] = true
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func rootFiles() []file {
	return []file{
		{path: "flake.nix", text: "{\n  outputs = { self }: { };\n}\n"},
		{path: "flake.lock", text: "{\n  \"nodes\": {\n    \"root\": {}\n  },\n  \"root\": \"root\",\n  \"version\": 7\n}\n"},
		{path: "same.work.yaml", text: "version: \"1\"\nprojects: [\"*\"]\n"},
		{path: "go.mod", text: "module example.org/bench\n\ngo 1.25.0\n"},
		{path: "go.sum", size: 40_000},
		{path: ".gitignore", text: "node_modules/\n*.o\n"},
	}
}

// scale brings the sizes that are free to total.
func scale(list []file, total int64) {
	var sum int64
	for _, f := range list {
		sum += f.size
	}
	factor := float64(total) / float64(sum)
	for i := range list {
		list[i].size = int64(float64(list[i].size) * factor)
	}
}

// writeTo writes the tree below root, which must not exist yet.
func (s Spec) writeTo(root string) error {
	blob := text(8 << 20)
	for _, f := range s.files() {
		if err := f.writeTo(root, blob); err != nil {
			return err
		}
	}
	return nil
}

func (f file) writeTo(root string, blob []byte) error {
	name := filepath.Join(root, filepath.FromSlash(f.path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if f.link != "" {
		return os.Symlink(f.link, name)
	}
	if f.mode == 0 {
		f.mode = 0o644
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
	if err != nil {
		return err
	}
	if f.text != "" || f.size == 0 {
		_, err = io.WriteString(out, f.text)
	} else {
		err = fill(out, f, blob)
	}
	if err == nil {
		// The tree must not depend on the umask.
		err = out.Chmod(f.mode)
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// fill writes f.size bytes that no other file begins with.
func fill(w io.Writer, f file, blob []byte) error {
	head := "// " + f.path + "\n"
	if int64(len(head)) > f.size {
		head = head[:f.size]
	}
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	hash := fnv.New64a()
	io.WriteString(hash, f.path)
	rest := f.size - int64(len(head))
	from := int64(hash.Sum64() % uint64(int64(len(blob))-rest))
	_, err := w.Write(blob[from : from+rest])
	return err
}

// text is n bytes that look like lines of words.
func text(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, n+16)
	for column := 0; len(b) < n; {
		word := words[rng.IntN(len(words))]
		b = append(b, word...)
		if column += len(word) + 1; column > 70 {
			b, column = append(b, '\n'), 0
		} else {
			b = append(b, ' ')
		}
	}
	return b[:n]
}

// stamp names the tree by all that goes into it.
func (s Spec) stamp() string {
	const generator = 1 // to be raised when its output changes
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%d %+v", generator, s)
	return fmt.Sprintf("%s-%x", s.Name, hash.Sum64())
}
