package action

import "testing"

func TestIsSSML(t *testing.T) {
	for text, want := range map[string]bool{
		"<speak>x</speak>": true, " \n<speak version='1.0'>": true, "<speak/>": true,
		"": false, "<speak": false, "<speaker>": false, "x <speak>": false, "Tom & Jerry": false,
	} {
		if got := isSSML(text); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}
