package engine

import (
	"io"
	"os"
)

// maxHeld is how much of a task's output is held in memory, in bytes; more of
// it goes to a file without a name.
const maxHeld = 256 << 10

// A holding is the output of a task that has not ended.
type holding struct {
	memory []byte
	file   *os.File
	err    error
}

func (h *holding) Write(p []byte) (int, error) {
	if h.file == nil && h.err == nil && len(h.memory)+len(p) > maxHeld {
		if h.file, h.err = os.CreateTemp("", "same-output-*"); h.err == nil {
			os.Remove(h.file.Name())
			_, h.err = h.file.Write(h.memory)
			h.memory = nil
		}
	}
	switch {
	case h.err != nil:
	case h.file != nil:
		_, h.err = h.file.Write(p)
	default:
		h.memory = append(h.memory, p...)
	}
	return len(p), nil // the task must not be held up by it
}

func (h *holding) copyTo(w io.Writer) error {
	if _, err := w.Write(h.memory); err != nil {
		return err
	}
	if h.file == nil {
		return h.err
	}
	defer h.file.Close()
	if _, err := h.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(w, h.file); err != nil {
		return err
	}
	return h.err
}
