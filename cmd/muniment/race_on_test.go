//go:build race

package main

// raceFactor is how many times as much memory a server may take that is built with the race detector, which keeps a
// shadow of all memory.
const raceFactor = 4
