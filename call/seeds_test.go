//go:build !race

package call_test

// roomSeeds is for TestNothingLeaksBetweenRooms.
const roomSeeds = 200
