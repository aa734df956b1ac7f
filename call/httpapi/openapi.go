package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// The parts of an OpenAPI 3.1 document that we need.
type document struct {
	OpenAPI    string              `json:"openapi"`
	Info       documentInfo        `json:"info"`
	Servers    []documentServer    `json:"servers"`
	Tags       []documentTag       `json:"tags"`
	Paths      map[string]pathItem `json:"paths"`
	Components components          `json:"components"`
}

type documentInfo struct {
	Title       string        `json:"title"`
	Description string        `json:"description"`
	Version     string        `json:"version"`
	License     documentNamed `json:"license"`
}

type documentNamed struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier"`
}

type documentServer struct {
	URL string `json:"url"`
}

type documentTag struct {
	Name string `json:"name"`
}

type pathItem map[string]*pathOperation // by method, in lower case

type pathOperation struct {
	OperationID string                `json:"operationId"`
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	Security    []map[string][]string `json:"security"`
	Parameters  []parameter           `json:"parameters,omitempty"`
	RequestBody *requestBody          `json:"requestBody,omitempty"`
	Responses   map[string]response   `json:"responses"`
}

type parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Style       string  `json:"style,omitempty"`
	Explode     bool    `json:"explode,omitempty"`
	Schema      *schema `json:"schema"`
}

type requestBody struct {
	Required bool                    `json:"required,omitempty"`
	Content  map[string]mediaContent `json:"content"`
}

type mediaContent struct {
	Schema *schema `json:"schema"`
}

type response struct {
	Ref         string                  `json:"$ref,omitempty"`
	Description string                  `json:"description,omitempty"`
	Headers     map[string]header       `json:"headers,omitempty"`
	Content     map[string]mediaContent `json:"content,omitempty"`
}

type header struct {
	Description string  `json:"description"`
	Schema      *schema `json:"schema"`
}

type components struct {
	Schemas         map[string]*schema   `json:"schemas"`
	Responses       map[string]response  `json:"responses"`
	SecuritySchemes map[string]secScheme `json:"securitySchemes"`
}

type secScheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme"`
	Description string `json:"description"`
}

var textSchema = &schema{Type: "string"}

// encodeDocument describes a table.
func encodeDocument(table []operation) ([]byte, error) {
	b := schemas{defs: map[string]*schema{}, types: map[string]reflect.Type{}}
	d := document{
		OpenAPI: "3.1.0",
		Info: documentInfo{
			Title: "Callbin", Version: "1.0", License: documentNamed{"Apache-2.0", "Apache-2.0"},
			Description: "Calls and what belongs to them, in the shapes of VoIPBIN's REST interface. Bodies are JSON objects; keys that are unknown, or stand twice, are refused. " +
				"Lists are newest first. A POST with an Idempotency-Key is done once within a day, and answered alike each time.",
		},
		Servers: []documentServer{{prefix}},
		Paths:   map[string]pathItem{},
	}
	for i := range table {
		o := &table[i]
		p, err := b.operation(o)
		if err != nil {
			return nil, err
		}
		if d.Paths[o.path] == nil {
			d.Paths[o.path] = pathItem{}
		}
		if d.Paths[o.path][strings.ToLower(o.method)] != nil {
			return nil, fmt.Errorf("httpapi: %s %s stands in the table twice", o.method, o.path)
		}
		d.Paths[o.path][strings.ToLower(o.method)] = p
		if n := len(d.Tags); n == 0 || d.Tags[n-1].Name != p.Tags[0] {
			d.Tags = append(d.Tags, documentTag{p.Tags[0]})
		}
	}
	errorSchema, err := b.of(reflect.TypeFor[errorBody]())
	if err != nil {
		return nil, err
	}
	d.Components = components{
		Schemas: b.defs,
		Responses: map[string]response{"Error": {
			Description: "What is wrong, and where.",
			Headers:     map[string]header{"X-Request-Id": {"under which the log has it", textSchema}},
			Content:     jsonContent(errorSchema),
		}},
		SecuritySchemes: map[string]secScheme{"bearer": {"http", "bearer", "A token whose scopes have the one that the operation names; RESOURCE:*, *:read, *:write and * are wider ones."}},
	}
	return json.MarshalIndent(d, "", " ")
}

func jsonContent(s *schema) map[string]mediaContent {
	return map[string]mediaContent{"application/json": {s}}
}

// operation describes a row.
func (b *schemas) operation(o *operation) (*pathOperation, error) {
	tag, _, _ := strings.Cut(strings.TrimPrefix(o.path, "/"), "/")
	p := &pathOperation{
		OperationID: o.id, Tags: []string{tag}, Summary: o.summary, Description: o.detail,
		Security: []map[string][]string{{"bearer": {o.scope}}}, Responses: map[string]response{"default": {Ref: "#/components/responses/Error"}},
	}
	for _, f := range fieldsOf(o.params) {
		s, err := b.field(&f)
		if err != nil {
			return nil, err
		}
		doc := s.Description
		s.Description = ""
		x := parameter{Name: f.Name, In: "query", Description: doc, Required: f.required, Schema: s}
		switch {
		case o.inPath(f.Name):
			x.In, x.Required = "path", true
		case f.Type.Kind() == reflect.Map:
			x.Style, x.Explode = "deepObject", true
		}
		p.Parameters = append(p.Parameters, x)
	}
	add := func(name, doc string) {
		p.Parameters = append(p.Parameters, parameter{Name: name, In: "header", Description: doc, Schema: textSchema})
	}
	if o.method == "POST" {
		add("Idempotency-Key", "at most 200 bytes; the same request with it is done once")
	}
	ok := response{Description: "Done."}
	if o.versioned {
		ok.Headers = map[string]header{"ETag": {"the version of what is answered", textSchema}}
		switch o.method {
		case "GET":
			add("If-None-Match", "the ETag that is known: 304 where it is the version still")
			p.Responses["304"] = response{Description: "It has not changed."}
		case "PUT", "DELETE":
			add("If-Match", "the ETag of what is to be changed: 412 where it has another version")
		}
	}
	if o.hasBody() && o.body != reflect.TypeFor[none]() {
		s, err := b.of(o.body)
		if err != nil {
			return nil, err
		}
		p.RequestBody = &requestBody{Content: jsonContent(s), Required: len(b.defs[strings.TrimPrefix(s.Ref, refPrefix)].Required) > 0}
	}
	switch {
	case o.media != "":
		ok.Content = map[string]mediaContent{o.media: {&schema{Type: "string", Format: "binary"}}}
	case o.answer == reflect.TypeFor[raw](): // it has none of its own
	case o.answer != reflect.TypeFor[none]():
		s, err := b.of(o.answer)
		if err != nil {
			return nil, err
		}
		ok.Content = jsonContent(s)
	}
	p.Responses[strconv.Itoa(o.success)] = ok
	return p, nil
}

// tagOf is the ETag of a text.
func tagOf(text []byte) string {
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}
