package config

import (
	"fmt"
	"strings"
)

// didYouMean returns ` (did you mean "policy"?)`, or nothing when no word is near.
func didYouMean(written string, words []string) string {
	best, nearest := "", 3
	for _, word := range words {
		if d := distance(strings.ToLower(written), word, nearest); d < nearest && d < len(word) {
			best, nearest = word, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is the Levenshtein distance; words of very different length are
// limit apart.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
