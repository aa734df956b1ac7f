package openai

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func readEvents(r io.Reader) (all []string, err error) {
	e := newEvents(r)
	for {
		data, err := e.next()
		if err != nil {
			return all, err
		}
		all = append(all, string(data))
	}
}

func TestEventStreams(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                   nil,
		"\n\n\n":                             nil,
		"data: a\n\n":                        {"a"},
		"data:a\n\ndata:  b\n\n":             {"a", " b"},
		"data: a\r\n\r\ndata: b\r\n\r\n":     {"a", "b"},
		"data: a\r\rdata: b\r\r":             {"a", "b"},
		"data: a\r\n\rdata: b\n\r\n":         {"a", "b"},
		"\xef\xbb\xbfdata: a\n\n":            {"a"},
		"data: a\ndata: b\ndata\n\n":         {"a\nb\n"},
		"data\n\n":                           {""},
		": ping\n\nevent: x\nid: 4\n\n":      nil,
		"event: x\ndata: a\nid: 4\n: c\n\n":  {"a"},
		"data : a\nDATA: b\n\ndata: a:b\n\n": {"a:b"},
	} {
		for name, r := range map[string]io.Reader{
			"at once":      strings.NewReader(in),
			"byte by byte": iotest.OneByteReader(strings.NewReader(in)),
			"with its end": iotest.DataErrReader(strings.NewReader(in)),
		} {
			got, err := readEvents(r)
			if !slices.Equal(got, want) || !errors.Is(err, io.EOF) {
				t.Errorf("%q %s: %q, %v; want %q", in, name, got, err, want)
			}
		}
	}
}

func TestEventStreamsThatBreak(t *testing.T) {
	if got, err := readEvents(strings.NewReader("data: a\n\ndata: b\n")); len(got) != 1 || !errors.Is(err, io.EOF) {
		t.Errorf("an event without its blank line: %q, %v", got, err)
	}
	if got, err := readEvents(strings.NewReader("data: a\n\ndata: b")); len(got) != 1 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a line: %q, %v", got, err)
	}
	if _, err := readEvents(strings.NewReader("data: " + strings.Repeat("x", maxLine) + "\n\n")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("long line: %v", err)
	}
	if _, err := readEvents(strings.NewReader(strings.Repeat("data: 12345678\n", maxLine/8) + "\n")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("long event: %v", err)
	}
	cut := errors.New("cut")
	if _, err := readEvents(io.MultiReader(strings.NewReader("data: a"), iotest.ErrReader(cut))); !errors.Is(err, cut) {
		t.Errorf("broken reader: %v", err)
	}
}

func FuzzEvents(f *testing.F) {
	for _, s := range []string{"data: a\n\n", "data: a\r\n\r\n", "data:a\rdata:b\r\r", "\xef\xbb\xbf: c\ndata\n\n", "data: [DONE]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readEvents(bytes.NewReader(b))
		again, err2 := readEvents(iotest.OneByteReader(bytes.NewReader(b)))
		if !slices.Equal(got, again) || !errors.Is(err2, io.EOF) && !errors.Is(err2, io.ErrUnexpectedEOF) && !errors.Is(err2, ErrTooLarge) {
			t.Fatalf("%q, %v; byte by byte %q, %v", got, err, again, err2)
		}
		// What was read, written as it should be, reads the same.
		var w strings.Builder
		for _, data := range got {
			if strings.ContainsRune(data, '\r') {
				t.Fatalf("%q has a line end", data)
			}
			for line := range strings.SplitSeq(data, "\n") {
				w.WriteString("data: " + line + "\n")
			}
			w.WriteString("\n")
		}
		if back, err := readEvents(strings.NewReader(w.String())); !slices.Equal(back, got) || !errors.Is(err, io.EOF) {
			t.Fatalf("%q became %q, %v", got, back, err)
		}
	})
}
