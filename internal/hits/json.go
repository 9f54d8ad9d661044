package hits

// Schema is the version of what JSON gives.
const Schema = "v1"

// A Document is a report for scripts.
type Document struct {
	Schema  string         `json:"schema"`
	Tasks   []TaskDocument `json:"tasks"`
	Skipped int            `json:"skipped"`
	Ran     int            `json:"ran"`
	Failed  int            `json:"failed"`  // with those that did not finish
	Percent int            `json:"percent"` // of tasks that were skipped, rounded down
	SavedMS int64          `json:"saved_ms"`
	Wrong   []string       `json:"wrong"` // what is not as required
}

// A TaskDocument is a task in a Document.
type TaskDocument struct {
	Task    string `json:"task"`
	Status  Status `json:"status"`
	TookMS  int64  `json:"took_ms"`
	SavedMS int64  `json:"saved_ms"`
}

// JSON gives r for scripts.
func (r *Report) JSON() Document {
	l := r.Log
	d := Document{Schema: Schema, Tasks: []TaskDocument{}, Skipped: l.Count(Skipped), Ran: l.Count(Ran),
		Failed: l.Count(Failed, Unfinished), Percent: l.Percent(), SavedMS: l.Saved().Milliseconds(), Wrong: []string{}}
	d.Wrong = append(d.Wrong, r.Wrong...)
	for _, t := range l.Tasks {
		d.Tasks = append(d.Tasks, TaskDocument{t.Name, t.Status, t.Took.Milliseconds(), t.Saved.Milliseconds()})
	}
	return d
}
