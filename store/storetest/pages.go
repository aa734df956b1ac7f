package storetest

import "testing"

// wantPages reads a list, whole and in pages of two, and wants the records of these ids in it, in this order.
func wantPages[R any](t *testing.T, list func(size int, token string) ([]R, string, error), id func(R) string, want ...string) {
	t.Helper()
	for _, size := range []int{0, 2} {
		var ids []string
		for token := ""; ; {
			page, next, err := list(size, token)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				ids = append(ids, id(r))
			}
			if token = next; token == "" || len(ids) > len(want)+5 {
				break
			}
		}
		wantIDs(t, ids, want...)
	}
}
