package httpapi

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
)

// answer is what is written, and kept for a request that comes again.
type answer struct {
	code   int
	etag   string
	allow  string
	retry  int // seconds
	body   []byte
	direct raw // in place of the body
}

// success makes the answer of a row.
func success(o *operation, v any, etag string) (answer, error) {
	a := answer{code: o.success, etag: etag}
	switch v := v.(type) {
	case none:
		return a, nil
	case raw:
		a.direct = v
		return a, nil
	}
	var err error
	a.body, err = encode(v)
	return a, err
}

// failed makes the answer of an error.
func failed(f *failure, id string) answer {
	a := answer{code: f.code, allow: f.allow}
	if f.retry > 0 {
		a.retry = max(1, int(math.Ceil(f.retry.Seconds())))
	}
	a.body, _ = encode(errorBody{errorObject{f.status, f.reason, f.message, id, f.details}}) // strings and numbers: it cannot fail
	return a
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// write sends a.
func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if a.etag != "" {
		h.Set("ETag", a.etag)
	}
	if a.allow != "" {
		h.Set("Allow", a.allow)
	}
	if a.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retry))
	}
	if a.code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="callbin"`)
	}
	if a.direct != nil {
		a.direct(w, r)
		return
	}
	if read := r.Method == http.MethodGet || r.Method == http.MethodHead; read && a.etag != "" && a.code == http.StatusOK && lists(r.Header.Get("If-None-Match"), a.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if len(a.body) > 0 {
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body) // the peer is gone: nobody to tell
}

// codeOf is the HTTP status of a status of VoIPBIN's table.
func codeOf(status string) int {
	switch status {
	case "INVALID_ARGUMENT":
		return http.StatusBadRequest
	case "PAYMENT_REQUIRED":
		return http.StatusPaymentRequired
	case "PERMISSION_DENIED":
		return http.StatusForbidden
	case "NOT_FOUND":
		return http.StatusNotFound
	case "ALREADY_EXISTS", "FAILED_PRECONDITION":
		return http.StatusConflict
	case "RESOURCE_EXHAUSTED":
		return http.StatusTooManyRequests
	case "UNAVAILABLE":
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
