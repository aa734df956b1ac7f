package sip

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// configure is the step "config".
func configure(t *testing.T, c *Config, ar *txtar.Archive) {
	t.Helper()
	if len(ar.Files) == 0 || ar.Files[0].Name != "config" {
		return
	}
	for l := range strings.Lines(string(ar.Files[0].Data)) {
		k, v, _ := strings.Cut(strings.TrimSpace(l), ": ")
		var err error
		switch k {
		case "":
		case "reliable":
			c.Reliable = Reliable(v)
		case "interval":
			c.Session.Interval, err = time.ParseDuration(v)
		case "min":
			c.Session.Min, err = time.ParseDuration(v)
		case "off":
			c.Session.Off = v == "true"
		case "transfer":
			c.Transfer = v == "true"
		default:
			t.Fatalf("no such setting: %s", k)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// restart is the step "restart".
func (s *script) restart() {
	s.t.Helper()
	j, err := json.Marshal(s.dialog().Snapshot())
	if err != nil {
		s.t.Fatal(err)
	}
	cfg := s.b.e.cfg
	s.b.stop()
	s.ev.want(s.t, EventFailed)
	cfg.Listen = []Listen{{Network: "udp", PacketConn: s.b.net.listen("192.0.2.1:5060")}}
	s.b.e, s.b.stop = serve(s.t, cfg)
	var st DialogState
	if err := json.Unmarshal(j, &st); err != nil {
		s.t.Fatal(err)
	}
	if s.d, err = s.b.e.Restore(st, func(e Event) { s.ev.ch <- e }); err != nil {
		s.t.Fatal(err)
	}
}

// TestScriptsCite: the dialogues of an RFC, "rfcN-...", say which section they are from; all sections of RFC 3665 that a user
// agent takes part in are there.
func TestScriptsCite(t *testing.T) {
	files, err := filepath.Glob("testdata/rfc*.txtar")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d dialogues, %v", len(files), err)
	}
	flows := make(map[string]bool)
	for _, f := range files {
		ar, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		rfc, rest, _ := strings.Cut(strings.TrimPrefix(filepath.Base(f), "rfc"), "-")
		section, _, _ := strings.Cut(rest, "-")
		cited := "RFC " + rfc + " "
		if section[0] >= '0' && section[0] <= '9' {
			cited += section
		}
		if comment := strings.Join(strings.Fields(string(ar.Comment)), " "); !strings.Contains(comment, cited) {
			t.Errorf("%s does not cite %q", f, cited)
		}
		if rfc == "3665" {
			flows[section] = true
		}
	}
	for i := 1; i <= 11; i++ {
		if s := "3." + strconv.Itoa(i); !flows[s] {
			t.Errorf("RFC 3665 %s is missing", s)
		}
	}
}
