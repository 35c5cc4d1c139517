package words

import (
	"strings"
)

// Nearest finds the known word that somebody most likely meant by an unknown
// one, for "did you mean". It answers false when none is near: more than two
// letters apart, or more than a third of the word. Case does not count. Of
// equally near words the first wins.
func Nearest(word string, known []string) (string, bool) {
	const longest = 128 // a word that is longer is no misspelt name
	if word == "" || len(word) > longest {
		return "", false
	}
	word = strings.ToLower(word)
	best, distance := "", 3
	for _, k := range known {
		if len(k) > longest {
			continue
		}
		if d := editDistance(word, strings.ToLower(k)); d < distance && 3*d <= max(len(word), len(k)) {
			best, distance = k, d
		}
	}
	return best, best != ""
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
