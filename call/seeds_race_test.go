//go:build race

package call_test

// roomSeeds is for TestNothingLeaksBetweenRooms; the race detector makes each course ten times as long.
const roomSeeds = 20
