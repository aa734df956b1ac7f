package sip

import (
	"strconv"
	"strings"
)

// app is what the application does.
func (s *script) app(arg, content string) {
	s.t.Helper()
	words := strings.Fields(arg)
	not := words[0] == "not"
	if not {
		words = words[1:]
	}
	num := func(i int) int {
		n, err := strconv.Atoi(words[i])
		if err != nil {
			s.t.Fatal(err)
		}
		return n
	}
	if words[0] == "call" {
		s.call(strings.Join(words[1:], " "), content)
		return
	}
	if words[0] == "next" {
		s.d2, s.ev2 = s.d, s.ev
		s.d, s.ev = nil, nil
		if s.dialog().Replaces() != s.d2 {
			s.t.Fatal("the call does not replace the one before")
		}
		return
	}
	d := s.dialog()
	body := []byte(strings.ReplaceAll(s.expand(content), "\n", "\r\n"))
	var err error
	switch words[0] {
	case "ring":
		err = d.Provisional(180, nil)
	case "early":
		err = d.Provisional(183, body)
	case "accept":
		err = d.Accept(body)
	case "reject":
		err = d.Reject(num(1), "", Header{"Reason", "Q.850;cause=17"})
	case "answer":
		err = d.Answer(num(1), num(2), body)
	case "offer":
		err = d.Offer(body)
	case "cancel":
		var hs []Header
		for _, l := range strings.Split(content, "\n") {
			if name, v, ok := strings.Cut(l, ": "); ok {
				hs = append(hs, Header{name, v})
			}
		}
		err = d.Cancel(hs...)
	case "refer":
		err = d.AnswerRefer(s.referID, num(1))
	case "told":
		err = d.NotifyRefer(s.referID, num(1), "")
	case "send":
		to, err2 := ParseReferTo(strings.Join(words[2:], " "))
		if err2 != nil {
			s.t.Fatal(err2)
		}
		_, err = d.Refer(to, Header{"Referred-By", "<sip:callbin@192.0.2.1>"})
	case "swap":
		s.d, s.d2, s.ev, s.ev2 = s.d2, s.d, s.ev2, s.ev
	case "bye":
		err = d.Bye(Header{"Reason", "Q.850;cause=16"})
	default:
		s.t.Fatalf("no such verb: %s", arg)
	}
	if (err != nil) != not {
		s.t.Fatalf("app %s: %v", arg, err)
	}
}
