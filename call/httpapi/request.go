package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/store"
)

// bodyTime is how long a body may take to come.
const bodyTime = 20 * time.Second

// request is one request to a row of the table.
type request struct {
	ctx  context.Context
	op   *operation
	http *http.Request
	id   string
	by   *holder // whose token it has
	max  int64   // bytes of the body

	text []byte       // body, once it is read
	tree *action.Node // of text; nil: there is no body
	etag string       // of the answer; see version
}

// version is the revision of what the answer is about: its ETag. Of a row that is tagged. For a request that changes something call it
// with what is stored before the change: If-Match has to name it.
func (r *request) version(tag string) error {
	r.etag = `"` + tag + `"`
	if r.http.Method == http.MethodGet || r.http.Method == http.MethodHead {
		return nil // If-None-Match is looked at where the answer is written
	}
	if match := r.http.Header.Get("If-Match"); match != "" && !lists(match, r.etag) {
		return &failure{code: http.StatusPreconditionFailed, status: "FAILED_PRECONDITION", reason: "if_match",
			message: fmt.Sprintf("it is at version %s, and not at %.80s", r.etag, match)}
	}
	return nil
}

// lists tells whether a header of ETags names tag, which is a strong one, or "*".
func lists(header, tag string) bool {
	for s := range strings.SplitSeq(header, ",") {
		if s = strings.TrimSpace(s); s == "*" || strings.TrimPrefix(s, "W/") == tag {
			return true
		}
	}
	return false
}

// load reads the body, within the limits of time and size.
func (r *request) load(w http.ResponseWriter) error {
	// Once it is there, what takes its time must not end by the deadline of a body, nor by that of the server.
	defer func() { _ = http.NewResponseController(w).SetReadDeadline(time.Time{}) }() // not each connection has one
	if !r.op.hasBody() {
		return nil
	}
	if t := r.http.Header.Get("Content-Type"); t != "" && r.http.ContentLength != 0 {
		if t, _, _ = strings.Cut(t, ";"); !isJSON(strings.ToLower(strings.TrimSpace(t))) {
			return &failure{code: http.StatusUnsupportedMediaType, status: "INVALID_ARGUMENT", reason: "content_type",
				message: fmt.Sprintf("the body has to be application/json, not %.60s", t)}
		}
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // not each connection has one
	var err error
	r.text, err = io.ReadAll(http.MaxBytesReader(w, r.http.Body, r.max))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &failure{code: http.StatusRequestEntityTooLarge, status: "INVALID_ARGUMENT", reason: "body_size",
			message: fmt.Sprintf("the body has more than %d bytes", r.max)}
	case err != nil:
		return &failure{code: http.StatusBadRequest, status: "INVALID_ARGUMENT", reason: "body", message: "the body did not come as a whole"}
	}
	return nil
}

// isJSON also lets through what curl -d says: VoIPBIN's examples do without a header here and there.
func isJSON(t string) bool {
	return t == "application/json" || strings.HasSuffix(t, "+json") || t == "application/x-www-form-urlencoded"
}

// readBody decodes the body into v.
func (r *request) readBody(v any) error {
	if !r.op.hasBody() {
		return nil
	}
	tree, details := decode(r.text, v)
	if details != nil {
		return invalidBody(details)
	}
	r.tree = tree
	return nil
}

// invalid is the failure of a value of the body, whose JSON pointer is field.
func (r *request) invalid(field, format string, args ...any) error {
	return invalidBody([]Detail{r.detail(field, format, args...)})
}

// detail is a fault of the value of the body that the JSON pointer field names.
func (r *request) detail(field, format string, args ...any) Detail {
	d := Detail{Field: field, Message: fmt.Sprintf(format, args...)}
	if n := find(r.tree, field); n != nil {
		d.Line, d.Column = action.Position(r.text, n.Start)
	}
	return d
}

// readParams reads path and query into the struct that v points at.
func (r *request) readParams(v any) error {
	at := reflect.ValueOf(v).Elem()
	query := r.http.URL.Query()
	inQuery := map[string]field{}
	for _, f := range fieldsOf(at.Type()) {
		switch {
		case r.op.inPath(f.Name):
			if err := setParam(&f, at.FieldByIndex(f.index), r.http.PathValue(f.Name)); err != nil {
				return invalidParam(f.Name, err)
			}
		case f.required && !query.Has(f.Name):
			return invalidParam(f.Name, errors.New("it is required"))
		default:
			inQuery[f.Name] = f
		}
	}
	for _, k := range slices.Sorted(maps.Keys(query)) {
		name, key := k, ""
		if i := strings.IndexAny(k, ".["); i > 0 { // metadata.KEY, or metadata[KEY] as generated clients have it
			name, key = k[:i], strings.TrimSuffix(k[i+1:], "]")
		}
		f, ok := inQuery[name]
		var err error
		switch to := query[k]; {
		case !ok, (key != "") != (f.Type.Kind() == reflect.Map):
			err = errors.New("unknown parameter" + action.Suggest(k, slices.Collect(maps.Keys(inQuery)), "there are"))
		case len(to) > 1:
			err = errors.New("it stands there twice")
		case key != "":
			m := at.FieldByIndex(f.index)
			if m.IsNil() {
				m.Set(reflect.MakeMap(m.Type()))
			}
			m.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(to[0]))
		default:
			err = setParam(&f, at.FieldByIndex(f.index), to[0])
		}
		if err != nil {
			return invalidParam(k, err)
		}
	}
	return nil
}

// inPath tells whether name is a part of the path.
func (o *operation) inPath(name string) bool { return strings.Contains(o.path, "{"+name+"}") }

func setParam(f *field, v reflect.Value, s string) error {
	if f.Enum != nil && s != "" && !slices.Contains(f.Enum, s) {
		return fmt.Errorf("%.40q is none of %s", s, strings.Join(f.Enum, ", "))
	}
	if t, ok := v.Addr().Interface().(*store.Time); ok {
		if err := t.UnmarshalText([]byte(s)); err != nil || t.IsZero() {
			return errors.New("not a time of RFC 3339")
		}
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("neither true nor false")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil {
			return errors.New("not a whole number")
		}
		if fault := f.bounds(float64(n)); fault != "" {
			return errors.New(fault)
		}
		v.SetInt(n)
	default:
		return fmt.Errorf("httpapi: parameters of the type %s are not known", v.Type()) // the programmer's fault
	}
	return nil
}

// dialKey is the idempotency key of the n-th call of a request that has one: the engine remembers it over a restart. It is a hash, since the
// engine's keys are shorter, and those of two tokens are not the same.
func (r *request) dialKey(n string) string {
	key := r.http.Header.Get("Idempotency-Key")
	if key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%x\n%s\n%s\n%s", r.by.sum, r.http.URL.Path, key, n)))
	return "http:" + hex.EncodeToString(sum[:])
}

// ms is a number of milliseconds.
func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
