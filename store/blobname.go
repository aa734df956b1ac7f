package store

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxBlobName bounds a blob's name, maxBlobElem each of its elements, in bytes: what file systems take.
const (
	maxBlobName = 1024
	maxBlobElem = 200
)

// CheckBlobName tells whether name can be a blob's: a relative slash path such as
// "2026/11/call_6f1c_in.wav", without empty elements, "." or "..", elements that
// begin with a dot or end with a dot or space, backslashes or control characters. The
// error matches ErrInvalid and says what is wrong.
func CheckBlobName(name string) error {
	bad := func(why string) error {
		return fmt.Errorf("store: blob name %.80q: %s: %w", name, why, ErrInvalid)
	}
	switch {
	case name == "":
		return bad("empty")
	case len(name) > maxBlobName:
		return bad(fmt.Sprintf("longer than %d bytes", maxBlobName))
	case !utf8.ValidString(name):
		return bad("not UTF-8")
	case strings.HasPrefix(name, "/"):
		return bad("not relative")
	case !fs.ValidPath(name) || name == ".":
		return bad(`an element is empty, "." or ".."`)
	}
	for i, r := range name {
		if unicode.IsControl(r) || r == '\\' {
			return bad(fmt.Sprintf("character %U at %d", r, i))
		}
	}
	for elem := range strings.SplitSeq(name, "/") {
		switch {
		case elem[0] == '.':
			return bad("an element begins with a dot")
		case strings.HasSuffix(elem, ".") || strings.HasSuffix(elem, " "):
			return bad("an element ends with a dot or space") // some file systems drop it, and two names become one
		case len(elem) > maxBlobElem:
			return bad(fmt.Sprintf("an element is longer than %d bytes", maxBlobElem))
		}
	}
	return nil
}
