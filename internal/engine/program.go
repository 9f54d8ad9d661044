package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/files"
	"cachekey/internal/manifest"
)

// A program is the part of the inputs that stands for the program of a task, and for
// the interpreters that the first lines of scripts name:
//
//   - a file of the workspace is an input of the task, listed or not;
//   - a file in the Nix store counts by its path, which determines the content;
//   - any other file counts by its content, wherever it is.
//
// Links are followed. Libraries and other programs that it starts do not count.
type program struct {
	recipe  map[string]digest.Digest // of files outside the workspace, by part
	inputs  []string                 // files of the workspace, relative to its root
	unknown map[string]error         // why a file cannot be read, by part
	open    bool                     // in a plan: another task makes it first
}

// maxInterpreters bounds a chain of scripts that interpret each other. Linux allows
// fewer.
const maxInterpreters = 8

// programs caches programs until a file may have changed them.
type programs struct {
	mu    sync.Mutex
	known map[string]*program
}

// programChanged must be called after files have changed.
func (s *session) programChanged() { s.programs.Store(&programs{known: make(map[string]*program)}) }

// program returns the program of t when it is t's turn. A program that does not exist
// is left out: the task fails when it starts.
func (s *session) program(ctx context.Context, t *manifest.Task, then forecast) (*program, error) {
	if len(t.Command) == 0 {
		return &program{}, nil
	}
	l := &programLookup{session: s, dir: s.dir.Path(t.WorkingDir), targets: t.Targets, then: then}
	if l.path, l.hasPath = t.Env["PATH"]; !l.hasPath && len(t.Tools) == 0 {
		l.path, l.hasPath = s.LookupEnv("PATH")
	}
	known := s.programs.Load()
	id := strings.Join([]string{t.Command[0], l.dir, l.path, fmt.Sprint(l.hasPath)}, "\x00")
	if isEnv(t.Command[0]) {
		id += "\x00" + strings.Join(t.Command[1:], "\x00")
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	if p := known.known[id]; p != nil {
		return p, nil
	}
	l.found = &program{recipe: map[string]digest.Digest{}, unknown: map[string]error{}}
	err := l.follow(ctx, t.Command, maxInterpreters)
	if err == nil && !l.own {
		known.known[id] = l.found
	}
	return l.found, err
}

// A programLookup follows the program of one task.
type programLookup struct {
	*session
	dir     string // that the task runs in
	path    string // PATH
	hasPath bool   // false if the tools will set PATH: then they count, and not what is found there
	targets []string
	then    forecast
	own     bool // tasks with other targets or dependencies may find another program
	found   *program
}

// follow adds the program of a command, and its interpreters.
func (l *programLookup) follow(ctx context.Context, command []string, left int) error {
	name := command[0]
	if left == 0 {
		return nil
	}
	var first []byte
	if strings.Contains(name, "/") || l.hasPath {
		file, made := l.find(name)
		if made {
			return l.followOutput(ctx, file, left)
		}
		real, err := filepath.EvalSymlinks(file)
		if file == "" || err != nil {
			return nil
		}
		if first, err = l.add(ctx, partProgram+name, real); err != nil {
			return err
		}
	}
	if isEnv(name) {
		if err := l.env(ctx, command[1:], left-1); err != nil {
			return err
		}
	}
	return l.interpreter(ctx, first, left-1)
}

// find returns the file that starts when the task runs name, or "". In a plan, made
// reports whether a dependency makes that file, or decides whether it is this one.
func (l *programLookup) find(name string) (file string, made bool) {
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = filepath.SplitList(l.path)
		for i, entry := range candidates {
			candidates[i] = filepath.Join(entry, name)
		}
	}
	for _, file := range candidates {
		if !filepath.IsAbs(file) {
			file = filepath.Join(l.dir, file)
		}
		rel, inside := l.relative(file)
		switch {
		case inside && isBelow(rel, l.targets...):
			l.own = true // it is removed before the task starts
		case inside && l.inForecast(rel):
			if o, ok := l.then.output(rel); l.then.open(rel) || ok && (o.Type == dotsame.TypeLink || o.Type == dotsame.TypeFile && o.Mode&0o111 != 0) {
				return file, true
			}
		case executable(file) == nil:
			return file, false
		}
	}
	return "", false
}

// add adds the file at real, a path without links, and returns the beginning of its
// content.
func (l *programLookup) add(ctx context.Context, part, real string) (first []byte, err error) {
	if st, err := os.Stat(real); err != nil || !st.Mode().IsRegular() {
		return nil, nil
	}
	rel, inside := l.relative(real)
	switch {
	case strings.HasPrefix(real, "/nix/store/"):
		l.found.recipe[part] = parts('p', l.found.recipe[part].String(), real)
	case inside && !slices.ContainsFunc(strings.Split(rel, "/"), dotsame.Private):
		l.found.inputs = append(l.found.inputs, rel)
	default:
		f, ok, err := l.system.File(ctx, strings.TrimPrefix(real, "/"))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && !ok {
			err = errors.New("it was removed")
		}
		if err != nil {
			l.found.unknown[part] = err
			return nil, nil
		}
		l.found.recipe[part] = parts('p', l.found.recipe[part].String(), f.Digest.String())
	}
	first, err = beginning(real)
	if err != nil {
		l.found.unknown[part] = err
	}
	return first, nil
}

// relative returns a path relative to the workspace root, and whether it is below.
func (s *session) relative(file string) (rel string, inside bool) {
	for _, root := range []string{s.realRoot(), s.Workspace.Root} {
		if rel, err := filepath.Rel(root, file); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel), true
		}
	}
	return "", false
}

// inForecast reports whether a task that runs before will make, or remove, the file at
// rel.
func (l *programLookup) inForecast(rel string) bool {
	if !l.dry || l.makerOf(rel) == nil {
		return false
	}
	l.own = true
	return l.then.maker(rel) != nil
}

// followOutput adds a program that a dependency makes, from its stored output.
func (l *programLookup) followOutput(ctx context.Context, file string, left int) error {
	rel, _ := l.relative(file)
	for range 40 { // links
		o, ok := l.then.output(rel)
		if !ok {
			l.found.open = true
			return nil
		}
		switch o.Type {
		case dotsame.TypeLink:
			rel = path.Join(path.Dir(rel), o.Link)
			continue
		case dotsame.TypeFile:
			l.found.inputs = append(l.found.inputs, rel)
			first, err := beginning(l.session.dir.Path(dotsame.BlobPath(o.Digest)))
			if err != nil {
				return nil // it cannot be restored: the dependency runs
			}
			return l.interpreter(ctx, first, left-1)
		}
		return nil
	}
	return nil
}

// beginning returns as much of a file as Linux reads to find its interpreter.
func beginning(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, 256)
	n, err := io.ReadFull(f, buf)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	return buf[:n], err
}

// interpreter follows the #! line that a script begins with.
func (l *programLookup) interpreter(ctx context.Context, first []byte, left int) error {
	line, isScript := bytes.CutPrefix(first, []byte("#!"))
	if !isScript {
		return nil
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	text := strings.Trim(string(line), " \t")
	end := strings.IndexAny(text, " \t")
	if end < 0 {
		end = len(text)
	}
	name, argument := text[:end], strings.Trim(text[end:], " \t")
	if name == "" {
		return nil
	}
	if !strings.Contains(name, "/") {
		name = "./" + name // relative to the directory, not on PATH
	}
	command := []string{name}
	switch {
	case runtime.GOOS != "linux":
		command = append(command, strings.Fields(argument)...)
	case argument != "":
		command = append(command, argument) // Linux passes the rest of the line as one
	}
	return l.follow(ctx, command, left)
}

// env follows the program that env starts with these arguments.
func (l *programLookup) env(ctx context.Context, args []string, left int) error {
	c := parseEnv(args)
	if c.hasPath {
		l.path, l.hasPath = c.path, true
	}
	switch {
	case filepath.IsAbs(c.dir):
		l.dir = c.dir
	case c.dir != "":
		l.dir = filepath.Join(l.dir, c.dir)
	}
	if len(c.command) == 0 {
		return nil
	}
	if name := c.command[0]; strings.Contains(c.path+name, envVariable) {
		l.found.unknown[partProgram+strings.ReplaceAll(name, envVariable, "$")] = errors.New("env replaces variables in its name or in PATH")
		return nil
	}
	return l.follow(ctx, c.command, left)
}

// addProgram adds the program of t to in.
func (s *session) addProgram(ctx context.Context, t *manifest.Task, in *inputs, then forecast) error {
	maps.DeleteFunc(in.recipe, func(part string, _ digest.Digest) bool { return strings.HasPrefix(part, partProgram) })
	p, err := s.program(ctx, t, then)
	if err != nil {
		return err
	}
	maps.Copy(in.recipe, p.recipe)
	in.open = p.open
	for part, err := range p.unknown {
		in.unknowable(part)
		if !s.dry {
			s.warnf("task %q: its result is not cached, since its program %s can't be read: %v", t.Name, strings.TrimPrefix(part, partProgram), err)
		}
	}
	for _, p := range p.inputs {
		if err := s.addInput(ctx, t, in, p, then); err != nil {
			return err
		}
	}
	return nil
}

// addInput adds the file at p to the inputs that patterns have matched.
func (s *session) addInput(ctx context.Context, t *manifest.Task, in *inputs, p string, then forecast) error {
	if isBelow(p, t.Targets...) || in.has(p) {
		return nil // a target is emptied before the task starts
	}
	var f files.Found
	var ok bool
	var err error
	if then.maker(p) != nil {
		var o dotsame.Output
		o, ok = then.output(p)
		f, ok = files.FoundOutput(o), ok && o.Type == dotsame.TypeFile
	} else {
		f, ok, err = s.files.File(ctx, p)
	}
	if err != nil || !ok {
		return err
	}
	i, _ := slices.BinarySearchFunc(in.match.Found, p, func(f files.Found, p string) int { return strings.Compare(f.Path, p) })
	in.match.Found = slices.Insert(in.match.Found, i, f)
	return nil
}

// unknowable marks a part of the recipe as unknown in this run. The part gets a
// random digest, so that it causes no cache hit.
func (in *inputs) unknowable(part string) {
	if in.unsure == nil {
		in.unsure = map[string]bool{}
	}
	in.unsure[part] = true
	var d digest.Digest
	_, _ = rand.Read(d[:]) // never fails
	in.recipe[part] = d
}

// warnOfArguments warns of arguments of t's command that name a file which is not
// among its inputs.
func (s *session) warnOfArguments(t *manifest.Task, in *inputs) {
	if len(t.Command) == 0 {
		return
	}
	isShell := slices.Contains([]string{"sh", "bash", "dash", "zsh", "ksh", "ash", "fish"}, path.Base(t.Command[0]))
	for i, arg := range t.Command {
		if i == 0 || arg == "" || arg[0] == '-' || len(arg) > 4095 || isShell && strings.HasPrefix(t.Command[i-1], "-") && strings.HasSuffix(t.Command[i-1], "c") {
			continue
		}
		if !isShell && !strings.ContainsAny(arg, "/.") {
			continue // a word such as test in go test, although a file has that name
		}
		file := filepath.FromSlash(arg)
		if !filepath.IsAbs(file) {
			file = filepath.Join(s.dir.Path(t.WorkingDir), file)
		}
		rel, inside := s.relative(file)
		if !inside || in.has(rel) || isBelow(rel, t.Targets...) || slices.ContainsFunc(strings.Split(rel, "/"), dotsame.Private) {
			continue
		}
		if st, err := os.Stat(file); err != nil || !st.Mode().IsRegular() {
			continue
		}
		if maker := s.makerOf(rel); maker != nil && s.dependsOn(t, maker) {
			continue
		}
		s.warnf("%s: task %q: the argument %q of cmd names a file that is not among its inputs: changes of it do not make the task run again; list it under input", t.Pos, t.Name, arg)
	}
}
