package speech

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// elements of SSML 1.1 that cannot make an engine open a file, with their attributes.
var elements = map[string][]string{
	"speak":    {"version", "lang"},
	"p":        {"lang"},
	"s":        {"lang"},
	"break":    {"time", "strength"},
	"prosody":  {"rate", "pitch", "volume", "range", "contour", "duration"},
	"emphasis": {"level"},
	"say-as":   {"interpret-as", "format", "detail"},
	"sub":      {"alias"},
	"phoneme":  {"ph", "alphabet"},
	"lang":     {"lang"},
	"voice":    {"gender", "age", "variant", "name", "lang"},
	"mark":     {"name"},
}

const maxDepth = 32

// element is one that is open.
type element struct {
	name  string
	end   string // what closes it in the output
	lang  string // the tag that holds inside; empty: the utterance's own language
	voice string // of espeak-ng that speaks inside, without variant
}

func (e *element) empty() bool { return e.name == "break" || e.name == "mark" }

// rewriter reads SSML and writes what it understood.
type rewriter struct {
	voice      string // that speaks the utterance, without variant
	open       []element
	out, plain strings.Builder
	spans      []span
}

// prepareSSML reads SSML and writes it anew, so that nothing but what was understood
// reaches an engine, whose own parser is less strict. An engine's audio element would
// open files and start programs. Where xml:lang names another voice than the one that
// speaks, the text goes to that one by a voice element: espeak-ng passes over lang, and
// loses the variant (the gender) at an xml:lang of its own language.
func prepareSSML(s, voice string) (prepared, error) {
	base, _, _ := strings.Cut(voice, "+")
	w := &rewriter{voice: base}
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		at := d.InputOffset()
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = w.token(tok)
		}
		if err != nil {
			return prepared{}, fmt.Errorf("%w: SSML at byte %d: %w", ErrText, at, err)
		}
	}
	p := prepared{text: w.out.String(), plain: w.plain.String(), ssml: true, langs: w.spans}
	if strings.TrimSpace(p.plain) == "" && len(p.langs) == 0 && !strings.Contains(p.text, "<break") {
		return prepared{}, fmt.Errorf("%w: nothing to speak", ErrText)
	}
	return p, nil
}

func (w *rewriter) token(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		return w.start(t)
	case xml.EndElement:
		last := len(w.open) - 1
		w.out.WriteString(w.open[last].end)
		w.open = w.open[:last]
	case xml.CharData:
		return w.chars(defuse(string(t)))
	case xml.Comment:
	default:
		return errors.New("declarations and instructions are not supported")
	}
	return nil
}

// parent is the innermost open element.
func (w *rewriter) parent() element {
	if len(w.open) == 0 {
		return element{voice: w.voice}
	}
	return w.open[len(w.open)-1]
}

func (w *rewriter) start(t xml.StartElement) error {
	in := w.parent()
	e := element{name: t.Name.Local, lang: in.lang, voice: in.voice}
	allowed, ok := elements[e.name]
	switch {
	case !ok:
		return fmt.Errorf("element %q is not supported", e.name)
	case (len(w.open) == 0) != (e.name == "speak"):
		return errors.New("speak has to be the one outer element")
	case len(w.open) == 0 && w.out.Len() > 0:
		return errors.New("a second outer element")
	case in.empty():
		return fmt.Errorf("%s inside of %s", e.name, in.name)
	case len(w.open) == maxDepth:
		return fmt.Errorf("more than %d elements deep", maxDepth)
	}
	var attrs strings.Builder
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" || a.Name.Local == "schemaLocation" {
			continue // says nothing to an engine
		}
		if !slices.Contains(allowed, a.Name.Local) {
			return fmt.Errorf("attribute %q of %s is not supported", a.Name.Local, e.name)
		}
		value := strings.TrimSpace(defuse(a.Value))
		switch a.Name.Local {
		case "lang":
			_, voice, err := findVoice(value)
			if err != nil {
				return err
			}
			if e.lang, e.voice = value, voice; voice == w.voice {
				e.lang = ""
			}
			continue
		case "name":
			// A voice's name may be the path of a file.
			if !isName(value) {
				return fmt.Errorf("name %.40q of %s: letters, digits and + - _ only", value, e.name)
			}
		case "alias":
			w.spoken(e.lang, value)
		}
		attrs.WriteString(" " + a.Name.Local + `="`)
		if err := xml.EscapeText(&attrs, []byte(value)); err != nil {
			return err
		}
		attrs.WriteByte('"')
	}
	switch {
	case e.empty():
		w.out.WriteString("<" + e.name + attrs.String() + "/>")
	case e.name != "lang":
		w.out.WriteString("<" + e.name + attrs.String() + ">")
		e.end = "</" + e.name + ">"
	}
	if e.voice != in.voice {
		w.out.WriteString(`<voice name="` + e.voice + `">`)
		e.end = "</voice>" + e.end
	}
	w.open = append(w.open, e)
	return nil
}

func (w *rewriter) chars(text string) error {
	in := w.parent()
	blank := strings.TrimSpace(text) == ""
	switch {
	case len(w.open) == 0 && blank:
		return nil
	case len(w.open) == 0:
		return errors.New("text outside of speak")
	case in.empty() && !blank:
		return fmt.Errorf("text inside of %s", in.name)
	}
	w.spoken(in.lang, text)
	return xml.EscapeText(&w.out, []byte(text))
}

// spoken notes text for the checks of its language.
func (w *rewriter) spoken(lang, text string) {
	if lang == "" {
		w.plain.WriteString(text)
	} else if strings.TrimSpace(text) != "" {
		w.spans = append(w.spans, span{lang, text})
	}
}
