package sip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// typeNAPTR is the number of that record type, which dnsmessage does not know.
	typeNAPTR = 35
	// maxCNAMEs is how many aliases lead to a record at most.
	maxCNAMEs = 8
	// maxRecords is how many records of an answer are looked at.
	maxRecords = 256
)

var (
	errNotOurs   = errors.New("sip: dns: not an answer to this question")
	errTruncated = errors.New("sip: dns: answer is truncated")
	errNoRecord  = errors.New("no such record") // seen by users as part of a net.DNSError
)

// question is what is looked up.
type question struct {
	dnsmessage.Question
	packed []byte // the message, with an id of 0
}

// newQuestion asks for name. Without EDNS0 there is no server that cannot answer,
// and what SIP looks up seldom needs more than 512 bytes.
func newQuestion(name string, typ dnsmessage.Type) (question, error) {
	if !plainName(name) {
		return question{}, errors.New("sip: dns: no name of a host or service")
	}
	n, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return question{}, fmt.Errorf("sip: dns: %w", err)
	}
	q := question{Question: dnsmessage.Question{Name: n, Type: typ, Class: dnsmessage.ClassINET}}
	m := dnsmessage.Message{Header: dnsmessage.Header{RecursionDesired: true}, Questions: []dnsmessage.Question{q.Question}}
	if q.packed, err = m.Pack(); err != nil {
		return question{}, fmt.Errorf("sip: dns: %w", err)
	}
	return q, nil
}

// answer is what a name server knows of one name: at least one record.
type answer struct {
	bodies []dnsmessage.ResourceBody // all of the type asked for
	ttl    time.Duration             // the shortest on the way to them
}

// readAnswer reads b as the answer to q. errNotOurs: it is something else, which
// anyone may have sent; errNoRecord: there is nothing; errTruncated: by another
// network there is more; other errors: the server is of no use.
func readAnswer(b []byte, id uint16, q question, network string) (answer, error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || !h.Response || h.ID != id {
		return answer{}, errNotOurs
	}
	asked, err := p.Question()
	if err != nil || asked.Type != q.Type || asked.Class != q.Class || !strings.EqualFold(asked.Name.String(), q.Name.String()) {
		return answer{}, errNotOurs
	}
	if _, err := p.Question(); !errors.Is(err, dnsmessage.ErrSectionDone) {
		return answer{}, errNotOurs
	}
	switch {
	case h.Truncated && network == "udp":
		return answer{}, errTruncated
	case h.RCode == dnsmessage.RCodeNameError:
		return answer{}, errNoRecord
	case h.RCode != dnsmessage.RCodeSuccess:
		return answer{}, fmt.Errorf("sip: dns: server says %v", h.RCode)
	}
	records, aliases, err := readRecords(&p, q.Type)
	if err != nil {
		return answer{}, fmt.Errorf("sip: dns: malformed answer: %w", err)
	}
	name, ttl := canonical(q.Name), ^uint32(0)
	for hops := 0; ; hops++ {
		alias, ok := aliases[name]
		if !ok {
			break
		}
		if hops == maxCNAMEs {
			return answer{}, fmt.Errorf("%w: aliases in a circle", errNoRecord)
		}
		name, ttl = alias.to, min(ttl, alias.ttl)
	}
	var a answer
	for _, r := range records {
		if canonical(r.Header.Name) == name {
			a.bodies, ttl = append(a.bodies, r.Body), min(ttl, lifetime(r.Header))
		}
	}
	switch {
	case len(a.bodies) > 0:
		a.ttl = time.Duration(ttl) * time.Second
		return a, nil
	case !h.Authoritative && !h.RecursionAvailable && len(aliases) == 0:
		return answer{}, errors.New("sip: dns: server only refers to others")
	}
	return answer{}, errNoRecord
}

// alias is a CNAME record.
type alias struct {
	to  string
	ttl uint32 // seconds
}

// readRecords takes the records of typ and the aliases from an answer section.
func readRecords(p *dnsmessage.Parser, typ dnsmessage.Type) (records []dnsmessage.Resource, aliases map[string]alias, err error) {
	aliases = make(map[string]alias)
	for n := 0; n < maxRecords; n++ {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if h.Class != dnsmessage.ClassINET || h.Type != typ && h.Type != dnsmessage.TypeCNAME {
			if err := p.SkipAnswer(); err != nil {
				return nil, nil, err
			}
			continue
		}
		r, err := p.Answer()
		if err != nil {
			return nil, nil, err
		}
		if c, ok := r.Body.(*dnsmessage.CNAMEResource); ok {
			aliases[canonical(h.Name)] = alias{canonical(c.CNAME), lifetime(h)}
			continue
		}
		records = append(records, r)
	}
	return records, aliases, nil
}

func canonical(n dnsmessage.Name) string { return strings.ToLower(n.String()) }

// lifetime is the TTL in seconds; the highest bit makes it 0 (RFC 2181 8).
func lifetime(h dnsmessage.ResourceHeader) uint32 {
	if h.TTL > 1<<31-1 {
		return 0
	}
	return h.TTL
}

// parseNAPTR reads the data of a NAPTR record (RFC 3403 4.1). Its name is never
// compressed; without a regexp it is what to look up next.
func parseNAPTR(b []byte) (n NAPTR, regexp string, err error) {
	bad := func(what string) (NAPTR, string, error) {
		return NAPTR{}, "", fmt.Errorf("sip: parse NAPTR: %s", what)
	}
	if len(b) < 4 {
		return bad("too short")
	}
	n.Order, n.Preference = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	b = b[4:]
	for _, s := range []*string{&n.Flags, &n.Service, &regexp} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return bad("string is cut off")
		}
		*s, b = string(b[1:1+int(b[0])]), b[1+int(b[0]):]
	}
	var name strings.Builder
	for {
		switch {
		case len(b) == 0:
			return bad("name is cut off")
		case b[0] == 0 && len(b) > 1:
			return bad("something after the name")
		case b[0] == 0:
			n.Replacement = name.String()
			if n.Replacement == "" {
				n.Replacement = "."
			}
			return n, regexp, nil
		case b[0] > 63:
			return bad("name is compressed")
		case len(b) < 1+int(b[0]):
			return bad("name is cut off")
		}
		label := string(b[1 : 1+int(b[0])])
		if strings.Contains(label, ".") || !plainName(label) || name.Len()+len(label) > 253 {
			return bad("no name of a host or service")
		}
		name.WriteString(label + ".")
		b = b[1+int(b[0]):]
	}
}

// plainName says whether s is made of what names of hosts and services are made
// of, so that it can be looked up, written and logged as it is.
func plainName(s string) bool {
	for _, c := range []byte(s) {
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}
