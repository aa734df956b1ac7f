// Command openapi checks the OpenAPI document on its standard input against the specification, and prints what is wrong with it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

func main() {
	if err := check(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		return err
	}
	if _, err := doc.BuildV3Model(); err != nil { // references that lead nowhere
		return err
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if ok, faults := v.ValidateDocument(); !ok {
		for _, f := range faults {
			errs = append(errs, fmt.Errorf("%d:%d: %s: %s", f.SpecLine, f.SpecCol, f.Message, f.Reason))
			for _, s := range f.SchemaValidationErrors {
				errs = append(errs, fmt.Errorf("  %s: %s", s.KeywordLocation, s.Reason))
			}
		}
		return errors.Join(errs...)
	}
	return nil
}
