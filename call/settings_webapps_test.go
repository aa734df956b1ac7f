package call

import (
	"strings"
	"testing"
)

func TestWebAppsAreChecked(t *testing.T) {
	err := checkWebApps("web_apps", map[string]WebApp{
		"100": {URL: "https://app.example.com/voice", AuthToken: "secret token"},
		"101": {URL: "app.example.com", Method: "PUT", Format: "plivo", FallbackURL: "x", AuthToken: "secret token"},
	})
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{`web_apps["101"].url`, `web_apps["101"].method: must be GET or POST, not "PUT"`, `web_apps["101"].format`, `web_apps["101"].fallback_url`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "100") || strings.Contains(err.Error(), "secret") {
		t.Errorf("it tells too much: %v", err)
	}
}
