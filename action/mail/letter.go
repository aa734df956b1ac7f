package mail

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"path"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
)

// letter is a mail that was checked and can be written once.
type letter struct {
	from  *netmail.Address
	to    []*netmail.Address
	mail  action.Mail
	files []io.ReadCloser // the attachments, once they are open
}

// newLetter checks all that can be checked before the server is asked.
func newLetter(from *netmail.Address, m action.Mail) (*letter, error) {
	l := &letter{from: from, mail: m}
	switch {
	case len(m.Destinations) == 0:
		return nil, errors.New("there is no recipient")
	case len(m.Destinations) > MaxRecipients:
		return nil, fmt.Errorf("%d recipients, at most %d: %w", len(m.Destinations), MaxRecipients, ErrTooLarge)
	case len(m.Content) > MaxContent:
		return nil, fmt.Errorf("a text of %d bytes, at most %d: %w", len(m.Content), MaxContent, ErrTooLarge)
	}
	var faults []error
	for _, d := range m.Destinations {
		if d.Type != address.TypeEmail && d.Type != address.TypeNone {
			faults = append(faults, fmt.Errorf("recipient %.80q is of type %q, not %q", d.Target, d.Type, address.TypeEmail))
		} else if err := checkAddress(d.Target); err != nil {
			faults = append(faults, fmt.Errorf("recipient: %w", err))
		}
		l.to = append(l.to, &netmail.Address{Name: d.TargetName, Address: d.Target})
	}
	return l, errors.Join(faults...)
}

// open opens the attachments: one that is missing shall not cost a connection.
func (l *letter) open(ctx context.Context) error {
	for _, a := range l.mail.Attachments {
		f, err := a.Open(ctx)
		if err != nil {
			return fmt.Errorf("attachment %q: %w", a.Name, err)
		}
		l.files = append(l.files, f)
	}
	return nil
}

func (l *letter) close() {
	for _, f := range l.files {
		_ = f.Close() // was only read
	}
}

// write writes the message (RFC 5322). Its lines end with CRLF.
func (l *letter) write(w io.Writer) error {
	if err := l.writeHeader(w); err != nil {
		return err
	}
	if len(l.files) == 0 {
		for _, line := range []string{"Content-Type: " + l.textType(), "Content-Transfer-Encoding: quoted-printable", ""} {
			if _, err := io.WriteString(w, line+"\r\n"); err != nil {
				return err
			}
		}
		return l.writeText(w)
	}
	parts := multipart.NewWriter(w)
	if _, err := fmt.Fprintf(w, "Content-Type: multipart/mixed;\r\n boundary=%s\r\n\r\n", parts.Boundary()); err != nil {
		return err
	}
	part, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Type": {l.textType()}, "Content-Transfer-Encoding": {"quoted-printable"},
	})
	if err != nil {
		return err
	}
	if err := l.writeText(part); err != nil {
		return err
	}
	left := int64(MaxAttachments)
	for i, a := range l.mail.Attachments {
		part, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {contentType(a.ContentType)},
			"Content-Disposition":       {mime.FormatMediaType("attachment", map[string]string{"filename": fileName(a.Name, i)})},
			"Content-Transfer-Encoding": {"base64"},
		})
		if err != nil {
			return err
		}
		n, err := writeFile(part, l.files[i], left)
		if err != nil {
			return fmt.Errorf("attachment %q: %w", a.Name, err)
		}
		left -= n
	}
	return parts.Close()
}

func (l *letter) writeHeader(w io.Writer) error {
	to := make([]string, len(l.to))
	for i, a := range l.to {
		to[i] = encodeAddress(a)
	}
	host := l.from.Address[strings.LastIndexByte(l.from.Address, '@')+1:]
	for _, h := range [][2]string{
		{"From", encodeAddress(l.from)},
		{"To", strings.Join(to, ",\r\n ")},
		{"Subject", encodeText(l.mail.Subject)},
		{"Date", time.Now().Format(time.RFC1123Z)},
		{"Message-ID", "<" + rand.Text() + "@" + host + ">"},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834: no robot shall answer
		{"MIME-Version", "1.0"},
	} {
		if _, err := io.WriteString(w, h[0]+": "+h[1]+"\r\n"); err != nil {
			return err
		}
	}
	return nil
}

// textType tells HTML as action.Mail does.
func (l *letter) textType() string {
	s := strings.ToLower(strings.TrimSpace(cut(l.mail.Content, 1000)))
	if strings.HasPrefix(s, "<html") || strings.HasPrefix(s, "<!doctype html") {
		return "text/html; charset=utf-8"
	}
	return "text/plain; charset=utf-8"
}

func (l *letter) writeText(w io.Writer) error {
	q := quotedprintable.NewWriter(w) // makes line ends of any kind CRLF
	if _, err := io.WriteString(q, strings.ToValidUTF8(l.mail.Content, "\uFFFD")); err != nil {
		return err
	}
	return q.Close()
}

// writeFile writes a file of at most so many bytes as lines of base64.
func writeFile(w io.Writer, file io.Reader, most int64) (int64, error) {
	lines := &lineWriter{w: w}
	enc := base64.NewEncoder(base64.StdEncoding, lines)
	n, err := io.Copy(enc, io.LimitReader(file, most+1))
	switch {
	case err != nil:
		return n, err
	case n > most:
		return n, fmt.Errorf("all attachments have more than %d bytes: %w", MaxAttachments, ErrTooLarge)
	}
	return n, enc.Close()
}

// lineWriter breaks what is written to it into lines of 76 characters (RFC 2045 6.8).
type lineWriter struct {
	w      io.Writer
	column int
}

func (l *lineWriter) Write(p []byte) (int, error) {
	const width = 76
	done := 0
	for done < len(p) {
		if l.column == width {
			if _, err := io.WriteString(l.w, "\r\n"); err != nil {
				return done, err
			}
			l.column = 0
		}
		n := min(len(p)-done, width-l.column)
		k, err := l.w.Write(p[done : done+n])
		done += k
		l.column += k
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// contentType returns s where it is one of a file. Parts that have parts must not be base64
// (RFC 2045 6.4).
func contentType(s string) string {
	const unknown = "application/octet-stream"
	typ, params, err := mime.ParseMediaType(s)
	if err != nil || strings.HasPrefix(typ, "multipart/") || strings.HasPrefix(typ, "message/") || !strings.Contains(typ, "/") {
		return unknown
	}
	if s = mime.FormatMediaType(typ, params); s == "" || len(s) > 300 {
		return unknown
	}
	return s
}

// fileName returns the name without folders, so that no program is led astray by it.
func fileName(s string, i int) string {
	s = clean(path.Base(strings.ReplaceAll(s, `\`, "/")))
	if s == "" || s == "." || s == ".." || s == "/" {
		s = fmt.Sprintf("attachment-%d", i+1)
	}
	if ext := path.Ext(s); len(s) > 150 && len(ext) < 20 {
		return cut(s, 150-len(ext)) + ext
	}
	return cut(s, 150)
}
