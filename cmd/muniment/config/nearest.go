package config

import "strings"

// nearest is the key that somebody who wrote name most likely meant, or "".
func nearest(name string, among []string) string {
	best, distance := "", 3
	for _, key := range among {
		last := key[strings.LastIndexByte(key, '.')+1:]
		for _, candidate := range []string{key, last} {
			if d := editDistance(name, candidate); d < distance {
				best, distance = key, d
			}
		}
		if group, _, nested := strings.Cut(key, "."); nested && editDistance(name, group) < distance {
			best, distance = group, editDistance(name, group)
		}
	}
	return best
}

// editDistance is how many letters must be put in, taken out or changed to make a of b (Levenshtein).
func editDistance(a, b string) int {
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
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
