package openai

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

const maxLine = 256 << 10 // bytes of a line of an event stream, and of the data of an event

// events reads server-sent events (WHATWG HTML 9.2.6). Only their data is of interest here.
type events struct {
	r       *bufio.Reader
	begun   bool
	afterCR bool // the line before ended with CR: an LF that follows belongs to it
}

func newEvents(r io.Reader) *events { return &events{r: bufio.NewReader(r)} }

// next returns the data of the next event that has any. Where the stream ends it is io.EOF;
// an event that the end cuts off is not told, as the standard has it.
func (e *events) next() ([]byte, error) {
	var data []byte
	has := false
	for {
		line, err := e.line()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			if has {
				return data, nil
			}
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if string(name) != "data" {
			continue // a comment, or a field that nobody uses
		}
		if has {
			data = append(data, '\n')
		}
		data, has = append(data, bytes.TrimPrefix(value, []byte(" "))...), true
		if len(data) > maxLine {
			return nil, fmt.Errorf("an event has more than %d bytes: %w", maxLine, ErrTooLarge)
		}
	}
}

// line reads up to CR, LF or both, and returns the line without them.
func (e *events) line() ([]byte, error) {
	if !e.begun {
		e.begun = true
		if bom, err := e.r.Peek(3); err == nil && string(bom) == "\xef\xbb\xbf" {
			if _, err := e.r.Discard(3); err != nil {
				return nil, err
			}
		}
	}
	var line []byte
	for {
		c, err := e.r.ReadByte()
		if err != nil {
			if len(line) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		after := e.afterCR
		e.afterCR = c == '\r'
		switch {
		case c == '\n' && after:
			continue
		case c == '\n' || c == '\r':
			return line, nil
		}
		if line = append(line, c); len(line) > maxLine {
			return nil, fmt.Errorf("a line has more than %d bytes: %w", maxLine, ErrTooLarge)
		}
	}
}
