package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/examples/server/flows"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/expr"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// question is a call that has not come.
type question struct {
	flows    string // folder; empty: the built-in ones
	from, to string
	peer     netip.AddrPort
	headers  []sip.Header
	at       time.Time
	digits   []string
	vars     map[string]string
}

// runExplain is flowcheck explain; it returns its exit status.
func runExplain(args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("flowcheck explain", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		fmt.Fprintln(stderr, "usage: flowcheck explain [-flows DIR] [-config FILE] [-from CALLER] [-peer ADDRESS] [-header NAME:VALUE]... [-to DESTINATION] [-at TIME] [-digits LIST] [-var NAME=VALUE]...")
		set.PrintDefaults()
	}
	server := call.AddFlags(set) // those of a server mean here what they mean there
	q := question{at: time.Now(), vars: make(map[string]string)}
	set.StringVar(&q.flows, "flows", "", "folder of flows, one JSON file a destination; empty: those built into examples/server")
	set.StringVar(&q.from, "from", "", "who calls: +NUMBER, or USER@HOST")
	set.Func("peer", "IP address that the call comes from, which tells by which trunk", q.setPeer)
	set.Func("header", "NAME:VALUE, a header of the call, as P-Asserted-Identity:<tel:+16065550100>; any number of them", q.setHeader)
	set.StringVar(&q.to, "to", "100", "who is called: a number or an extension")
	set.Func("at", "when, as 2026-11-27T18:30:00-05:00; default: now", q.setAt)
	set.Func("digits", "what the caller presses each time that digits are asked for, by commas: 1,2#", q.setDigits)
	set.Func("var", "NAME=VALUE, a variable that the call has; any number of them", q.setVar)
	if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if set.NArg() > 0 {
		set.Usage()
		return 2
	}
	invite, err := q.invite()
	if err != nil {
		return status(err, nil, stderr)
	}
	cfg, settings, err := server.Config()
	if err != nil {
		return status(err, nil, stderr)
	}
	a, err := q.ask(cfg, settings, invite)
	if bad, ok := errors.AsType[*flow.Error](err); ok {
		text := "no server starts with these flows:\n" + bad.Error() + "\n"
		if code := status(nil, write(stdout, []byte(text)), stderr); code != 0 {
			return code
		}
		return 1
	}
	if err != nil {
		return status(err, nil, stderr)
	}
	return status(nil, write(stdout, []byte(a.String())), stderr)
}

func (q *question) setAt(s string) error {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errors.New("must be a time with its zone, as 2026-11-27T18:30:00-05:00 or 2026-11-27T23:30:00Z")
	}
	q.at = t
	return nil
}

func (q *question) setPeer(s string) error {
	if a, err := netip.ParseAddr(s); err == nil {
		q.peer = netip.AddrPortFrom(a, 5060)
		return nil
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return errors.New("must be an IP address, or one with a port")
	}
	q.peer = a
	return nil
}

func (q *question) setHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok || strings.TrimSpace(name) == "" {
		return errors.New("must be NAME:VALUE")
	}
	q.headers = append(q.headers, sip.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	return nil
}

func (q *question) setDigits(s string) error {
	q.digits = nil
	for digits := range strings.SplitSeq(s, ",") {
		digits = strings.TrimSpace(digits)
		if bad := strings.Trim(digits, "0123456789ABCD*#"); bad != "" {
			return fmt.Errorf("there are no digits %q, but 0-9 A-D * and #", bad)
		}
		q.digits = append(q.digits, digits)
	}
	return nil
}

func (q *question) setVar(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("must be NAME=VALUE")
	}
	q.vars[name] = value
	return nil
}

// invite is the request with which the call would come.
func (q *question) invite() (*sip.Request, error) {
	req := &sip.Request{Method: "INVITE", Source: q.peer, Headers: q.headers}
	req.UserAgent, _ = req.Header("User-Agent")
	end := func(flag, s string) (user, host string, err error) {
		for _, scheme := range []string{"sip:", "tel:"} {
			s = strings.TrimPrefix(s, scheme)
		}
		if s = strings.TrimSpace(s); s == "" {
			return "", "", nil
		}
		read := s
		if strings.Contains(s, "@") { // also where a number is in front of it
			read = "sip:" + s
		}
		if _, err := address.Parse(read); err != nil {
			return "", "", fmt.Errorf("%s %q: %w", flag, s, err)
		}
		user, host, _ = strings.Cut(s, "@")
		return user, host, nil
	}
	var errs [2]error
	req.From.User, req.From.Host, errs[0] = end("-from", q.from)
	req.User, req.Host, errs[1] = end("-to", q.to)
	if req.User == "" && errs[1] == nil {
		errs[1] = errors.New("-to: there is no destination")
	}
	return req, errors.Join(errs[:]...)
}

// answer is what becomes of such a call.
type answer struct {
	question
	call.Foreseen
	file     string         // of the flow, without .json; "" for none
	findings []flow.Finding // of all flows
	way      flow.Course
	flow     *flow.Flow // nil: there is none
}

// ask makes of cfg what examples/server makes of it, and asks it.
func (q *question) ask(cfg call.Config, settings call.Settings, invite *sip.Request) (*answer, error) {
	ctx := context.Background()
	a := &answer{question: *q}
	cfg.Store, cfg.Logger, cfg.OpenRooms = store.Memory(), slog.New(slog.DiscardHandler), true
	cfg.Deps = call.NewDeps(settings, nobody{}, nobody{})
	cfg.Deps.Expressions = expr.Expressions{}
	recordings, err := filepath.Abs(filepath.Join("callbin-data", "recordings"))
	if err != nil {
		return nil, err
	}
	dir, err := flows.Open(q.flows, recordings, &cfg, func(f *flow.Flow) []flow.Finding {
		found := cfg.CheckInDir(f)
		a.findings = append(a.findings, found...)
		return found
	})
	if err != nil {
		return nil, err
	}
	cfg.UseFlows(dir, settings.Owned)
	a.Foreseen = cfg.Foresee(ctx, invite)
	if a.flow, _ = a.Program.(*flow.Flow); a.flow == nil {
		return a, nil
	}
	for destination, f := range dir.Destinations() {
		if f == a.flow {
			a.file = destination
		}
	}
	for name, value := range q.vars {
		a.Vars[name] = value
	}
	a.way = flow.Explain(ctx, a.flow, flow.ExplainOptions{Vars: a.Vars, At: q.at, Digits: q.digits, FlowByID: cfg.FlowByID})
	return a, nil
}

// nobody stands for the speech engine and the web, which nothing is asked of.
type nobody struct{}

var errNobody = errors.New("flowcheck: nothing is asked of anybody")

func (nobody) Speak(context.Context, media.Utterance) (media.Source, error) { return nil, errNobody }
func (nobody) Do(*http.Request) (*http.Response, error)                     { return nil, errNobody }
