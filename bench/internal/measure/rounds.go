package measure

import (
	"fmt"
	"slices"
	"time"
)

// A Row is one line of a table: a command to run in each round.
type Row struct {
	Name    string
	Command Command
	Before  func() error           // not measured; nil for nothing to prepare
	After   func(out []byte) error // not measured; returns an error if the output is wrong
	Most    int                    // rounds at most, for what takes long; 0 for all
}

// A Result is what the rounds of a Row took.
type Result struct {
	Name    string
	Samples []Sample
}

// Rounds runs n rounds of all rows, interleaved, so that a disturbance of the machine
// affects all alike. Before, it runs every row once without measuring it, except rows
// limited to one round.
func Rounds(rows []Row, n int, progress func(string)) ([]Result, error) {
	results := make([]Result, len(rows))
	for round := range n + 1 {
		for i, row := range rows {
			warmUp := round == 0
			if row.Most != 0 && (warmUp || round > row.Most) {
				continue
			}
			results[i].Name = row.Name
			sample, err := row.run()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", row.Name, err)
			}
			if !warmUp {
				results[i].Samples = append(results[i].Samples, sample)
			}
			progress(fmt.Sprintf("round %d: %s: %v", round, row.Name, sample.Wall.Round(time.Millisecond)))
		}
	}
	return results, nil
}

func (r Row) run() (Sample, error) {
	if r.Before != nil {
		if err := r.Before(); err != nil {
			return Sample{}, err
		}
	}
	sample, err := Run(r.Command)
	if err == nil && r.After != nil {
		err = r.After(sample.Out)
	}
	return sample, err
}

// Wall returns the median, minimum and maximum wall time.
func (r Result) Wall() (median, least, most time.Duration) {
	walls := make([]time.Duration, len(r.Samples))
	for i, s := range r.Samples {
		walls[i] = s.Wall
	}
	slices.Sort(walls)
	return mid(walls), walls[0], walls[len(walls)-1]
}

// CPU returns the median CPU time.
func (r Result) CPU() time.Duration {
	times := make([]time.Duration, len(r.Samples))
	for i, s := range r.Samples {
		times[i] = s.CPU
	}
	slices.Sort(times)
	return mid(times)
}

// Peak returns the most memory that any run took, in bytes.
func (r Result) Peak() int64 {
	var peak int64
	for _, s := range r.Samples {
		peak = max(peak, s.Peak)
	}
	return peak
}

// Spent returns the CPU time of all runs.
func Spent(results []Result) (sum time.Duration) {
	for _, r := range results {
		for _, s := range r.Samples {
			sum += s.CPU
		}
	}
	return sum
}

func mid(sorted []time.Duration) time.Duration {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
