package call_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/callbin/callbin/call"
)

// TestStreamSettings: what programs may be reached comes from the settings, and the passwords are printed nowhere.
func TestStreamSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings.json")
	if err := os.WriteFile(file, []byte(`{"urls":["10.0.0.0/8"],"stream_auth":{"bot":{"username":"ann","password":"geheim"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := call.Flags{SIP: "udp://127.0.0.1:5060", Media: "127.0.0.1", Ports: "10000-10999", Settings: file}
	cfg, s, err := flags.Config()
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Streams.Allow) != 1 || cfg.Streams.Allow[0].String() != "10.0.0.0/8" || cfg.Streams.Auth["bot"].Password != "geheim" {
		t.Errorf("streams: %d networks, %v", len(cfg.Streams.Allow), cfg.Streams.Auth)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("settings", "auth", s.StreamAuth["bot"])
	if text := fmt.Sprintf("%v %+v %#v %s", s, cfg.Streams, s.StreamAuth, log.String()); strings.Contains(text, "geheim") || !strings.Contains(text, "ann") {
		t.Errorf("printed: %s", text)
	}
}
