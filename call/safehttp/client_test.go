package safehttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callbin/callbin/call/safehttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func client(t *testing.T, cfg safehttp.Config) *safehttp.Client {
	t.Helper()
	c := safehttp.New(cfg)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func server(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func get(t *testing.T, c *safehttp.Client, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestCheckAddr(t *testing.T) {
	for _, public := range []string{
		"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.255", "168.63.129.15",
		"2606:4700:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:4860:4860::8888", "2400::5efe:808:808",
	} {
		if err := safehttp.CheckAddr(netip.MustParseAddr(public)); err != nil {
			t.Errorf("CheckAddr(%s) = %v, want nil", public, err)
		}
	}
	for _, private := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254", "169.254.170.2",
		"168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::10.1.2.3", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::1",
		"2001::1", "2001:db8::1", "2001:10::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "fec0::1",
		"ff02::1", "100::1", "5f00::1", "4000::1", "2400::5efe:7f00:1", "2400::200:5efe:10.0.0.1",
	} {
		err := safehttp.CheckAddr(netip.MustParseAddr(private))
		if !errors.Is(err, safehttp.ErrBlocked) {
			t.Errorf("CheckAddr(%s) = %v, want ErrBlocked", private, err)
		}
	}
	if err := safehttp.CheckAddr(netip.Addr{}); !errors.Is(err, safehttp.ErrBlocked) {
		t.Errorf("CheckAddr of none = %v, want ErrBlocked", err)
	}
}

func TestRefusedURLs(t *testing.T) {
	reached := false
	port := strings.TrimPrefix(server(t, func(http.ResponseWriter, *http.Request) { reached = true }), "http://127.0.0.1:")
	c := client(t, safehttp.Config{})
	for raw, want := range map[string]string{
		"http://127.0.0.1:%s/":                    "127.0.0.1",
		"http://127.1:%s/":                        "",
		"http://0x7f.0.0.1:%s/":                   "",
		"http://2130706433:%s/":                   "",
		"http://localhost:%s/":                    "loopback",
		"http://[::1]:%s/":                        "::1",
		"http://[::ffff:127.0.0.1]:%s/":           "127.0.0.1",
		"http://[::ffff:7f00:1]:%s/":              "127.0.0.1",
		"http://[64:ff9b::7f00:1]:%s/":            "127.0.0.1",
		"http://0.0.0.0:%s/":                      "0.0.0.0",
		"http://[::]:%s/":                         "::",
		"http://169.254.169.254/?%s":              "169.254.169.254",
		"http://user:secret@127.0.0.1:%s/":        "127.0.0.1",
		"http://[fe80::1%%25lo]:%s/":              "fe80::1",
		"file:///etc/passwd?%s":                   `scheme "file"`,
		"gopher://127.0.0.1:%s/":                  `scheme "gopher"`,
		"ftp://example.com/%s":                    `scheme "ftp"`,
		"/relative/%s":                            `scheme ""`,
		"http:///%s":                              "no host",
		"javascript:%s":                           "scheme",
		"http+unix://%%2Fvar%%2Frun%%2Fd.sock/%s": "scheme",
	} {
		raw = fmt.Sprintf(raw, port)
		u, err := url.Parse(raw)
		if err != nil {
			continue // url.Parse refuses it: as good
		}
		body := &closeRecorder{Reader: strings.NewReader("x")}
		resp, err := c.Do((&http.Request{Method: http.MethodPost, URL: u, Body: body}).WithContext(t.Context()))
		if err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s: no error", raw)
			continue
		}
		if want != "" && !errors.Is(err, safehttp.ErrBlocked) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want ErrBlocked with %q", raw, err, want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", raw, err)
		}
		if !body.closed() {
			t.Errorf("%s: the body was not closed", raw)
		}
	}
	if reached {
		t.Error("the server was reached")
	}
}

type closeRecorder struct {
	io.Reader
	mu   sync.Mutex
	done bool
}

func (r *closeRecorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = true
	return nil
}

func (r *closeRecorder) closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

func TestAllowed(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello "+r.UserAgent()) })
	c := client(t, safehttp.Config{Allow: loopback, UserAgent: "callbin"})
	if got, err := get(t, c, url); err != nil || got != "hello callbin" {
		t.Errorf("got %q, %v", got, err)
	}
	// Allowing one network does not allow the next.
	if _, err := get(t, c, "http://10.0.0.1/"); !errors.Is(err, safehttp.ErrBlocked) {
		t.Errorf("10.0.0.1: %v, want ErrBlocked", err)
	}
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	used := false
	proxy := server(t, func(http.ResponseWriter, *http.Request) { used = true })
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("http_proxy", proxy)
	c := client(t, safehttp.Config{Allow: loopback})
	_, err := get(t, c, "http://10.255.255.1/")
	if used || !errors.Is(err, safehttp.ErrBlocked) {
		t.Errorf("proxy used %v, %v; want ErrBlocked without it", used, err)
	}
}

// resolver answers every A question with the next list of addresses, the last one for ever.
func resolver(answers ...[]string) *net.Resolver {
	var mu sync.Mutex
	next := func() []string {
		mu.Lock()
		defer mu.Unlock()
		a := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		return a
	}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() { // ends when the resolver closes its end
			defer func() { _ = theirs.Close() }()
			for {
				// A pipe is no packet conn, so the resolver speaks DNS over TCP: a length goes first.
				var n uint16
				if binary.Read(theirs, binary.BigEndian, &n) != nil {
					return
				}
				q := make([]byte, n)
				if _, err := io.ReadFull(theirs, q); err != nil {
					return
				}
				end := 12 + bytes.IndexByte(q[12:], 0) + 5 // the question's name, type and class
				msg := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
				if q[end-3] == 1 { // type A
					for _, s := range next() {
						ip := netip.MustParseAddr(s).As4()
						msg = append(msg, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
						msg = append(msg, ip[:]...)
						msg[7]++
					}
				}
				if _, err := theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}}
}

func TestNameThatResolvesToAPrivateAddress(t *testing.T) {
	reached := false
	port := strings.TrimPrefix(server(t, func(http.ResponseWriter, *http.Request) { reached = true }), "http://127.0.0.1:")
	c := client(t, safehttp.Config{Resolver: resolver([]string{"127.0.0.1"})})
	_, err := get(t, c, "http://rebind.example.:"+port)
	if !errors.Is(err, safehttp.ErrBlocked) || !strings.Contains(err.Error(), "127.0.0.1") || reached {
		t.Errorf("%v, reached %v; want ErrBlocked naming 127.0.0.1", err, reached)
	}
}

func TestRebindingBetweenRequests(t *testing.T) {
	hits := 0
	port := strings.TrimPrefix(server(t, func(w http.ResponseWriter, _ *http.Request) {
		hits++
		w.Header().Set("Connection", "close") // the next request has to look the name up again
	}), "http://127.0.0.1:")
	// 127.0.0.1 plays the public address here, 127.0.0.2 the private one.
	c := client(t, safehttp.Config{
		Allow:    []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Resolver: resolver([]string{"127.0.0.1"}, []string{"127.0.0.2"}),
	})
	if _, err := get(t, c, "http://rebind.example.:"+port); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, c, "http://rebind.example.:"+port); !errors.Is(err, safehttp.ErrBlocked) || hits != 1 {
		t.Errorf("second request: %v, %d hits; want ErrBlocked, 1", err, hits)
	}
}

func TestPublicOneOfSeveralAddressesIsUsed(t *testing.T) {
	port := strings.TrimPrefix(server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }), "http://127.0.0.1:")
	c := client(t, safehttp.Config{Allow: loopback, Resolver: resolver([]string{"10.0.0.1", "127.0.0.1"})})
	if got, err := get(t, c, "http://many.example.:"+port); err != nil || got != "ok" {
		t.Errorf("got %q, %v; want ok", got, err)
	}
}

func TestRedirects(t *testing.T) {
	c := client(t, safehttp.Config{Allow: loopback})
	for target, want := range map[string]string{
		"http://10.0.0.1/":         "10.0.0.1",
		"http://169.254.169.254/":  "169.254.169.254",
		"file:///etc/passwd":       `scheme "file"`,
		"http://[::ffff:a00:1]/":   "10.0.0.1",
		"gopher://127.0.0.1:25/_x": `scheme "gopher"`,
	} {
		url := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) })
		if _, err := get(t, c, url); !errors.Is(err, safehttp.ErrBlocked) || !strings.Contains(err.Error(), want) {
			t.Errorf("redirect to %s: %v; want ErrBlocked with %q", target, err, want)
		}
	}
	hits := 0
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		hits++
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	if _, err := get(t, c, url); !errors.Is(err, safehttp.ErrBlocked) || hits != 6 {
		t.Errorf("endless redirect: %v after %d requests; want ErrBlocked after 6", err, hits)
	}
	none := client(t, safehttp.Config{Allow: loopback, MaxRedirects: -1})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	resp, err := none.Do(req)
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Fatalf("without redirects: %v, %v; want 302", resp, err)
	}
	_ = resp.Body.Close()
}

func TestCredentialsStayAtTheirOrigin(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]http.Header{}
	note := func(place string, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[place] = r.Header.Clone()
	}
	var home string
	other := server(t, func(w http.ResponseWriter, r *http.Request) {
		note("other", r)
		http.Redirect(w, r, home+"/back", http.StatusFound)
	})
	home = server(t, func(w http.ResponseWriter, r *http.Request) {
		note(r.URL.Path, r)
		switch r.URL.Path {
		case "/start":
			http.Redirect(w, r, "/same", http.StatusFound)
		case "/same":
			http.Redirect(w, r, strings.Replace(other, "http://", "http://evil:evil@", 1), http.StatusFound)
		}
	})
	c := client(t, safehttp.Config{Allow: loopback})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(home, "http://", "http://user:secret@", 1)+"/start", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "secret")
	req.Header.Set("Cookie", "secret")
	req.Header.Set("Accept", "text/plain")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for place, want := range map[string]bool{"/start": true, "/same": true, "other": false, "/back": false} {
		h := seen[place]
		if h == nil {
			t.Errorf("%s was not asked", place)
			continue
		}
		for _, name := range []string{"Authorization", "X-Api-Key", "Cookie"} {
			if got := h.Get(name) != ""; got != want {
				t.Errorf("%s at %s: %q, want it %v", name, place, h.Get(name), want)
			}
		}
		if h.Get("Accept") != "text/plain" {
			t.Errorf("Accept at %s: %q", place, h.Get("Accept"))
		}
		if strings.Contains(h.Get("Referer"), "secret") {
			t.Errorf("Referer at %s: %q", place, h.Get("Referer"))
		}
	}
	if req.Header.Get("X-Api-Key") != "secret" {
		t.Error("the caller's request was changed")
	}
}

func TestSizeLimit(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fits":
			_, _ = w.Write(make([]byte, 1000))
		case "/announced":
			w.Header().Set("Content-Length", "1001")
			_, _ = w.Write(make([]byte, 1001))
		case "/streamed":
			for range 100 {
				_, _ = w.Write(make([]byte, 100))
				w.(http.Flusher).Flush()
			}
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 1<<20))
			_ = z.Close()
		}
	})
	c := client(t, safehttp.Config{Allow: loopback, MaxBytes: 1000})
	for path, want := range map[string]bool{"/fits": true, "/announced": false, "/streamed": false, "/bomb": false} {
		got, err := get(t, c, url+path)
		if want != (err == nil) || !want && !errors.Is(err, safehttp.ErrTooLarge) {
			t.Errorf("%s: %v; want success %v or ErrTooLarge", path, err, want)
		}
		if len(got) > 1000 {
			t.Errorf("%s: %d bytes, want at most 1000", path, len(got))
		}
		if !want && !strings.Contains(err.Error(), "1000") {
			t.Errorf("%s: %v does not tell the limit", path, err)
		}
	}
	all := client(t, safehttp.Config{Allow: loopback, MaxBytes: -1})
	if got, err := get(t, all, url+"/bomb"); err != nil || len(got) != 1<<20 {
		t.Errorf("without a limit: %d bytes, %v", len(got), err)
	}
}

func TestTimeoutCoversTheBody(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "first")
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	})
	c := client(t, safehttp.Config{Allow: loopback, Timeout: 50 * time.Millisecond})
	for _, path := range []string{"/header", "/body"} {
		_, err := get(t, c, url+path)
		var timeout interface{ Timeout() bool }
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s: %v; want a timeout", path, err)
		}
	}
}

func TestHTTPSOnly(t *testing.T) {
	c := client(t, safehttp.Config{Allow: loopback, HTTPSOnly: true})
	if _, err := get(t, c, "http://127.0.0.1:1/"); !errors.Is(err, safehttp.ErrBlocked) {
		t.Errorf("%v, want ErrBlocked", err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secure") }))
	t.Cleanup(s.Close)
	trusting := client(t, safehttp.Config{Allow: loopback, HTTPSOnly: true, TLS: s.Client().Transport.(*http.Transport).TLSClientConfig})
	if got, err := get(t, trusting, s.URL); err != nil || got != "secure" {
		t.Errorf("got %q, %v", got, err)
	}
	s.Config.ErrorLog = nil
	if _, err := get(t, client(t, safehttp.Config{Allow: loopback}), s.URL); err == nil || errors.Is(err, safehttp.ErrBlocked) {
		t.Errorf("unknown certificate: %v, want a TLS error", err)
	}
}

func TestDialContext(t *testing.T) {
	addr := strings.TrimPrefix(server(t, func(http.ResponseWriter, *http.Request) {}), "http://")
	if conn, err := client(t, safehttp.Config{Allow: loopback}).DialContext(t.Context(), "tcp", addr); err != nil {
		t.Error(err)
	} else {
		_ = conn.Close()
	}
	c := client(t, safehttp.Config{})
	for _, network := range []string{"tcp", "tcp4", "udp", "unix"} {
		if conn, err := c.DialContext(t.Context(), network, addr); !errors.Is(err, safehttp.ErrBlocked) {
			t.Errorf("%s %s: %v, %v; want ErrBlocked", network, addr, conn, err)
		}
	}
}

func TestEndedContext(t *testing.T) {
	c := client(t, safehttp.Config{Allow: loopback})
	url := server(t, func(http.ResponseWriter, *http.Request) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if _, err := c.Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1", "https://[::ffff:127.0.0.1]:80/x", "http://user@10.0.0.1#@example.com", "//x", "http://[fe80::1%25lo]"} {
		f.Add(s)
	}
	c := safehttp.New(safehttp.Config{})
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.Parse(s)
		if err != nil {
			return
		}
		if err := c.CheckURL(u); err != nil {
			if !errors.Is(err, safehttp.ErrBlocked) {
				t.Errorf("%v is not ErrBlocked", err)
			}
			return
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && (a.IsLoopback() || a.IsPrivate() || a.Unmap().IsLinkLocalUnicast()) {
			t.Errorf("CheckURL(%q) lets %s through", s, a)
		}
	})
}

func ExampleClient() {
	c := safehttp.New(safehttp.Config{})
	defer func() { _ = c.Close() }()
	req, err := http.NewRequest(http.MethodGet, "http://169.254.169.254/latest/meta-data/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := c.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	fmt.Println(errors.Is(err, safehttp.ErrBlocked), err)
	// Output: true safehttp: address 169.254.169.254 is not public (link-local): blocked
}
