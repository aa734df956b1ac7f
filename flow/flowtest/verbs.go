package flowtest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
)

// verbs are all lines of a script.
var verbs map[string]verb

func init() { // not a literal: the verbs that are tried make a World, which knows the verbs
	verbs = map[string]verb{
		"caller": {set: func(w *World, args string) error { return w.setAddress("source", args) }},
		"called": {set: func(w *World, args string) error { return w.setAddress("destination", args) }},
		"var":    {set: setVar},
		"http":   {set: setHTTP},
		"peer":   {set: setPeer},
		"conference": {set: func(w *World, args string) error {
			w.conferences[args] = true
			return notEmpty(args, "conference ID")
		}},
		"status": {set: func(w *World, args string) error { w.status = args; return notEmpty(args, "status STATUS") }},
		"flow": {set: func(w *World, args string) error {
			f, err := fields(args, 2, "flow ID JSON")
			if err == nil {
				w.flows[f[0]] = f[1]
			}
			return err
		}},
		"program": {set: func(w *World, args string) error {
			id, fault, _ := strings.Cut(args, " ")
			w.programs[id] = fault
			return errors.Join(notEmpty(id, "program ID [FAULT]"), checkFault(fault))
		}},
		"leg": {set: func(w *World, args string) error {
			f, err := fields(args, 2, "leg CAPABILITY FAULT")
			if err != nil {
				return err
			}
			w.faults[f[0]] = f[1]
			return errors.Join(checkCapability(f[0]), checkFault(f[1]))
		}},
		"prompt": {set: setPrompt},
		"recording": {set: func(w *World, args string) error {
			f, err := fields(args, 2, "recording ID TEXT")
			if err == nil {
				w.recordings = append(w.recordings, tape{f[0], f[1]})
			}
			return err
		}},
		"assistant": {set: func(w *World, args string) error { w.replies = append(w.replies, args); return checkReply(args) }},
		"send":      {set: func(w *World, args string) error { w.sends = append(w.sends, args); return checkSend(args) }},
		"queue":     {set: setQueue},
		"mailbox":   {set: setMailbox},
		"message":   {set: setMessage},
		"orbit":     {set: setOrbit},
		"rings":     {set: func(w *World, args string) error { w.rings[args] = true; return nil }},
		"machine": {set: func(w *World, args string) (err error) {
			f, err := fields(args, 2, "machine TIME VERDICT")
			if err == nil {
				w.verdict = f[1]
				w.verdictAt, err = parseDelay(f[0])
			}
			return err
		}},
		"begin": {set: func(w *World, args string) error {
			w.begin = flow.Position{ID: args}
			return notEmpty(args, "begin ID")
		}},
		"date": {set: func(_ *World, args string) error { // Flow.RunScript waits for it
			when, err := time.Parse(dateForm, args)
			if err != nil || when.Year() < 2000 || when.Year() > 2200 {
				return errors.New(`want "date 2000-12-31 23:59", in UTC`)
			}
			return nil
		}},
		"quiet": {set: func(w *World, args string) error { w.quiet = true; return nothing(args) }},

		"wait":        {move: moveWait},
		"press":       {move: movePress},
		"hears":       {move: expecting(KindSound), expects: true},
		"dials":       {move: expecting(KindDials), expects: true},
		"requests":    {move: expecting(KindRequest), expects: true},
		"says":        {move: moveSays(true)},
		"interim":     {move: moveSays(false)},
		"transcriber": {move: moveTranscriber},
		"hangup": {move: func(args string) (func(*run), error) {
			return func(r *run) { r.caller.Hangup() }, nothing(args)
		}},
		"leave": {move: func(args string) (func(*run), error) {
			return func(r *run) { r.caller.Leave() }, nothing(args)
		}},
		"skip":     {move: moveSkip("skip", action.ErrSkip)},
		"continue": {move: moveSkip("continue", action.ErrContinue)},
	}
}

func notEmpty(arg, form string) error {
	if arg == "" {
		return fmt.Errorf("want %q", form)
	}
	return nil
}

func nothing(args string) error {
	if args != "" {
		return fmt.Errorf("nothing may follow, %q does", args)
	}
	return nil
}

func setVar(w *World, args string) error {
	name, value, ok := strings.Cut(args, "=")
	if !ok || name == "" {
		return errors.New(`want "var NAME=VALUE"`)
	}
	return w.vars.Set(name, value)
}

// setAddress takes "+16062067563", "100" and "sip:bob@example.com".
func (w *World) setAddress(end, args string) error {
	if args == "" {
		return errors.New("want a number, an extension or a SIP address")
	}
	a := address.Address{Type: address.TypeExtension, Target: args}
	if uri, ok := strings.CutPrefix(args, "sip:"); ok {
		a = address.Address{Type: address.TypeSIP, Target: uri}
	} else if strings.HasPrefix(args, "+") {
		a.Type = address.TypeTel
	}
	if err := a.Validate(); err != nil {
		return err
	}
	for key, value := range map[string]string{"type": string(a.Type), "target": a.Target} {
		if err := w.vars.Set("voipbin.call."+end+"."+key, value); err != nil {
			return err
		}
	}
	return nil
}

// answer is what a web server does.
type answer struct {
	url    string // that it is for, and all below; "": any
	after  time.Duration
	status int
	body   string
	fails  string // "error", "hang"; "": it answers
}

func setHTTP(w *World, args string) error {
	const form = "http [URL] [TIME] STATUS [BODY], or error or hang in place of the status"
	var a answer
	word, rest, _ := strings.Cut(args, " ")
	if strings.Contains(word, "://") || word == "*" {
		a.url = word
		word, rest, _ = strings.Cut(strings.TrimSpace(rest), " ")
	}
	if d, err := time.ParseDuration(word); err == nil && word != "0" {
		a.after = d
		word, rest, _ = strings.Cut(strings.TrimSpace(rest), " ")
	}
	switch word {
	case "error", "hang":
		a.fails = word
	default:
		status, err := strconv.Atoi(word)
		if err != nil || status < 100 || status > 999 {
			return fmt.Errorf("want %q", form)
		}
		a.status, a.body = status, rest
	}
	if a.url == "" {
		w.answers = append(w.answers, a)
	} else {
		w.servers = append(w.servers, a)
	}
	return nil
}

// Peer is what somebody does who is called. The zero value rings for ever.
type Peer struct {
	Unknown bool          // no leg can be made
	After   time.Duration // of what follows; 0: never
	Reason  string        // of the refusal; empty: answers
	Status  int           // SIP

	Keys      string        // that are pressed after an answer
	KeysAfter time.Duration // how long after it
}

func setPeer(w *World, args string) error {
	const form = "peer TARGET answers TIME [presses KEYS [TIME]], REASON TIME STATUS, silent or unknown"
	f := strings.Fields(args)
	if len(f) < 2 {
		return fmt.Errorf("want %q", form)
	}
	p := Peer{Unknown: f[1] == "unknown"}
	switch {
	case len(f) == 2 && (p.Unknown || f[1] == "silent"):
		w.peers[f[0]] = p
		return nil
	case len(f) < 3:
		return fmt.Errorf("want %q", form)
	}
	var err error
	if p.After, err = parseDelay(f[2]); err != nil {
		return err
	}
	if f[1] == "answers" && len(f) > 3 {
		if len(f) > 6 || len(f) < 5 || f[3] != "presses" || strings.Trim(f[4], "0123456789ABCD*#") != "" {
			return fmt.Errorf("want %q", form)
		}
		p.Keys, p.KeysAfter = f[4], time.Second
		if len(f) == 6 {
			if p.KeysAfter, err = parseDelay(f[5]); err != nil {
				return err
			}
		}
	}
	if f[1] != "answers" {
		if len(f) != 4 {
			return fmt.Errorf("want %q", form)
		}
		p.Reason = f[1]
		if p.Status, err = strconv.Atoi(f[3]); err != nil || p.Status < 300 || p.Status > 699 {
			return fmt.Errorf("%q is no status of a refusal, 300 to 699", f[3])
		}
	}
	w.peers[f[0]] = p
	return nil
}

// prompt is a sound file.
type prompt struct {
	length  time.Duration
	rate    int // Hz
	after   time.Duration
	missing bool
}

func setPrompt(w *World, args string) error {
	f := strings.Fields(args)
	if len(f) < 2 {
		return errors.New(`want "prompt FILE LENGTH [RATE] [after TIME]" or "prompt FILE missing"`)
	}
	p := prompt{rate: 8000}
	if p.missing = f[1] == "missing"; !p.missing {
		var err error
		if p.length, err = parseDelay(f[1]); err != nil {
			return err
		}
		f := f[2:]
		if len(f) > 0 && f[0] != "after" {
			if p.rate, err = strconv.Atoi(f[0]); err != nil || p.rate < 8000 || p.rate > 48000 {
				return fmt.Errorf("%q is no rate, as 8000 and 16000 are", f[0])
			}
			f = f[1:]
		}
		if len(f) == 2 && f[0] == "after" {
			if p.after, err = parseDelay(f[1]); err != nil {
				return err
			}
		}
	}
	w.prompts[f[0]] = p
	return nil
}

// queue has an agent who answers, or puts the caller out.
type queue struct {
	after   time.Duration
	answers bool
}

func setQueue(w *World, args string) error {
	f := strings.Fields(args)
	if len(f) != 3 || f[1] != "answers" && f[1] != "leaves" {
		return errors.New(`want "queue ID answers TIME" or "queue ID leaves TIME"`)
	}
	after, err := parseDelay(f[2])
	w.queues[f[0]] = queue{after, f[1] == "answers"}
	return err
}

var capabilities = strings.Fields("answer hangup play echo digits connect bridge conference follow listen transcription queue park pickup external speaker prompts mailbox")

func checkCapability(name string) error {
	for _, c := range capabilities {
		if c == name {
			return nil
		}
	}
	return fmt.Errorf("there is no capability %q, only %s", name, strings.Join(capabilities, " "))
}

func checkFault(fault string) error {
	switch how, after, _ := strings.Cut(fault, " "); how {
	case "", "fails", "hangs", "panics":
		return nothing(after)
	case "takes":
		_, err := parseDelay(after)
		return err
	default:
		return fmt.Errorf("there is no fault %q, only fails, hangs, panics and takes TIME", how)
	}
}

func checkReply(args string) error {
	args = strings.TrimSuffix(args, " END")
	if args == "error" || args == "hang" {
		return nil
	}
	after, _, _ := strings.Cut(args, " ")
	_, err := parseDelay(after)
	return err
}

func checkSend(args string) error {
	if args == "error" || args == "hang" {
		return nil
	}
	_, err := parseDelay(args)
	return err
}
