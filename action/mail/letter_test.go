package mail

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
)

func TestEncodedText(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"Hello, world":          "Hello, world",
		" a\tb\r\nc ":           "a b  c",
		"=?utf-8?q?x?=":         "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?=",
		"Grüße":                 "=?utf-8?b?R3LDvMOfZQ==?=",
		"\xff":                  "=?utf-8?b?77+9?=",
		strings.Repeat("x", 61): "=?utf-8?b?eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4?=\r\n =?utf-8?b?eHh4eHh4eHh4eHh4eHh4eHh4eA==?=",
	} {
		if got := encodeText(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestFileNames(t *testing.T) {
	for in, want := range map[string]string{
		"": "attachment-4", ".": "attachment-4", "a/..": "attachment-4", "/": "attachment-4", "\x01": "attachment-4",
		"a/b.wav": "b.wav", `a\b.wav`: "b.wav", "ü.wav": "ü.wav",
		strings.Repeat("x", 200) + ".wav": strings.Repeat("x", 146) + ".wav",
		strings.Repeat("ü", 200):          strings.Repeat("ü", 75),
	} {
		if got := fileName(in, 3); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzLetter writes a mail and reads it with the standard library.
func FuzzLetter(f *testing.F) {
	f.Add("Hello", "Ann", "text\n", "a.wav", "audio/wav", []byte("RIFF"))
	f.Add("Grüße =?utf-8?q?x?=", `"A" <b@c>`, ".\r\n..\r\n= \xff", "../ü.txt", "text/plain; charset=\"x\"", []byte{})
	f.Add("a\r\nBcc: x@y", "x\r\n\r\n", "<html>", "a\"\\;b", "multipart/mixed; boundary=x", bytes.Repeat([]byte{0}, 100))
	f.Add(strings.Repeat("ü ", 600), strings.Repeat("x", 2000), strings.Repeat("y", 3000), strings.Repeat("z", 900), "x/y; a=\"\r\n\"", []byte("\r\n.\r\n"))
	f.Fuzz(func(t *testing.T, subject, name, content, fname, ftype string, data []byte) {
		from := &netmail.Address{Name: name, Address: "callbin@example.com"}
		l, err := newLetter(from, action.Mail{
			Destinations: []address.Address{{Type: address.TypeEmail, Target: "ann@example.com", TargetName: name}, {Target: "bob@example.com"}},
			Subject:      subject, Content: content,
			Attachments: []action.MailAttachment{{Name: fname, ContentType: ftype, Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(data)), nil
			}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer l.close()
		var b bytes.Buffer
		if err := l.write(&b); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(b.String(), "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n") || !isASCII(line) {
				t.Errorf("line %q", line)
			}
		}

		m, err := netmail.ReadMessage(&b)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Header) != 8 {
			t.Errorf("header: %v", m.Header)
		}
		if got, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil || got != cut(clean(subject), maxHeader) {
			t.Errorf("subject %q, %v, of %q", got, err, subject)
		}
		all, err := m.Header.AddressList("To")
		if err != nil || len(all) != 2 || all[0].Address != "ann@example.com" || all[0].Name != cut(clean(name), maxHeader) || all[1].Address != "bob@example.com" {
			t.Errorf("to %v, %v, of %q", all, err, name)
		}
		_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		r := multipart.NewReader(m.Body, params["boundary"])
		text, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(quotedprintable.NewReader(text))
		lines := strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n")
		if want := lines.Replace(strings.ToValidUTF8(content, "\uFFFD")); err != nil || string(got) != want {
			t.Errorf("text %q, %v, want %q", got, err, want)
		}
		file, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		if got := file.FileName(); got != fileName(fname, 0) {
			t.Errorf("file %q, %q of %q", got, fileName(fname, 0), fname)
		}
		if typ, _, err := mime.ParseMediaType(file.Header.Get("Content-Type")); err != nil || typ != "application/octet-stream" && !strings.Contains(strings.ToLower(ftype), typ) {
			t.Errorf("type %q, %v, of %q", typ, err, ftype)
		}
		if got, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, file)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("data %q, %v", got, err)
		}
		if _, err := r.NextRawPart(); err != io.EOF {
			t.Errorf("another part: %v", err)
		}
	})
}

func TestBase64LinesAreShort(t *testing.T) {
	for _, size := range []int{0, 1, 56, 57, 58, 5000} {
		var b strings.Builder
		n, err := writeFile(&b, bytes.NewReader(make([]byte, size)), int64(size))
		if n != int64(size) || err != nil {
			t.Fatal(n, err)
		}
		for i, line := range strings.Split(b.String(), "\r\n") {
			if len(line) > 76 || len(line) == 0 && size > 0 {
				t.Errorf("%d bytes: line %d has %d characters", size, i, len(line))
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAttachmentsShareOneLimit(t *testing.T) {
	attach := func(sizes ...int64) error {
		m := action.Mail{Destinations: []address.Address{{Type: address.TypeEmail, Target: "ann@example.com"}}}
		for _, size := range sizes {
			m.Attachments = append(m.Attachments, action.MailAttachment{Name: "a", Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(io.LimitReader(zeros{}, size)), nil
			}})
		}
		l, err := newLetter(&netmail.Address{Address: "x@example.com"}, m)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer l.close()
		return l.write(io.Discard)
	}
	if err := attach(MaxAttachments-10, 10, 0); err != nil {
		t.Error(err)
	}
	if err := attach(MaxAttachments-10, 11); !errors.Is(err, ErrTooLarge) || err.Error() != `attachment "a": all attachments have more than 20971520 bytes: too large` {
		t.Errorf("%v", err)
	}
	if err := attach(1 << 60); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}
