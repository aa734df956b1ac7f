package foreign

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/callbin/callbin/flow"
)

// Limits of a document.
const (
	MaxElements = 5000
	maxDepth    = 32
)

// element is one of XML, with its place.
type element struct {
	name     string
	offset   int // of its <
	tagEnd   int // behind its >
	innerEnd int // where its end tag begins
	pointer  string
	attrs    []xml.Attr
	children []*element
	text     string // its own
}

// attr returns an attribute, trimmed, and whether it is there.
func (e *element) attr(name string) (string, bool) {
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return strings.TrimSpace(a.Value), true
		}
	}
	return "", false
}

// attrOffset is where an attribute stands in the text.
func (e *element) attrOffset(data []byte, name string) int {
	tag := data[e.offset:min(e.tagEnd, len(data))]
	for from := 0; ; {
		i := bytes.Index(tag[from:], []byte(name))
		if i < 0 {
			return e.offset
		}
		i += from
		rest := bytes.TrimLeft(tag[i+len(name):], " \t\r\n")
		if i > 0 && strings.IndexByte(" \t\r\n", tag[i-1]) >= 0 && bytes.HasPrefix(rest, []byte("=")) {
			return e.offset + i
		}
		from = i + len(name)
	}
}

// syntaxError is a fault of a document, with its place.
type syntaxError struct {
	offset int
	text   string
}

func (e *syntaxError) Error() string { return e.text }

// parseXML reads a document. It knows no entities but those of XML, and takes no document type.
func parseXML(data []byte) (root *element, err error) {
	if len(data) > flow.MaxSize {
		return nil, &syntaxError{0, fmt.Sprintf("the document has more than %d bytes", flow.MaxSize)}
	}
	dec := xml.NewDecoder(bytes.NewReader(data))
	var open []*element
	n := 0
	for {
		at := int(dec.InputOffset())
		bad := func(format string, args ...any) error { return &syntaxError{at, fmt.Sprintf(format, args...)} }
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if root == nil {
				return nil, bad("there is no element")
			}
			return root, nil
		}
		if err != nil {
			at = int(dec.InputOffset())
			return nil, bad("not well-formed XML: %v", err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if n++; n > MaxElements {
				return nil, bad("more than %d elements", MaxElements)
			}
			if len(open) >= maxDepth {
				return nil, bad("nested more than %d deep", maxDepth)
			}
			e := &element{name: tok.Name.Local, offset: at, tagEnd: int(dec.InputOffset()), attrs: tok.Copy().Attr, pointer: "/" + tok.Name.Local}
			if len(open) > 0 {
				p := open[len(open)-1]
				p.children = append(p.children, e)
				e.pointer = fmt.Sprintf("%s/%s[%d]", p.pointer, e.name, len(p.children))
			} else if root != nil {
				return nil, bad("there is more than one element at the top")
			} else {
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			open[len(open)-1].innerEnd = max(at, open[len(open)-1].tagEnd)
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(tok)
			}
		case xml.Directive:
			return nil, bad("a document type is not allowed")
		}
	}
}
