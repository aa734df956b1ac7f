package action

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// cut gives parts to Sentences and returns the lines, the rest as the last one.
func cut(parts ...string) []string {
	var s Sentences
	var lines []string
	for _, p := range parts {
		lines = append(lines, s.Add(p)...)
	}
	if rest := s.Rest(); rest != "" {
		lines = append(lines, rest)
	}
	return lines
}

func TestSentences(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []string
		want  []string
	}{
		{"nothing", []string{"", " ", "\n"}, nil},
		{"one", []string{"Hello."}, []string{"Hello."}},
		{"two", []string{"Hello. How are you?"}, []string{"Hello.", "How are you?"}},
		{"without an end", []string{"Hello. How are you"}, []string{"Hello.", "How are you"}},
		{"lines", []string{"one\ntwo\n\nthree"}, []string{"one", "two", "three"}},
		{"a decimal point", []string{"It costs 3.50 euros. Bye."}, []string{"It costs 3.50 euros.", "Bye."}},
		{"a decimal point between parts", []string{"It costs 3.", "50 euros."}, []string{"It costs 3.50 euros."}},
		{"an address", []string{"See example.com. Or mail a.b@example.com!"}, []string{"See example.com.", "Or mail a.b@example.com!"}},
		{"only points within words", []string{"a.b.c"}, []string{"a.b.c"}},
		{"several marks are one end", []string{"What?! Wait... Really?? Yes."}, []string{"What?!", "Wait...", "Really??", "Yes."}},
		{"several marks in parts", []string{"What?", "!", " Yes."}, []string{"What?!", "Yes."}},
		{"a quotation", []string{`He said "stop!" and "go." Then (he left.) Bye.`}, []string{`He said "stop!"`, `and "go."`, `Then (he left.)`, `Bye.`}},
		{"marks alone belong to what follows", []string{"...", " Well. - ", "! Yes."}, []string{"... Well.", "- ! Yes."}},
		{"only marks are not spoken", []string{"...", "!", " -- \n"}, nil},
		{"a line that begins with a quotation", []string{"one\n\"two\""}, []string{"one", `"two"`}},
		{"full width", []string{"你好。吗？是"}, []string{"你好。", "吗？", "是"}},
		{"a semicolon", []string{"one; two"}, []string{"one;", "two"}},
		{"parts of a letter each", strings.Split("Hi. It is 3.14!", ""), []string{"Hi.", "It is 3.14!"}},
	} {
		if d := cmp.Diff(c.want, cut(c.parts...)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// A sentence is spoken as soon as it is known to be one: what follows it has begun.
func TestSentencesComeEarly(t *testing.T) {
	var s Sentences
	if got := s.Add("One. Two"); len(got) != 1 || got[0] != "One." {
		t.Errorf("got %q", got)
	}
	if got := s.Add("."); got != nil {
		t.Errorf("got %q: it may be a decimal point", got)
	}
	if got := s.Add(" T"); len(got) != 1 || got[0] != "Two." {
		t.Errorf("got %q", got)
	}
	if got := s.Rest(); got != "T" {
		t.Errorf("rest: got %q", got)
	}
}

func TestSentencesWithoutAnEndAreCut(t *testing.T) {
	words := strings.Repeat("word ", 300)
	for what, text := range map[string]string{"words": words, "letters": strings.Repeat("ä", 900), "numbers": strings.Repeat("1.5", 400)} {
		var s Sentences
		var all []string
		for part := range strings.SplitSeq(text, "") {
			for _, line := range s.Add(part) {
				if all = append(all, line); len(line) > longSentence || !utf8.ValidString(line) {
					t.Errorf("%s: %q has %d bytes", what, line, len(line))
				}
			}
		}
		if len(all) < 2 {
			t.Errorf("%s: only %d lines of %d bytes", what, len(all), len(text))
		}
		if what == "words" && strings.Trim(strings.Join(all, " "), "word ") != "" {
			t.Errorf("a word was cut: %q", all)
		}
	}
}

// However the parts are cut, nothing is lost, doubled or moved, and the sentences are those of the whole text.
func TestSentencesLoseNothing(t *testing.T) {
	bare := func(lines []string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, strings.Join(lines, ""))
	}
	texts := []string{
		"Hello. It is 3.50, or 4.00! \"What?!\" he said... \n\nBye; 你好。Ok",
		strings.Repeat("a long sentence without any end ", 40) + "3.5.6...",
		"「你好。」。！？是", strings.Repeat("é", 450) + ".",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, text := range texts {
		whole := cut(text)
		if got, want := bare(whole), bare([]string{text}); got != want {
			t.Fatalf("whole: got %q, want %q", got, want)
		}
		for range 200 {
			var parts []string
			for rest := text; rest != ""; { // at any byte, as a stream may be cut
				n := 1 + r.IntN(min(len(rest), 9))
				parts, rest = append(parts, rest[:n]), rest[n:]
			}
			lines := cut(parts...)
			if got, want := bare(lines), bare([]string{text}); got != want {
				t.Fatalf("%q: got %q, want %q", parts, got, want)
			}
			if len(text) < longSentence {
				if d := cmp.Diff(whole, lines); d != "" {
					t.Fatalf("%q: %s", parts, d)
				}
			}
		}
	}
}
