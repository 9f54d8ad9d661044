package hits

import (
	"cachekey/internal/message"
	"fmt"
	"strconv"
	"strings"
)

// A Requirement is what --require asks of a log.
type Requirement struct {
	text    string
	percent int      // at least so many of a hundred tasks are skipped
	none    bool     // no task is skipped
	tasks   []string // these are skipped
}

// ParseRequirement reads "all", "none", a percentage ("80%") or tasks ("build,test").
func ParseRequirement(s string) (*Requirement, error) {
	r := &Requirement{text: s}
	switch number, percent := strings.CutSuffix(s, "%"); {
	case s == "all":
		r.percent = 100
	case s == "none":
		r.none = true
	case percent:
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || n > 100 || number != strconv.Itoa(n) {
			return nil, message.Usagef("%q is not a percentage between 0%% and 100%%", s)
		}
		r.percent = n
	default:
		for task := range strings.SplitSeq(s, ",") {
			if task == "" {
				return nil, message.WithHint(message.Usagef("%q has an empty name in it", s), "--require takes all, none, a percentage or tasks: build,test")
			}
			r.tasks = append(r.tasks, task)
		}
	}
	return r, nil
}

// Check says what in l is not as required.
func (r *Requirement) Check(l *Log) (wrong []string) {
	switch {
	case r.none:
		for _, t := range l.Tasks {
			if t.Status == Skipped {
				wrong = append(wrong, fmt.Sprintf("task %q was skipped, and none is to be", t.Name))
			}
		}
	case r.tasks != nil:
		for _, name := range r.tasks {
			if w := notSkipped(l, name); w != "" {
				wrong = append(wrong, fmt.Sprintf("task %q is to be skipped, and %s", name, w))
			}
		}
	case l.Count(Skipped)*100 < r.percent*len(l.Tasks):
		if r.percent == 100 {
			for _, t := range l.Tasks {
				if t.Status != Skipped {
					wrong = append(wrong, fmt.Sprintf("task %q is to be skipped, and %s", t.Name, t.Status.verb()))
				}
			}
			break
		}
		wrong = append(wrong, fmt.Sprintf("%d of %d tasks were skipped, less than %s", l.Count(Skipped), len(l.Tasks), r.text))
	}
	return wrong
}

func notSkipped(l *Log, name string) string {
	t := l.Task(name)
	if t == nil {
		var names []string
		for _, t := range l.Tasks {
			names = append(names, t.Name)
		}
		if near := message.Nearest(name, names); near != "" {
			return fmt.Sprintf("is not in the log; %q is", near)
		}
		if _, err := strconv.Atoi(name); err == nil {
			return fmt.Sprintf("is not in the log; a percentage would be %q", name+"%")
		}
		return "is not in the log"
	}
	if t.Status == Skipped {
		return ""
	}
	return t.Status.verb()
}

func (s Status) verb() string {
	switch s {
	case Skipped:
		return "was skipped"
	case Unfinished:
		return "did not finish"
	default:
		return string(s)
	}
}
