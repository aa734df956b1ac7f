package action

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Limits of ParseJSON.
const (
	maxDepth = 64      // nesting
	maxNodes = 200_000 // values in one text
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	return [...]string{"null", "true or false", "a number", "a string", "a list", "an object"}[k]
}

// Node is one JSON value and its place in the text that it was read from, so that
// faults can be told with line and column.
type Node struct {
	Kind       Kind
	Start, End int      // byte offsets of the value in the text
	Text       string   // String: decoded; Number and Bool: as written
	Elems      []*Node  // Array
	Members    []Member // Object, in the order of the text
}

// Member is one key of an object.
type Member struct {
	Key   string
	Start int // byte offset of the key
	Value *Node
}

// Member returns the value of a key of an object, or nil. Of a key that stands
// twice it is the last, as for encoding/json.
func (n *Node) Member(key string) *Node {
	if n == nil {
		return nil
	}
	for i := len(n.Members) - 1; i >= 0; i-- {
		if n.Members[i].Key == key {
			return n.Members[i].Value
		}
	}
	return nil
}

// at returns the value that path leads to, or as near to it as there is one.
func (n *Node) at(path []any) *Node {
	for _, p := range path {
		next := n.child(p)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// child is the value of a key, or at an index, or nil.
func (n *Node) child(p any) *Node {
	switch p := p.(type) {
	case string:
		return n.Member(p)
	case int:
		if n != nil && p < len(n.Elems) {
			return n.Elems[p]
		}
	}
	return nil
}

// Pointer is the JSON pointer (RFC 6901) of the innermost value that the byte at offset is in, or whose key it is in.
func (n *Node) Pointer(offset int) string {
	var b strings.Builder
	for n != nil {
		var next *Node
		for _, m := range n.Members {
			if offset >= m.Start && offset < m.Value.End {
				b.WriteByte('/')
				b.WriteString(pointerEscape.Replace(m.Key))
				if next = m.Value; offset < next.Start {
					return b.String()
				}
			}
		}
		// The first that ends behind offset: a list may be long, and asked for often.
		i := sort.Search(len(n.Elems), func(i int) bool { return n.Elems[i].End > offset })
		if i < len(n.Elems) && n.Elems[i].Start <= offset {
			fmt.Fprintf(&b, "/%d", i)
			next = n.Elems[i]
		}
		if next != nil && offset == next.Start && (next.Kind == Object || next.Kind == Array) {
			return b.String()
		}
		n = next
	}
	return b.String()
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// Position returns line and column, from 1 and in bytes, of an offset in a text.
func Position(data []byte, offset int) (line, column int) {
	offset = max(0, min(offset, len(data)))
	before := data[:offset]
	return bytes.Count(before, []byte("\n")) + 1, offset - (bytes.LastIndexByte(before, '\n') + 1) + 1
}

// hasVar tells whether a string value in n holds a variable.
func (n *Node) hasVar() bool {
	if n.Kind == String {
		return HasVar(n.Text)
	}
	for _, e := range n.Elems {
		if e.hasVar() {
			return true
		}
	}
	for _, m := range n.Members {
		if m.Value.hasVar() {
			return true
		}
	}
	return false
}

// Problem is one fault of a JSON text.
type Problem struct {
	Warning bool   // it can run nevertheless
	Offset  int    // bytes from the start of the text
	Path    string // of the value, like "stream_urls[0]"; may be empty
	Message string
	Rule    string // one of the Rule constants
	Mend    string // how to mend it, where the message does not say so
}

// Rules that options and keys are checked by.
const (
	RuleSyntax     = "syntax"      // it is no JSON
	RuleLimit      = "limit"       // it is too large
	RuleDuplicate  = "duplicate"   // a key or an id stands twice
	RuleUnknownKey = "unknown-key" // there is no such key or option
	RuleWrongType  = "wrong-type"  // a value of another type is needed
	RuleRequired   = "required"    // something is left out
	RuleBadValue   = "bad-value"   // the value cannot be used, or does not do what it seems to
)

// Problems are all the faults of a JSON text; as an error they are one line each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, f := range p {
		lines[i] = fmt.Sprintf("action: byte %d: %s", f.Offset, f.Message)
	}
	return strings.Join(lines, "\n")
}

// ParseJSON reads one JSON text. A syntax fault is one problem and no node; keys that
// stand twice in an object are problems of a node. A byte order mark at the start is
// passed over.
func ParseJSON(data []byte) (*Node, Problems) {
	bom := 0
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		bom = 3
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data[bom:], &whole); err != nil {
		offset := len(data)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && int(syntax.Offset)+bom <= len(data) {
			// Offset counts the offending byte, but not where the text just ends.
			offset = int(syntax.Offset) + bom
			if offset > bom && !strings.Contains(syntax.Error(), "unexpected end") {
				offset--
			}
		}
		return nil, Problems{{Rule: RuleSyntax, Offset: offset, Message: "not valid JSON: " + err.Error()}}
	}
	p := nodeParser{data: data, base: bom, dec: json.NewDecoder(bytes.NewReader(data[bom:]))}
	p.dec.UseNumber()
	n := p.value(0)
	if p.broken {
		return nil, p.problems
	}
	return n, p.problems
}

// nodeParser builds nodes from the tokens of a text that is known to be valid.
type nodeParser struct {
	data     []byte
	base     int // offset of the decoder's first byte in data
	dec      *json.Decoder
	nodes    int
	problems Problems
	broken   bool // a limit was met: stop
}

func (p *nodeParser) fail(offset int, message string) *Node {
	if !p.broken {
		p.broken = true
		p.problems = Problems{{Rule: RuleLimit, Offset: offset, Message: message}}
	}
	return nil
}

// token returns the next token and its place.
func (p *nodeParser) token() (tok json.Token, start, end int) {
	start = p.base + int(p.dec.InputOffset())
	for start < len(p.data) && strings.IndexByte(" \t\r\n,:", p.data[start]) >= 0 {
		start++
	}
	tok, err := p.dec.Token()
	if err != nil {
		p.fail(start, "not valid JSON: "+err.Error())
	}
	return tok, start, p.base + int(p.dec.InputOffset())
}

func (p *nodeParser) value(depth int) *Node {
	tok, start, end := p.token()
	if p.broken {
		return nil
	}
	if p.nodes++; p.nodes > maxNodes {
		return p.fail(start, fmt.Sprintf("more than %d values", maxNodes))
	}
	if depth > maxDepth {
		return p.fail(start, fmt.Sprintf("nested more than %d deep", maxDepth))
	}
	n := &Node{Start: start, End: end}
	switch tok := tok.(type) {
	case string:
		n.Kind, n.Text = String, tok
	case json.Number:
		n.Kind, n.Text = Number, tok.String()
	case bool:
		n.Kind, n.Text = Bool, fmt.Sprint(tok)
	case json.Delim:
		if tok == '[' {
			n.Kind = Array
			p.elems(n, depth)
		} else {
			n.Kind = Object
			p.members(n, depth)
		}
		_, _, n.End = p.token()
	}
	if p.broken {
		return nil
	}
	return n
}

func (p *nodeParser) elems(n *Node, depth int) {
	for !p.broken && p.dec.More() {
		if e := p.value(depth + 1); e != nil {
			n.Elems = append(n.Elems, e)
		}
	}
}

func (p *nodeParser) members(n *Node, depth int) {
	seen := make(map[string]bool)
	for !p.broken && p.dec.More() {
		tok, start, _ := p.token()
		key, _ := tok.(string)
		v := p.value(depth + 1)
		if v == nil {
			return
		}
		if seen[key] {
			p.problems = append(p.problems, Problem{Rule: RuleDuplicate, Offset: start, Path: key, Message: fmt.Sprintf("key %q stands twice", key)})
		}
		seen[key] = true
		n.Members = append(n.Members, Member{Key: key, Start: start, Value: v})
	}
}
