package httpapi

import (
	"net/http"
	"reflect"
)

// Row is what a test sees of one row of the table.
type Row struct {
	ID, Method, Path, Scope string
	HasBody                 bool
}

// Rows are the table of a handler that New has made.
func Rows(h http.Handler) []Row {
	var rows []Row
	for _, o := range h.(*api).table {
		rows = append(rows, Row{o.id, o.method, prefix + o.path, o.scope, o.hasBody() && o.body != reflect.TypeFor[none]()})
	}
	return rows
}
