package httpapi

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// prefix is before all paths of the table.
const prefix = "/v1.0"

// operation is one row of the table: the mux, the authorisation, the reading of parameters and body, and the OpenAPI document are made of it.
type operation struct {
	id           string // operationId: a name that is a function's in generated clients
	method, path string // path: after the prefix, with {names}
	scope        string // what a token needs; "": nothing, and no token
	summary      string
	detail       string // more of it, for the document
	success      int    // status
	versioned    bool   // it has an ETag, and heeds If-Match and If-None-Match
	media        string // Content-Type of an answer that is raw
	ticket       bool   // a ticket does in place of a token: its parameters have one

	params, body, answer reflect.Type
	do                   func(r *request) (any, error)
}

// none stands for no parameters, no body, or an answer without one.
type none struct{}

// raw is an answer that writes itself: a file, a stream. It may take the connection over.
type raw func(w http.ResponseWriter, r *http.Request)

// op makes a row of the handler h. P is a struct of the parameters, those in the path and those in the query, B one of the body, and A what
// is answered. route is "METHOD /path".
//
// The tags of their fields are json, doc for the document, and opt as in action.Option. A key of P and B
// without omitempty has to be there, one with opt:"required" must not be empty either; enum, min and max of opt are checked.
func op[P, B, A any](id, route, scope, summary string, h func(r *request, p P, b B) (A, error)) operation {
	method, path, _ := strings.Cut(route, " ")
	o := operation{
		id: id, method: method, path: path, scope: scope, summary: summary, success: http.StatusOK,
		params: reflect.TypeFor[P](), body: reflect.TypeFor[B](), answer: reflect.TypeFor[A](),
	}
	o.do = func(r *request) (any, error) {
		var p P
		var b B
		if err := r.readParams(&p); err != nil {
			return nil, err
		}
		if err := r.readBody(&b); err != nil {
			return nil, err
		}
		return h(r, p, b)
	}
	return o
}

// with has another status of success.
func (o operation) with(status int) operation {
	o.success = status
	return o
}

// tells more in the document.
func (o operation) tells(format string, args ...any) operation {
	o.detail = fmt.Sprintf(format, args...)
	return o
}

// tagged has an ETag; see request.version.
func (o operation) tagged() operation {
	o.versioned = true
	return o
}

// gives raw bytes of a type.
func (o operation) gives(media string) operation {
	o.media = media
	return o
}

// ticketed lets in who has a ticket, too.
func (o operation) ticketed() operation {
	o.ticket = true
	return o
}

// hasBody tells whether one is read.
func (o *operation) hasBody() bool {
	return o.method == http.MethodPost || o.method == http.MethodPut || o.method == http.MethodPatch || o.body != reflect.TypeFor[none]()
}
