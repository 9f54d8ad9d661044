package message

// maxName is the length in bytes of the longest name that Nearest compares.
const maxName = 256

// Nearest returns the candidate that name was most likely meant to be, or "". At
// most a third of its letters may be wrong, or one letter of a short name.
func Nearest(name string, candidates []string) string {
	if len(name) > maxName {
		return ""
	}
	best, bestDistance := "", maxName
	for _, c := range candidates {
		limit := min(max(1, max(len(name), len(c))/3), bestDistance-1)
		if max(len(c)-len(name), len(name)-len(c)) > limit {
			continue // not nearer, and distance is expensive
		}
		if d := distance(name, c); d <= limit {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance returns how many bytes must be inserted, removed, changed or swapped
// with the next one to turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range len(b) {
			change := above[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
