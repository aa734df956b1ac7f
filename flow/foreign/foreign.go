package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// RuleForeign is the rule of findings about what cannot be expressed.
const RuleForeign = "not-expressible"

// Options say how a document is read. The zero value is usable where its URLs are absolute.
type Options struct {
	URL, Method string // of the document: relative URLs start there, and it is asked again where it names none
	File        string // what findings call it

	Account, FallbackURL, FallbackMethod string // of the fetch actions that are made
}

// Reader is an action.FlowReader. The zero value is ready, and safe for concurrent use.
type Reader struct{}

var _ action.FlowReader = Reader{}

// Recognize takes XML for TwiML, and a JSON list of objects that have an action, and no type, for NCCO.
func (Reader) Recognize(contentType string, text []byte) string {
	switch {
	case strings.HasSuffix(contentType, "/xml") || strings.HasSuffix(contentType, "+xml"):
		return action.FormatTwilio
	case isNCCO(text):
		return action.FormatVonage
	default:
		return ""
	}
}

// isNCCO looks at the first object of a list.
func isNCCO(text []byte) bool {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return false
	}
	var list []struct {
		Action any `json:"action"`
		Type   any `json:"type"`
	}
	if json.Unmarshal(text, &list) != nil || len(list) == 0 {
		return false
	}
	_, ok := list[0].Action.(string)
	return ok && list[0].Type == nil
}

// ReadFlow reads a document. One that is sound is played, and plain text is spoken, as Twilio does it.
func (Reader) ReadFlow(d action.Document) (actions json.RawMessage, notes []error, err error) {
	o := Options{URL: d.URL, Method: d.Method, Account: d.Account, FallbackURL: d.FallbackURL, FallbackMethod: d.FallbackMethod}
	var findings []flow.Finding
	switch text := bytes.TrimSpace(d.Text); {
	case d.Format == action.FormatVonage && (len(text) == 0 || text[0] == '{' || bytes.Equal(text, []byte("[]"))):
		return nil, nil, nil // an event was taken, and the NCCO goes on
	case d.Format == action.FormatVonage:
		actions, findings = ReadNCCO(d.Text, o)
	case strings.HasPrefix(d.ContentType, "audio/"):
		b := newBuilder(d.Text, o)
		b.answer()
		b.add("play", opts{"stream_urls": []any{d.URL}})
		actions, findings = b.done()
	case d.ContentType == "text/plain" && !bytes.HasPrefix(bytes.TrimSpace(d.Text), []byte("<")):
		b := newBuilder(d.Text, o)
		b.add("talk", opts{"text": string(d.Text)})
		actions, findings = b.done()
	case len(bytes.TrimSpace(d.Text)) == 0:
		actions, findings = newBuilder(nil, o).done()
	default:
		actions, findings = ReadTwiML(d.Text, o)
	}
	for _, f := range findings {
		notes = append(notes, errors.New("foreign: "+f.String()))
	}
	if actions == nil {
		return nil, notes, fmt.Errorf("foreign: the answer cannot be read: %s", findings[len(findings)-1])
	}
	return actions, notes, nil
}
