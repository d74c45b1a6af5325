//go:build !race

package main

// raceFactor is 1: the server is built without the race detector.
const raceFactor = 1
