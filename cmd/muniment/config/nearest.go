package config

import "strings"

// nearest is the key, or the group of keys, that somebody who wrote name most likely meant, or "".
func nearest(name string, among []string) string {
	best, distance := "", 3
	for _, key := range among {
		for end := len(key); end > 0; end = strings.LastIndexByte(key[:end], '.') {
			path := key[:end]
			for _, candidate := range []string{path, path[strings.LastIndexByte(path, '.')+1:]} {
				if d := editDistance(name, candidate); d < distance {
					best, distance = path, d
				}
			}
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
