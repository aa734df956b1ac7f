package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth of the objects and arrays in a PASSporT: those of the RFCs have three.
const maxDepth = 8

// strictObject reads one JSON object. What two readers may take for two things is refused: a key that stands there twice, bytes that are
// not UTF-8, more after the end. Numbers stay as they were written (json.Number).
func strictObject(b []byte) (map[string]any, error) {
	switch {
	case !utf8.Valid(b):
		return nil, errors.New("not UTF-8")
	case !json.Valid(b):
		return nil, errors.New("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	v, err := strictValue(dec, maxDepth)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return m, nil
}

func strictValue(dec *json.Decoder, depth int) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if depth == 0 {
		return nil, errors.New("nested too deep")
	}
	switch tok {
	case json.Delim('{'):
		m := map[string]any{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			name, _ := key.(string)
			if _, twice := m[name]; twice {
				return nil, fmt.Errorf("%.40q stands there twice", name)
			}
			if m[name], err = strictValue(dec, depth-1); err != nil {
				return nil, err
			}
		}
		_, err := dec.Token()
		return m, err
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := strictValue(dec, depth-1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	return tok, nil
}
