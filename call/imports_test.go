package call_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/callbin/callbin"

// allowed is the import table of the architecture: what each package may import
// directly, of this module, outside of tests. A package that is not listed fails.
var allowed = map[string][]string{
	"":                      {},
	"call/address":          {},
	"call/safehttp":         {},
	"call/rating":           {},
	"media":                 {},
	"media/codec":           {},
	"media/sdp":             {"media/codec"},
	"media/rtp":             {"media", "media/codec", "media/sdp"},
	"media/wav":             {"media"},
	"media/tone":            {"media"},
	"media/vad":             {"media", "media/wav"},
	"media/speech":          {"media", "media/wav", "call/safehttp"},
	"media/vosk":            {"media"},
	"media/stream":          {"media", "media/codec", "media/wav"},
	"sip":                   {},
	"sip/verify":            {"sip", "call/address", "call/safehttp"},
	"sip/verify/verifytest": {},
	"action":                {"media", "call/address"},
	"action/mail":           {"action", "call/address"},
	"action/openai":         {"action", "media", "media/wav", "call/safehttp"},
	"flow":                  {"action", "call/address"},
	"flow/expr":             {"action"},
	"flow/foreign":          {"action", "flow"},
	"flow/flowtest":         {"action", "call/address", "flow", "flow/expr", "flow/foreign", "media"},
	"store":                 {"call/address"},
	"store/storetest":       {"store", "call/address"},
	"call/httpapi":          {"action", "call", "call/address", "call/rating", "flow", "media", "media/stream", "store"},
	"call":                  {"action", "call/address", "call/rating", "call/safehttp", "flow", "flow/foreign", "media", "media/codec", "media/rtp", "media/sdp", "media/speech", "media/stream", "media/tone", "media/wav", "sip", "sip/verify", "store"},
	"call/calltest":         {"action", "call", "call/address", "flow", "flow/expr", "flow/flowtest", "media", "media/codec", "media/rtp", "media/sdp", "media/tone", "media/wav", "sip", "store"},
}

// budget is every third-party module that a program may get by importing the core.
var budget = []string{
	"github.com/coder/websocket", "github.com/emiago/sipgo", "github.com/gobwas/httphead", "github.com/gobwas/pool", "github.com/gobwas/ws",
	"github.com/google/uuid", "github.com/icholy/digest", "github.com/nyaruka/phonenumbers",
	"github.com/pion/randutil", "github.com/pion/rtp", "github.com/pion/sdp/v3", "github.com/zaf/g711", "golang.org/x/net",
	"golang.org/x/sync", "golang.org/x/sys", "golang.org/x/text", "google.golang.org/protobuf",
}

type listed struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Path string }
	Standard   bool
}

func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Module,Standard"}, args...)...)
	cmd.Dir = ".."
	cmd.Env = append(cmd.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestImportsFollowTheArchitecture(t *testing.T) {
	for _, p := range goList(t, "./...") {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if strings.Contains(name, "/internal/") {
			continue // seen by its parent only, which the compiler checks
		}
		may, ok := allowed[name]
		if !ok {
			t.Errorf("package %s stands in no row of the import table", p.ImportPath)
		}
		for _, i := range p.Imports {
			imp, ours := strings.CutPrefix(i, module+"/")
			if ours && !slices.Contains(may, imp) && !strings.HasPrefix(imp, name+"/internal/") {
				t.Errorf("%s must not import %s", p.ImportPath, i)
			}
		}
	}
}

func TestCoreStaysLight(t *testing.T) {
	seen := map[string]bool{}
	core := []string{"-deps"}
	for name := range allowed {
		switch name {
		case "store/storetest", "call/calltest", "flow/flowtest", "sip/verify/verifytest": // for tests only
		case "flow/expr": // with expr-lang/expr, for those who import it; nothing of the core does
		default:
			core = append(core, strings.TrimSuffix(module+"/"+name, "/"))
		}
	}
	for _, p := range goList(t, core...) {
		if p.Standard || p.Module == nil || p.Module.Path == module || seen[p.Module.Path] {
			continue
		}
		seen[p.Module.Path] = true
		if !slices.Contains(budget, p.Module.Path) {
			t.Errorf("%s (by %s) is not in the budget of third-party modules", p.Module.Path, p.ImportPath)
		}
	}
	for _, m := range budget {
		if !seen[m] {
			t.Errorf("%s is in the budget, but nothing needs it any more", m)
		}
	}
}
