package httpapi_test

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
)

var bobAddr = netip.MustParseAddr("10.0.0.3")

func TestCallIsPlacedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		bob := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: bobAddr, Port: 5060})
		body := `{"actions":[{"type":"sleep","option":{"duration":2000}}],"destinations":[{"type":"sip","target":"bob@10.0.0.3"}],"metadata":{"team":"a"}}`
		first := h.do(t, "POST", "/calls", body, "Idempotency-Key: k1")
		again := h.do(t, "POST", "/calls", body, "Idempotency-Key: k1")
		if first.code != 200 || again.code != 200 || again.text != first.text || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%d %s\n%d %s", first.code, first.text, again.code, again.text)
		}
		if other := h.do(t, "POST", "/calls", body+" ", "Idempotency-Key: k1"); other.code != 409 {
			t.Errorf("the key with another body: %d %s", other.code, other.text)
		}
		if l := h.ok(t, "GET", "/calls?metadata.team=a", ""); len(l["result"].([]any)) != 1 {
			t.Errorf("%v", l)
		}
		// The engine remembers it, too: a handler that knows nothing of the request, as after a restart, places no second call.
		h.api = httpapi.New(httpapi.Config{Engine: h.Engine, Store: h.store, Tokens: []string{token}})
		id := first.body["calls"].([]any)[0].(map[string]any)["id"]
		if anew := h.ok(t, "POST", "/calls", body, "Idempotency-Key: k1"); anew["calls"].([]any)[0].(map[string]any)["id"] != id {
			t.Errorf("%v, and not %v", anew, id)
		}
		b := bob.WaitCall(t)
		b.Answer()
		b.WaitEnd(t)
	})
}
