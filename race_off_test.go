//go:build !race

package signet_test

const raceDetector = false
