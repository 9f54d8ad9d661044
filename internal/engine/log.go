package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// maxLogEnd is how many bytes of a long log are kept of its beginning, and of its end.
const maxLogEnd = 8 << 20

// A recorder keeps what a task prints, without the values of secrets: in memory as
// long as that is little, and then in files. It never fails a task: what can't be
// written is lost, and with it the log.
type recorder struct {
	temp   func() (*os.File, error)
	secret mask

	first []byte   // at most MaxLogText bytes
	head  *os.File // the first maxLogEnd bytes; nil while first has them all
	last  *os.File // the last maxLogEnd bytes of what follows, as a ring
	size  int64    // of everything
	err   error
}

// newRecorder returns a recorder that hides the secrets.
func newRecorder(temp func() (*os.File, error), secrets []string) *recorder {
	r := &recorder{temp: temp}
	r.secret = mask{to: r.keep, secrets: secrets}
	return r
}

// Write never fails.
func (r *recorder) Write(p []byte) (int, error) {
	r.secret.write(p)
	return len(p), nil
}

// keep keeps p, after what was kept before.
func (r *recorder) keep(p []byte) {
	for len(p) > 0 && r.err == nil {
		n := 0
		switch room := int(min(maxLogEnd-r.size, int64(len(p)))); {
		case r.head == nil && len(r.first)+len(p) <= dotsame.MaxLogText:
			r.first = append(r.first, p...)
			n = len(p)
		case r.head == nil:
			if r.head, r.err = r.temp(); r.err == nil {
				_, r.err = r.head.Write(r.first)
			}
			continue
		case room > 0:
			n, r.err = r.head.Write(p[:room])
		case r.last == nil:
			r.last, r.err = r.temp()
			continue
		default:
			at := (r.size - maxLogEnd) % maxLogEnd
			n, r.err = r.last.WriteAt(p[:min(int64(len(p)), maxLogEnd-at)], at)
		}
		p = p[n:]
		r.size += int64(n)
	}
}

// Close frees the files.
func (r *recorder) Close() {
	if r == nil {
		return
	}
	for _, f := range []*os.File{r.head, r.last} {
		if f != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}
}

// log stores what was kept and returns it. It must be called once, at the end.
func (r *recorder) log(dir *dotsame.Dir) (*dotsame.Log, error) {
	r.secret.flush()
	if r.err != nil {
		return nil, r.err
	}
	if r.head == nil {
		return &dotsame.Log{Text: r.first}, nil
	}
	if r.last != nil {
		if err := r.appendLast(); err != nil {
			return nil, err
		}
	}
	size, err := r.head.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	sum, _, err := disk.Hash(context.Background(), int(r.head.Fd()), size, nil)
	if err == nil {
		err = dir.PutBlob(r.head, sum, size, 0o444)
	}
	return &dotsame.Log{Size: size, Digest: sum}, err
}

// appendLast appends to head how many bytes are left out, and the ring.
func (r *recorder) appendLast() error {
	rest := r.size - maxLogEnd
	from := int64(0) // where the ring begins
	if rest > maxLogEnd {
		fmt.Fprintf(r.head, "\n[%d bytes are not kept]\n", rest-maxLogEnd)
		from = rest % maxLogEnd
		rest = maxLogEnd
	}
	_, err := io.Copy(r.head, io.NewSectionReader(r.last, from, rest-from))
	if err == nil {
		_, err = io.Copy(r.head, io.NewSectionReader(r.last, 0, from))
	}
	return err
}

// minSecret is the length in bytes of the shortest value that a mask replaces: shorter
// ones occur by chance.
const minSecret = 6

// secrets returns the values of the variables with these names that are long enough for
// a mask.
func secrets(lookup func(string) (string, bool), names []string) []string {
	var values []string
	for _, name := range names {
		if value, _ := lookup(name); len(value) >= minSecret {
			values = append(values, value)
		}
	}
	return values
}

// A mask passes on what is written to it, with *** in place of each secret. It holds
// back the end of what it has, which may be the beginning of a secret.
type mask struct {
	to      func([]byte)
	secrets []string
	rest    []byte
}

func (m *mask) write(p []byte) {
	if len(m.secrets) == 0 {
		m.to(p)
		return
	}
	m.rest = append(m.rest, p...)
	m.replace(false)
	keep := m.possible()
	m.to(m.rest[:len(m.rest)-keep])
	m.rest = append(m.rest[:0], m.rest[len(m.rest)-keep:]...)
}

// replace passes on everything up to the last secret. Unless this is the end, it leaves
// one that may be part of another, which begins there or before.
func (m *mask) replace(end bool) {
	for {
		at, length := -1, 0
		for _, s := range m.secrets {
			i := bytes.Index(m.rest, []byte(s))
			if i >= 0 && (at < 0 || i < at || i == at && len(s) > length) {
				at, length = i, len(s)
			}
		}
		if at < 0 || !end && len(m.rest)-m.possible() <= at {
			return
		}
		m.to(m.rest[:at])
		m.to([]byte("***"))
		m.rest = m.rest[at+length:]
	}
}

// possible returns the length of the longest end of rest that is the beginning of a
// secret.
func (m *mask) possible() int {
	longest := 0
	for _, s := range m.secrets {
		for n := min(len(s)-1, len(m.rest)); n > longest; n-- {
			if bytes.HasSuffix(m.rest, []byte(s[:n])) {
				longest = n
			}
		}
	}
	return longest
}

// flush passes on the rest.
func (m *mask) flush() {
	m.replace(true)
	m.to(m.rest)
	m.rest = nil
}

// recorder returns a recorder for a run of t, or nil if t's output is not kept.
func (s *session) recorder(t *manifest.Task) *recorder {
	if t.NoLog {
		return nil
	}
	return newRecorder(s.dir.Temp, secrets(s.LookupEnv, s.PassEnv))
}

// keepLog stores what t printed and returns it. Without it, t's result is still stored.
func (s *session) keepLog(t *manifest.Task, r *recorder) *dotsame.Log {
	if r == nil {
		return nil
	}
	log, err := r.log(s.dir)
	if err != nil {
		s.warnf("task %q: what it printed is not kept: %v", t.Name, err)
		return nil
	}
	return log
}

// replay returns a function that writes a kept log; nil if there is nothing to write.
func (s *session) replay(log *dotsame.Log) func(io.Writer) error {
	if log == nil || len(log.Text) == 0 && log.Digest.IsZero() {
		return nil
	}
	return func(to io.Writer) error { return s.dir.CopyLog(to, log) }
}
