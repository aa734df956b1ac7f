package sip

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/tools/txtar"
)

// TestScripts runs the dialogues of testdata/*.txtar. Each is a list of steps,
// the names of its files:
//
//	send [ADDR]       a request from the phone at ADDR (192.0.2.10:5060 when left out): the start line,
//	                  then header lines. What is not given is filled in: Via with a fresh branch (or that of
//	                  "Branch: x"), Max-Forwards, From, To (with the tag learnt), Call-ID, CSeq, Contact,
//	                  Content-Length. "-Name" leaves a header out. {contact} and {totag} are those of the
//	                  last response that had them, {lasttag} that of the last one, {sdp} is a body.
//	raw [ADDR]        the same, sent as it stands but for {len} and the line ends
//	recv [ADDR]       the next message at the phone: the start of its start line, then "Name: value" (one of
//	                  that name has this value), "Name ~ regexp", "!Name" (is absent), "body ~ regexp",
//	                  "body empty"
//	keep NAME         remembers the last message received
//	reply STATUS      answers the last request received, or with "reply to NAME STATUS" the one of that
//	                  name, from the phone that got it; the content is header lines, "Tag: x" for the
//	                  tag of To, and after an empty line the body
//	again [NAME]      sends the last reply again, or what was sent in answer to NAME
//	quiet TIME        no message, and no event, for so long
//	wait TIME         lets time pass, messages are kept
//	app ring|early|accept|reject STATUS|answer N STATUS|offer|bye|not VERB   what the application does; the content is
//	                  the body; with "not" it must be refused
//	app call URI      we call; the content is lines "key: value" with from, to, display, next_hop, timeout, setup_timeout,
//	                  max_forwards, username, password, redirect (a regexp of what may be followed), and
//	                  header. The body is an offer. {from}, {to} and {callid} are then those of the INVITE, and the
//	                  requests that the phone sends are of that dialog, with the tag it gave last.
//	app cancel        and gives up, with the content as the headers
//	phone ADDR        another phone, which is there from its first "send" or "recv" on otherwise
//	dns               records for next hops: "A host: address", "SRV name: ...", separated by commas
//	event KIND        the next event of the dialog; lines "key: value" with the keys of Event
//	dialogs N         so many live now
//	registrar         the endpoint has one, for the users of testUsers; the content is lines "key: value" with the
//	                  keys of registrar. INVITEs from sip:ann@... need a password, too. "Auth: user:password ALGORITHM"
//	                  among the headers of a request answers the challenge received last; "nc=N" and "uri=URI" may follow.
//	contacts USER     the phones of USER: a line "URI by FLOW" each, with "nat" behind it
//	change KIND       the next event of the registrar; the content is the URI, and the reason behind it
//	notifier          the endpoint has one, too: everybody may watch the calls of ann and bob, and his own messages; the content is
//	                  lines "key: value" with the keys of notifier
//	watch USER ID STATE   what the Notifier is told of USER's calls; with "initiator" behind it USER has called. The content is
//	                  the remote URI
//	messages USER NEW OLD URGENT URGENT   and of the messages
//	shutdown          ends all subscriptions
//	app call contact USER   we call the phone of USER that is called first, by its flow
//	config            the first step only: "key: value" with reliable, interval, min, off (of the session timer)
//	app refer STATUS  answers the REFER that came last; app told STATUS tells what became of it
//	app send refer VALUE   we refer the peer to that Refer-To
//	app next          the next call, which replaces the dialog, is the dialog from now on, as after a second "app call"; app swap
//	                  the one before is, and the other way round
//	restart           another endpoint takes the place of the first one, and the dialog up
//
// {callid} and {peertag} name the first dialog as a Replaces header does, with {totag}. {rseq} is the RSeq of the last message received that had one, {cseq} the number in its CSeq.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if len(strings.TrimSpace(string(ar.Comment))) == 0 {
				t.Fatal("a script begins with why it exists")
			}
			synctest.Test(t, func(t *testing.T) { runScript(t, ar) })
		})
	}
}

type script struct {
	t      *testing.T
	b      *bubble
	phones map[string]*phone
	last   *phone
	msg    text
	vars   map[string]string
	n      int
	d      *Dialog
	ev     *events
	zone   *zone
	kept   map[string]keptMessage

	referID uint32  // of the last REFER
	d2      *Dialog // see "app next"
	ev2     *events
	reg     *scriptRegistrar
}

type keptMessage struct {
	m     text
	p     *phone
	reply []byte
}

func runScript(t *testing.T, ar *txtar.Archive) {
	z := &zone{records: make(map[string][]string)}
	reg := newScriptRegistrar(t, ar)
	s := &script{t: t, reg: reg, b: newBubble(t, func(c *Config) {
		c.Resolver = z
		configure(t, c, ar)
		reg.use(c)
	}), phones: make(map[string]*phone),
		zone: z, kept: make(map[string]keptMessage),
		vars: map[string]string{"contact": "sip:100@192.0.2.1", "totag": "", "sdp": strings.ReplaceAll(sdpOffer, "\r\n", "\n")}}
	defer func() { s.b.stop() }()
	s.phones["192.0.2.10:5060"] = s.b.p
	defer func() {
		for _, p := range s.phones {
			p.close()
		}
	}()
	for i, f := range ar.Files {
		verb, arg, _ := strings.Cut(f.Name, " ")
		content := strings.TrimSuffix(string(f.Data), "\n")
		func() {
			defer func() {
				if t.Failed() {
					t.Logf("in step %d: %s", i+1, f.Name)
				}
			}()
			s.step(verb, arg, content)
		}()
	}
	if len(s.b.p.in) > 0 {
		t.Errorf("a message was not asked for:\n%v", <-s.b.p.in)
	}
}

func (s *script) phone(addr string) *phone {
	if addr == "" {
		addr = "192.0.2.10:5060"
	}
	if s.phones[addr] == nil {
		s.phones[addr] = newPhone(s.t, s.b.net.listen(addr), netip.MustParseAddrPort("192.0.2.1:5060"))
	}
	return s.phones[addr]
}

func (s *script) dialog() *Dialog {
	if s.d == nil {
		s.d, s.ev = s.b.call(s.t)
	}
	return s.d
}

func (s *script) expand(v string) string {
	for k, val := range s.vars {
		v = strings.ReplaceAll(v, "{"+k+"}", val)
	}
	return v
}

func (s *script) step(verb, arg, content string) {
	s.t.Helper()
	switch verb {
	case "send":
		p := s.phone(arg)
		p.send(s.complete(p, s.expand(content)))
	case "raw":
		s.phone(arg).send(fill(s.expand(content)))
	case "recv":
		s.last = s.phone(arg)
		s.msg = s.last.recv()
		s.reg.learn(s.msg)
		s.check(s.expand(content))
		if s.outgoing() && strings.HasPrefix(s.msg.start, "INVITE") {
			s.vars["from"], s.vars["to"], s.vars["callid"] = s.msg.get("From"), s.msg.get("To"), s.msg.get("Call-ID")
			s.vars["ourtag"] = tagOf(s.msg.get("From"))
			if u := s.msg.contactURI(); u != "" {
				s.vars["contact"] = u
			}
		}
		if v := s.msg.get("RSeq"); v != "" {
			s.vars["rseq"] = v
		}
		s.vars["cseq"], _, _ = strings.Cut(s.msg.get("CSeq"), " ")
		if s.msg.status() > "100" {
			s.vars["lasttag"] = s.msg.toTag()
			if tag := s.msg.toTag(); tag != "" && s.vars["totag"] == "" {
				s.vars["totag"] = tag
			}
			if u := s.msg.contactURI(); u != "" {
				s.vars["contact"] = u
			}
		}
	case "phone":
		s.phone(arg)
	case "keep":
		s.kept[arg] = keptMessage{m: s.msg, p: s.last}
	case "reply":
		k := keptMessage{m: s.msg, p: s.last}
		name := ""
		if rest, ok := strings.CutPrefix(arg, "to "); ok {
			name, arg, _ = strings.Cut(rest, " ")
			k = s.kept[name]
		}
		k.reply = s.response(k.m, arg, s.expand(content))
		k.p.send(k.reply)
		s.kept[name] = k
	case "again":
		s.kept[arg].p.send(s.kept[arg].reply)
	case "dns":
		for _, l := range strings.Split(content, "\n") {
			name, v, _ := strings.Cut(l, ": ")
			s.zone.records[name] = strings.Split(v, ", ")
		}
	case "wait":
		time.Sleep(s.duration(arg))
	case "quiet":
		s.b.p.quiet(s.duration(arg))
		if s.ev != nil && len(s.ev.ch) > 0 {
			s.t.Fatalf("got event %+v, want none", <-s.ev.ch)
		}
	case "app":
		s.app(arg, content)
	case "event":
		s.dialog()
		ev := s.ev.want(s.t, EventKind(arg))
		if ev.Refer != nil {
			s.referID = ev.Refer.ID
		}
		s.checkEvent(ev, s.expand(content))
	case "registrar", "notifier": // done at the start
	case "watch", "messages", "shutdown":
		s.reg.notify(s.t, verb, strings.Fields(arg), content)
	case "contacts":
		s.reg.contacts(s.t, arg, content)
	case "change":
		s.reg.change(s.t, arg, content)
	case "config": // done before
	case "restart":
		s.restart()
	case "dialogs":
		if got := strconv.Itoa(s.b.e.Stats().Dialogs); got != arg {
			s.t.Fatalf("%s dialogs, want %s", got, arg)
		}
	default:
		s.t.Fatalf("no such step: %s", verb)
	}
}

func (s *script) outgoing() bool { return s.d != nil && s.d.outgoing }

// response is an answer to m.
func (s *script) response(m text, status, content string) []byte {
	head, body, _ := strings.Cut(content, "\n\n")
	out := []string{"SIP/2.0 " + status}
	var own []string
	to := m.get("To")
	for _, l := range strings.Split(head, "\n") {
		if tag, ok := strings.CutPrefix(l, "Tag: "); ok {
			s.vars["tag"] = tag
			to += ";tag=" + tag
		} else if l != "" {
			own = append(own, l)
		}
	}
	for _, h := range m.headers {
		switch h[0] {
		case "To":
			out = append(out, "To: "+to)
		case "Via", "From", "Call-ID", "CSeq":
			out = append(out, h[0]+": "+h[1])
		}
	}
	out = append(out, own...)
	if body != "" {
		out = append(out, "Content-Type: application/sdp")
	}
	return fill(strings.Join(append(out, "Content-Length: {len}"), "\n") + "\n\n" + body)
}

// call is "app call".
func (s *script) call(uri, content string) {
	o := Outgoing{URI: uri, Body: []byte(sdpOffer)}
	if user, ok := strings.CutPrefix(uri, "contact "); ok {
		c := s.reg.r.Contacts(user)[0]
		o.URI, o.Flow = c.URI, c.Flow
	}
	var cred Credentials
	for _, l := range strings.Split(content, "\n") {
		k, v, _ := strings.Cut(l, ": ")
		switch k {
		case "":
		case "from":
			o.From.URI = v
		case "display":
			o.From.Display = v
		case "to":
			o.To = v
		case "next_hop":
			o.NextHop = v
		case "timeout":
			o.Timeout = s.duration(v)
		case "setup_timeout":
			o.SetupTimeout = s.duration(v)
		case "max_forwards":
			_, _ = fmt.Sscan(v, &o.MaxForwards)
		case "username":
			cred.Username = v
		case "password":
			cred.Password = v
			o.Credentials = []Credentials{cred}
		case "redirect":
			o.Redirect = regexp.MustCompile(v).MatchString
		case "header":
			name, value, _ := strings.Cut(v, ": ")
			o.Headers = append(o.Headers, Header{name, value})
		default:
			s.t.Fatalf("no such option: %s", k)
		}
	}
	if s.d != nil {
		s.d2, s.ev2 = s.d, s.ev
	}
	s.ev = &events{ch: make(chan Event, 256)}
	o.Handle = func(e Event) { s.ev.ch <- e }
	d, err := s.b.e.Call(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.d = d
}

func (s *script) duration(v string) time.Duration {
	d, err := time.ParseDuration(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *script) complete(p *phone, content string) []byte {
	head, body, _ := strings.Cut(content, "\n\n")
	lines := strings.Split(head, "\n")
	method, _, _ := strings.Cut(lines[0], " ")
	s.n++
	branch := fmt.Sprintf("b%d", s.n)
	given := make(map[string]bool)
	var own []string
	auth := ""
	for _, l := range lines[1:] {
		name, v, _ := strings.Cut(l, ":")
		switch {
		case name == "Branch":
			branch = strings.TrimSpace(v)
			continue
		case strings.HasPrefix(name, "-"):
			given[name[1:]] = true
			continue
		case name == "Auth":
			auth = strings.TrimSpace(v)
			continue
		}
		given[name] = true
		own = append(own, l)
	}
	from, callID := `"Ann" <sip:200@192.0.2.10>;tag=fromtag`, "script@192.0.2.10"
	to := "<sip:100@192.0.2.1>"
	if tag := s.vars["totag"]; tag != "" && method != "CANCEL" {
		to += ";tag=" + tag
	}
	if s.outgoing() {
		from, to, callID = s.vars["to"]+";tag="+s.vars["tag"], s.vars["from"], s.vars["callid"]
	}
	out := []string{lines[0]}
	for _, h := range [][2]string{
		{"Via", "SIP/2.0/UDP " + p.addr + ";branch=z9hG4bK" + branch},
		{"Max-Forwards", "70"},
		{"From", from},
		{"To", to},
		{"Call-ID", callID},
		{"CSeq", "1 " + method},
		{"Contact", "<sip:200@" + p.addr + ">"},
	} {
		if !given[h[0]] {
			out = append(out, h[0]+": "+h[1])
		}
	}
	if auth != "" {
		own = append(own, s.reg.authorize(s.t, lines[0], auth))
	}
	out = append(out, own...)
	if body != "" && !given["Content-Type"] {
		out = append(out, "Content-Type: application/sdp")
	}
	if !given["Content-Length"] && !given["l"] {
		out = append(out, "Content-Length: {len}")
	}
	return fill(strings.Join(out, "\n") + "\n\n" + body)
}

func (s *script) check(content string) {
	s.t.Helper()
	lines := strings.Split(content, "\n")
	if !strings.HasPrefix(s.msg.start, lines[0]) {
		s.t.Fatalf("got %q, want %q\n%v", s.msg.start, lines[0], s.msg)
	}
	for _, l := range lines[1:] {
		switch {
		case l == "body empty":
			if s.msg.body != "" {
				s.t.Errorf("got a body, want none\n%v", s.msg)
			}
		case strings.HasPrefix(l, "body ~ "):
			if !regexp.MustCompile(l[7:]).MatchString(s.msg.body) {
				s.t.Errorf("body does not match %q\n%v", l[7:], s.msg)
			}
		case strings.HasPrefix(l, "!"):
			if vs := s.msg.all(l[1:]); len(vs) > 0 {
				s.t.Errorf("got %s: %q, want none\n%v", l[1:], vs, s.msg)
			}
		case strings.Contains(l, " ~ "):
			name, re, _ := strings.Cut(l, " ~ ")
			if !regexp.MustCompile(re).MatchString(strings.Join(s.msg.all(name), "\n")) {
				s.t.Errorf("%s does not match %q\n%v", name, re, s.msg)
			}
		default:
			name, v, _ := strings.Cut(l, ":")
			found := false
			for _, got := range s.msg.all(name) {
				found = found || got == strings.TrimSpace(v)
			}
			if !found {
				s.t.Errorf("no %s with the value %q\n%v", name, strings.TrimSpace(v), s.msg)
			}
		}
	}
}

func (s *script) checkEvent(e Event, content string) {
	s.t.Helper()
	got := map[string]string{
		"method": e.Method, "offer": strconv.Itoa(e.Offer), "content_type": e.ContentType,
		"status": strconv.Itoa(e.Status), "cause": strconv.Itoa(e.Cause), "reason": e.Reason,
		"body": strconv.Quote(string(e.Body)), "early": e.Early, "local": strconv.FormatBool(e.Local),
		"session": strconv.Itoa(e.Session), "referral": strconv.Itoa(e.Referral), "final": strconv.FormatBool(e.Final),
	}
	if r := e.Refer; r != nil {
		got["refer_to"], got["referred_by"], got["silent"] = r.To.String(), r.ReferredBy, strconv.FormatBool(r.Silent)
	}
	var tries []string
	for _, a := range e.Attempts {
		tries = append(tries, strings.Join(strings.Fields(fmt.Sprint(a.URI, " ", a.Network, " ", a.Addr, " ", a.Status)), " "))
	}
	got["attempts"] = strings.Join(tries, ", ")
	for _, l := range strings.Split(content, "\n") {
		if l == "" {
			continue
		}
		k, v, _ := strings.Cut(l, ":")
		if g, ok := got[k]; !ok || g != strings.TrimSpace(v) {
			s.t.Errorf("event %s has %s %q, want %q", e.Kind, k, g, strings.TrimSpace(v))
		}
	}
}
