package manifest

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// TestGraph compares Depends with a walk that visits every dependency.
func TestGraph(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		tasks := make([]*Task, 1+r.IntN(25))
		before := make([]map[string]bool, len(tasks)) // what a task depends on
		density := r.Float64()
		for i := range tasks {
			tasks[i], before[i] = &Task{Name: strconv.Itoa(i)}, map[string]bool{}
			for j := range i {
				if r.Float64() < density {
					tasks[i].DependsOn = append(tasks[i].DependsOn, tasks[j].Name)
					before[i][tasks[j].Name] = true
					for name := range before[j] {
						before[i][name] = true
					}
				}
			}
			r.Shuffle(len(tasks[i].DependsOn), func(a, b int) {
				d := tasks[i].DependsOn
				d[a], d[b] = d[b], d[a]
			})
		}
		shuffled := slices.Clone(tasks)
		r.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
		g := NewGraph(shuffled)
		for i, task := range tasks {
			for _, on := range tasks {
				if got, want := g.Depends(task.Name, on.Name), before[i][on.Name]; got != want {
					t.Fatalf("seed %d: task %s depends on %s: got %v, want %v", seed, task.Name, on.Name, got, want)
				}
			}
		}
	}
}
