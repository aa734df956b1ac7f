package flow

import (
	"regexp"
	"slices"
	"strings"
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

// verbs are words that tell a caller to press what follows; filler may stand between.
const (
	verbs = `press|dial|push|hit|select|choose` +
		`|drücken sie|drücke|wählen sie|appuyez sur|tapez|faites` +
		`|pulse|marque|oprima|presione|digite|pressione|aperte|tecle|prema|premi|digiti` +
		`|toets|kies|druk op`
	filler = `(?:\s+(?:the|key|number|digit|button|die|taste|ziffer|la|le|el|il|touche|tecla|tasto|número|numéro|de|toets|a|o))*`
	key    = `["'\x{201C}\x{201E}]?([0-9*#]|[\p{L}]+)`
)

var (
	pressed = regexp.MustCompile(`(?i)(?:^|[^\p{L}])(?:` + verbs + `)` + filler + `\s+` + key + `([0-9*#]|[.,:]?[0-9])?`)
	// listed finds the others of a list: "press 1 for sales, 2 for support".
	listed = regexp.MustCompile(`(?i)(?:[,;.]|\band|\bor|\bund|\boder)\s+([0-9*#])\s+(?:for|to|für|pour|para|per|voor)\b`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

// announced returns the keys that a text tells the caller to press, each once, sorted.
func announced(text string) []string {
	text = tags.ReplaceAllString(text, " ")
	var keys []string
	for _, m := range pressed.FindAllStringSubmatch(text, -1) {
		k := strings.ToLower(m[1])
		if word, ok := keyWords[k]; ok {
			k = word
		}
		if len(k) == 1 && strings.Contains("0123456789*#", k) && m[2] == "" { // no number of several digits
			keys = append(keys, k)
		}
	}
	if len(keys) > 0 {
		for _, m := range listed.FindAllStringSubmatch(text, -1) {
			keys = append(keys, m[1])
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
