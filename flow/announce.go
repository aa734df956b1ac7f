package flow

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// keyWords are names of keys, in the languages of the verbs.
var keyWords = map[string]string{
	"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
	"star": "*", "asterisk": "*", "pound": "#", "hash": "#",
	"null": "0", "eins": "1", "zwei": "2", "drei": "3", "vier": "4", "fünf": "5", "sechs": "6", "sieben": "7", "acht": "8", "neun": "9",
	"stern": "*", "raute": "#",
	"zéro": "0", "un": "1", "deux": "2", "trois": "3", "quatre": "4", "cinq": "5", "sept": "7", "huit": "8", "neuf": "9",
	"étoile": "*", "dièse": "#",
	"cero": "0", "uno": "1", "dos": "2", "tres": "3", "cuatro": "4", "cinco": "5", "seis": "6", "siete": "7", "ocho": "8", "nueve": "9",
	"asterisco": "*", "almohadilla": "#",
	"nul": "0", "een": "1", "één": "1", "twee": "2", "drie": "3", "vijf": "5", "zes": "6", "zeven": "7", "negen": "9",
	"ster": "*", "sterretje": "*", "hekje": "#",
}

// verbs are words that tell a caller to press what follows; filler may stand between, and what follows on the
// key has to be the end of a phrase, or one of goOn: "press 1 for sales", but not "press 3 times", nor
// "choose one of these".
const (
	verbs = `press|dial|push|hit|select|choose` +
		`|drücken sie|drücke|wählen sie|appuyez sur|tapez|faites` +
		`|pulse|marque|oprima|presione|digite|pressione|aperte|tecle|prema|premi|digiti` +
		`|toets|kies|druk op|tryck på|tryck|tryk på|trykk på|trykk|naciśnij|wybierz`
	filler = `(?:\s+(?:the|key|number|digit|button|die|taste|ziffer|la|le|el|il|touche|tecla|tasto|número|numéro|de|toets|a|o))*`
	quotes = "\"'“”„«»"
)

var goOn = wordSet(`for to if or and when on now at after once key button
	für um wenn oder und jetzt taste pour si ou et touche para o y e se per voor om als of en
	ahora maintenant agora adesso nu för om eller for å at hvis aby jeśli lub`)

// again are words of a phrase that offers to hear it once more, which is what a default often does.
var again = regexp.MustCompile(`(?i)repeat|again|once more|wiederhol|noch einmal|erneut|répét|réécout|repet|de nuevo|ripet|riascolt|herhal|opnieuw`)

var (
	pressed = regexp.MustCompile(`(?i)(?:^|[^\p{L}])(?:` + verbs + `)` + filler + `\s+[` + quotes + `]?([0-9*#]|\p{L}+)`)
	// alike finds the next of a list: "press 1, 2 or 3".
	alike = regexp.MustCompile(`(?i)^[` + quotes + `]?(?:\s*,|\s+or|\s+oder|\s+ou|\s+o|\s+of|\s*,\s+or)\s+[` + quotes + `]?([0-9*#])`)
	// listed finds the others of a list: "press 1 for sales, 2 for support".
	listed = regexp.MustCompile(`(?i)(?:[,;]|\s(?:and|or|und|oder))\s+([0-9*#])\s+(?:for|to|für|pour|para|per|voor)\s`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

func wordSet(words string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}

// announced returns the keys that a text tells the caller to press, each once, sorted. Where repeats is false, a key to
// hear it again is none of them. It rather misses a key than finds one that is not meant.
func announced(text string, repeats bool) []string {
	text = tags.ReplaceAllString(text, " ")
	var keys []string
	add := func(key, rest string) bool {
		if len(key) != 1 || !strings.Contains("0123456789*#", key) || !isPhraseEnd(rest) {
			return false
		}
		phrase, _, _ := strings.Cut(rest, ".")
		phrase, _, _ = strings.Cut(phrase, ",")
		if repeats || !again.MatchString(phrase) {
			keys = append(keys, key)
		}
		return true
	}
	for _, m := range pressed.FindAllStringSubmatchIndex(text, -1) {
		key, rest := strings.ToLower(text[m[2]:m[3]]), text[m[3]:]
		if digit, ok := keyWords[key]; ok {
			if isArticle(key, rest) {
				continue
			}
			key = digit
		}
		for add(key, rest) {
			next := alike.FindStringSubmatchIndex(rest)
			if next == nil {
				break
			}
			key, rest = rest[next[2]:next[3]], rest[next[3]:]
		}
	}
	if len(keys) > 0 {
		for _, m := range listed.FindAllStringSubmatchIndex(text, -1) {
			add(text[m[2]:m[3]], text[m[3]:])
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// isArticle tells whether a word for 1 is no number: "choose one of these".
func isArticle(word, rest string) bool {
	switch word {
	case "one", "un", "uno", "een":
		next, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		return next == "of" || next == "or"
	}
	return false
}

// isPhraseEnd tells whether rest, which follows on a key, says that it was the key alone.
func isPhraseEnd(rest string) bool {
	rest = strings.TrimLeft(rest, quotes)
	if rest == "" {
		return true
	}
	first, size := utf8.DecodeRuneInString(rest)
	after, _ := utf8.DecodeRuneInString(rest[size:])
	switch {
	case strings.ContainsRune(".,;:!?)", first):
		return !unicode.IsDigit(after)
	case !unicode.IsSpace(first):
		return false // "10", "1-3", "1st", "1${more}"
	}
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return true
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) })
	if end < 0 {
		end = len(rest)
	}
	return goOn[strings.ToLower(rest[:end])]
}
