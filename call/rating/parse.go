package rating

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseJSON reads an array of Rates. An error names line and column.
func ParseJSON(data []byte) (*Table, error) {
	t := &Table{rates: map[string][]Rate{}}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	fail := func(at int64, err error) error {
		line, col := place(data, at)
		return fmt.Errorf("rating: line %d, column %d: %w", line, col, err)
	}
	if tok, err := dec.Token(); err != nil || tok != json.Delim('[') {
		return nil, fail(0, errors.Join(errors.New("it does not begin with an array of rates"), err))
	}
	for dec.More() {
		at := dec.InputOffset()
		for int(at) < len(data) && strings.ContainsRune(" \t\r\n,", rune(data[at])) {
			at++
		}
		var r Rate
		if err := dec.Decode(&r); err != nil {
			var syntax *json.SyntaxError
			var typ *json.UnmarshalTypeError
			switch {
			case errors.As(err, &syntax):
				at = syntax.Offset
			case errors.As(err, &typ):
				at += typ.Offset
			}
			return nil, fail(at, err)
		}
		if field, err := t.add(r); err != nil {
			return nil, fail(at, fmt.Errorf("%s: %w", field, err))
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fail(dec.InputOffset(), fmt.Errorf("the array does not end: %w", err))
	}
	if rest := bytes.TrimSpace(data[dec.InputOffset():]); len(rest) > 0 {
		return nil, fail(dec.InputOffset(), errors.New("something follows the array"))
	}
	return t, nil
}

func place(data []byte, at int64) (line, col int) {
	before := data[:min(int(at), len(data))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// columns are those of a CSV file, in any order; prefix, per_minute and currency must be there.
var columns = map[string]func(r *Rate, s string) error{
	"prefix": func(r *Rate, s string) error {
		if r.Prefix = s; s != "" && s[0] != '+' { // as price lists mostly have it
			r.Prefix = "+" + s
		}
		return nil
	},
	"name":       func(r *Rate, s string) error { r.Name = s; return nil },
	"currency":   func(r *Rate, s string) error { r.Currency = s; return nil },
	"fee":        func(r *Rate, s string) error { return amount(&r.Fee, s) },
	"per_minute": func(r *Rate, s string) error { return amount(&r.PerMinute, s) },
	"minimum":    func(r *Rate, s string) error { return amount(&r.Minimum, s) },
	"initial":    func(r *Rate, s string) error { return whole(&r.Initial, s) },
	"increment":  func(r *Rate, s string) error { return whole(&r.Increment, s) },
	"free":       func(r *Rate, s string) error { return whole(&r.Free, s) },
	"from":       func(r *Rate, s string) error { return moment(&r.From, s) },
	"until":      func(r *Rate, s string) error { return moment(&r.Until, s) },
}

func amount(a *Amount, s string) (err error) {
	if s != "" {
		*a, err = ParseAmount(s)
	}
	return err
}

func whole(n *int64, s string) (err error) {
	if s != "" {
		if *n, err = strconv.ParseInt(s, 10, 32); err != nil {
			return fmt.Errorf("%.40q is not a number of seconds", s)
		}
	}
	return nil
}

func moment(t *time.Time, s string) (err error) {
	if s == "" {
		return nil
	}
	if *t, err = time.Parse(time.RFC3339, s); err != nil {
		if *t, err = time.Parse(time.DateOnly, s); err != nil {
			return fmt.Errorf("%.40q is neither a day such as 2026-01-31, in UTC, nor a time of RFC 3339", s)
		}
	}
	return nil
}

// ParseCSV reads rates from lines of comma-separated values. The first line names the columns, which are the JSON keys of Rate. The "+" of a prefix may be
// missing, from and until may be days. An error names line and column.
func ParseCSV(r io.Reader) (*Table, error) {
	t := &Table{rates: map[string][]Rate{}}
	in := csv.NewReader(r)
	in.ReuseRecord = true
	var names []string
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // it names line and column
			return nil, fmt.Errorf("rating: %w", err)
		}
		fail := func(i int, err error) error {
			line, col := in.FieldPos(max(i, 0))
			return fmt.Errorf("rating: line %d, column %d: %w", line, col, err)
		}
		if names == nil {
			fields[0] = strings.TrimPrefix(fields[0], "\ufeff") // of spreadsheets
			for i, name := range fields {
				name = strings.ToLower(strings.TrimSpace(name))
				if columns[name] == nil || slices.Contains(names, name) {
					return nil, fail(i, fmt.Errorf("column %.40q is unknown, or there twice", name))
				}
				names = append(names, name)
			}
			for _, must := range []string{"prefix", "per_minute", "currency"} {
				if !slices.Contains(names, must) {
					return nil, fail(0, fmt.Errorf("there is no column %q", must))
				}
			}
			continue
		}
		var rate Rate
		for i, name := range names {
			if err := columns[name](&rate, strings.Clone(strings.TrimSpace(fields[i]))); err != nil {
				return nil, fail(i, fmt.Errorf("%s: %w", name, err))
			}
		}
		if field, err := t.add(rate); err != nil {
			return nil, fail(slices.Index(names, field), fmt.Errorf("%s: %w", field, err))
		}
	}
	if names == nil {
		return nil, errors.New("rating: line 1: there are no columns")
	}
	return t, nil
}
