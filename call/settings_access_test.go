package call_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestAccessTokensOfTheSettings(t *testing.T) {
	s, err := readSettings(t, `{"access_tokens":[{"name":"reader","token":"geheim-0123456789","scopes":["calls:read","*:read"],"per_second":5,"burst":10},
		{"name":"all","sha256":"`+strings.Repeat("ab", 32)+`","scopes":["*"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	log := &strings.Builder{}
	slog.New(slog.NewTextHandler(log, nil)).Info("x", "token", s.AccessTokens[0])
	if text := fmt.Sprintf("%v %+v %#v %s", s.AccessTokens, s, s.AccessTokens, log); strings.Contains(text, "geheim") || strings.Contains(text, "abab") || !strings.Contains(text, "reader") {
		t.Errorf("printed: %s", text)
	}
	_, err = readSettings(t, `{"access_tokens":[{"token":"geheim","scopes":[]},{"name":"a","token":"0123456789abcdef","sha256":"x","scopes":["calls","calls:do","calls:*"],"burst":1},
		{"name":"a","sha256":"12","scopes":["*"],"per_second":-1},{"name":"b","scopes":["*"]}]}`)
	if err == nil || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "0123456789abcdef") {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{
		"access_tokens[0]: token: shorter than 16", "access_tokens[0]: name is missing", "access_tokens[0]: scopes: there are none", "access_tokens[1]: has both",
		`access_tokens[1]: scopes: "calls" is not`, `access_tokens[1]: scopes: "calls:do" is not`, "access_tokens[1]: burst needs", `access_tokens[2]: name "a" stands there twice`,
		"access_tokens[2]: sha256 is not 64", "access_tokens[2]: per_second and burst", "access_tokens[3]: needs token or sha256",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), `"calls:*" is not`) {
		t.Error(err)
	}
}
