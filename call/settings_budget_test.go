package call_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call"
)

func TestSettingsOfMoney(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("prices.csv", "prefix,per_minute,currency\n44,0.02,USD\n")
	write("prices.json", `[{"prefix":"+44","per_minute":"0.02","currency":"USD"}]`)
	for _, rates := range []string{`"prices.csv"`, `"prices.json"`, `[{"prefix":"+44","per_minute":0.02,"currency":"USD"}]`} {
		write("config.json", `{"extensions":[{"name":"100","password":"x","account":"shop"}],"trunks":[{"name":"t","address":"192.0.2.1","account":"in"}],
			"velocity":[{"kind":"calls","per":["source"],"max":10,"window_seconds":60},{"kind":"minutes","per":["account"],"max":600,"night":{"from":"22:00","to":"06:00","zone":"Europe/Berlin","percent":10}}],
			"rates":`+rates+`,"budgets":[{"account":"*","currency":"USD","per_call":"1.50","per_day":20}],"budget_warning":{"prompt":"file:low.wav","seconds":15}}`)
		f := call.Flags{SIP: "udp://127.0.0.1:0", Media: "127.0.0.1", Ports: "10000-10010", Settings: file}
		cfg, s, err := f.Config()
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := cfg.Rates.Find("+442071838750", time.Now()); !ok || r.PerMinute != 20_000 || cfg.Accounts == nil || cfg.Velocity == nil || cfg.Budget.WarnBefore != 15*time.Second {
			t.Errorf("%s: %+v %+v", rates, r, cfg.Budget)
		}
		if s.Extensions[0].Account != "shop" || s.Trunks[0].Account != "in" || s.Budgets[0].PerCall != 1_500_000 {
			t.Errorf("%+v", s)
		}
	}
	for name, c := range map[string]struct{ text, want string }{
		"rates":         {"{\n \"rates\": [\n  {\"prefix\":\"44\"}]}", `rates: rating: line 3, column 3: prefix: "44" is not`},
		"rates of file": {`{"rates":"none.csv"}`, "none.csv: no such file"},
		"velocity":      {`{"velocity":[{"kind":"calls","max":1}]}`, "velocity[0].window_seconds: it is missing"},
		"unknown key":   {`{"velocity":[{"kinds":"calls"}]}`, `unknown field "kinds"`},
		"no rates":      {`{"budgets":[{"account":"a","currency":"USD","total":1}]}`, "budgets: they need rates"},
		"budgets":       {`{"rates":[],"budgets":[{"account":"a","currency":"USD"}]}`, "budgets[0]: there is no limit"},
		"amount":        {`{"rates":[],"budgets":[{"account":"a","currency":"USD","total":"1,5"}]}`, `"1,5" is not an amount`},
		"warning":       {`{"budget_warning":{"seconds":-1}}`, "budget_warning.seconds: -1 is negative"},
	} {
		if _, err := readSettings(t, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %s", name, err, c.want)
		}
	}
}
