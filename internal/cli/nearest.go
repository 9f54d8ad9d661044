package cli

// maxName is the length in bytes beyond which nobody mistypes a name.
const maxName = 256

// Nearest gives the candidate that name was most likely meant to be, or "".
// It serves flags, commands and every name in a manifest alike.
func Nearest(name string, candidates []string) string {
	best, bestDistance := "", len(name)/3+2
	if len(name) > maxName {
		return ""
	}
	for _, c := range candidates {
		if max(len(c)-len(name), len(name)-len(c)) >= bestDistance {
			continue // cannot be nearer, and is dear to find out
		}
		if d := distance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is Levenshtein's, over bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
