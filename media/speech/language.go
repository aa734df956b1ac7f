package speech

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Quality is a judgement of how well espeak-ng speaks a language on a telephone. It
// is about pronunciation; all voices are synthetic.
type Quality string

const (
	Good    Quality = "good"    // pronunciation is complete, corrected by native speakers
	Fair    Quality = "fair"    // understandable, with wrong stress or tones now and then
	Limited Quality = "limited" // part of the writing is missing or ambiguous; Note says what
)

// Language is one language that Espeak speaks.
type Language struct {
	Tag     string   // BCP 47, "pt"
	Name    string   // in English
	Quality Quality  //
	Accents []Accent // other tags with voices of their own; Tag's own voice is not among them
	Note    string   // what is limited

	voice   string                // of espeak-ng
	scripts []*unicode.RangeTable // that the voice reads, besides Latin
	han     bool                  // Han is read, but not every character: ask the engine
}

// Accent is a variety of a language with a voice of its own.
type Accent struct {
	Tag   string // BCP 47, "pt-BR"
	Name  string
	voice string
}

// Languages lists what Espeak speaks, sorted by tag. Each is spoken in the three genders.
func Languages() []Language {
	all := slices.Clone(languages[:])
	for i := range all {
		all[i].Accents = slices.Clone(all[i].Accents)
		all[i].scripts = nil
	}
	return all
}

type scripts = []*unicode.RangeTable

var (
	arabic     = scripts{unicode.Arabic}
	bengali    = scripts{unicode.Bengali}
	cyrillic   = scripts{unicode.Cyrillic}
	devanagari = scripts{unicode.Devanagari}
	greek      = scripts{unicode.Greek}
	armenian   = scripts{unicode.Armenian}
)

// languages is what was tried with native text on espeak-ng 1.51: nothing of it falls
// back to the names of letters. Invented and tiny-corpus voices are left out.
var languages = [...]Language{
	{Tag: "af", Name: "Afrikaans", Quality: Good, voice: "af"},
	{Tag: "am", Name: "Amharic", Quality: Fair, voice: "am", scripts: scripts{unicode.Ethiopic}},
	{Tag: "an", Name: "Aragonese", Quality: Fair, voice: "an"},
	{Tag: "ar", Name: "Arabic", Quality: Limited, Note: "short vowels are guessed where the text has no marks", voice: "ar", scripts: arabic},
	{Tag: "as", Name: "Assamese", Quality: Fair, voice: "as", scripts: bengali},
	{Tag: "az", Name: "Azerbaijani", Quality: Fair, Note: "Latin letters only", voice: "az"},
	{Tag: "ba", Name: "Bashkir", Quality: Fair, voice: "ba", scripts: cyrillic},
	{Tag: "be", Name: "Belarusian", Quality: Fair, voice: "be", scripts: cyrillic},
	{Tag: "bg", Name: "Bulgarian", Quality: Good, voice: "bg", scripts: cyrillic},
	{Tag: "bn", Name: "Bengali", Quality: Fair, voice: "bn", scripts: bengali},
	{Tag: "bs", Name: "Bosnian", Quality: Good, voice: "bs", scripts: cyrillic},
	{Tag: "ca", Name: "Catalan", Quality: Good, voice: "ca"},
	{Tag: "cs", Name: "Czech", Quality: Good, voice: "cs"},
	{Tag: "cv", Name: "Chuvash", Quality: Fair, voice: "cv", scripts: cyrillic},
	{Tag: "cy", Name: "Welsh", Quality: Good, voice: "cy"},
	{Tag: "da", Name: "Danish", Quality: Good, voice: "da"},
	{Tag: "de", Name: "German", Quality: Good, voice: "de"},
	{Tag: "el", Name: "Greek", Quality: Good, voice: "el", scripts: greek},
	// A variant does not go with the voices "en-gb" and "fr-fr"; with "en" and "fr", the same, it does.
	{Tag: "en", Name: "English", Quality: Good, voice: "en-us", Accents: []Accent{
		{"en-029", "Caribbean", "en-029"},
		{"en-GB", "Great Britain", "en"},
		{"en-GB-x-lancaster", "Lancaster", "en-gb-x-gbclan"},
		{"en-GB-x-rp", "Received Pronunciation", "en-gb-x-rp"},
		{"en-GB-scotland", "Scotland", "en-gb-scotland"},
		{"en-GB-x-wmids", "West Midlands", "en-gb-x-gbcwmd"},
		{"en-US", "United States", "en-us"},
		{"en-US-x-nyc", "New York City", "en-us-nyc"},
	}},
	{Tag: "eo", Name: "Esperanto", Quality: Good, voice: "eo"},
	{Tag: "es", Name: "Spanish", Quality: Good, voice: "es", Accents: []Accent{
		{"es-419", "Latin America", "es-419"},
		{"es-ES", "Spain", "es"},
	}},
	{Tag: "et", Name: "Estonian", Quality: Good, voice: "et"},
	{Tag: "eu", Name: "Basque", Quality: Fair, voice: "eu"},
	{Tag: "fa", Name: "Persian", Quality: Fair, Note: "short vowels are guessed", voice: "fa", scripts: arabic},
	{Tag: "fi", Name: "Finnish", Quality: Good, voice: "fi"},
	{Tag: "fr", Name: "French", Quality: Good, voice: "fr", Accents: []Accent{
		{"fr-BE", "Belgium", "fr-be"},
		{"fr-CH", "Switzerland", "fr-ch"},
		{"fr-FR", "France", "fr"},
	}},
	{Tag: "ga", Name: "Irish", Quality: Fair, voice: "ga"},
	{Tag: "gd", Name: "Scottish Gaelic", Quality: Fair, voice: "gd"},
	{Tag: "gn", Name: "Guarani", Quality: Fair, voice: "gn"},
	{Tag: "gu", Name: "Gujarati", Quality: Fair, voice: "gu", scripts: scripts{unicode.Gujarati}},
	{Tag: "haw", Name: "Hawaiian", Quality: Fair, voice: "haw"},
	{Tag: "he", Name: "Hebrew", Quality: Limited, Note: "without vowel marks only consonants are spoken", voice: "he", scripts: scripts{unicode.Hebrew}},
	{Tag: "hi", Name: "Hindi", Quality: Good, voice: "hi", scripts: devanagari},
	{Tag: "hr", Name: "Croatian", Quality: Good, voice: "hr", scripts: cyrillic},
	{Tag: "ht", Name: "Haitian Creole", Quality: Fair, voice: "ht"},
	{Tag: "hu", Name: "Hungarian", Quality: Good, voice: "hu"},
	{Tag: "hy", Name: "Armenian", Quality: Good, voice: "hy", scripts: armenian, Accents: []Accent{
		{"hy-arevela", "Eastern", "hy"},
		{"hyw", "Western", "hyw"},
	}},
	{Tag: "ia", Name: "Interlingua", Quality: Fair, voice: "ia"},
	{Tag: "id", Name: "Indonesian", Quality: Good, voice: "id"},
	{Tag: "is", Name: "Icelandic", Quality: Good, voice: "is"},
	{Tag: "it", Name: "Italian", Quality: Good, voice: "it"},
	{Tag: "ja", Name: "Japanese", Quality: Limited, Note: "hiragana and katakana only, no kanji", voice: "ja", scripts: scripts{unicode.Hiragana, unicode.Katakana}},
	{Tag: "ka", Name: "Georgian", Quality: Good, voice: "ka", scripts: scripts{unicode.Georgian}},
	{Tag: "kk", Name: "Kazakh", Quality: Fair, voice: "kk", scripts: cyrillic},
	{Tag: "kl", Name: "Greenlandic", Quality: Fair, voice: "kl"},
	{Tag: "kn", Name: "Kannada", Quality: Good, voice: "kn", scripts: scripts{unicode.Kannada}},
	{Tag: "ko", Name: "Korean", Quality: Fair, Note: "hangul only, no hanja", voice: "ko", scripts: scripts{unicode.Hangul}},
	{Tag: "kok", Name: "Konkani", Quality: Fair, voice: "kok", scripts: devanagari},
	{Tag: "ku", Name: "Kurdish", Quality: Fair, Note: "Latin letters only (Kurmanji)", voice: "ku"},
	{Tag: "ky", Name: "Kyrgyz", Quality: Fair, voice: "ky", scripts: cyrillic},
	{Tag: "la", Name: "Latin", Quality: Good, voice: "la"},
	{Tag: "lb", Name: "Luxembourgish", Quality: Fair, voice: "lb"},
	{Tag: "lt", Name: "Lithuanian", Quality: Good, voice: "lt"},
	{Tag: "ltg", Name: "Latgalian", Quality: Fair, voice: "ltg"},
	{Tag: "lv", Name: "Latvian", Quality: Good, voice: "lv"},
	{Tag: "mi", Name: "Maori", Quality: Fair, voice: "mi"},
	{Tag: "mk", Name: "Macedonian", Quality: Good, voice: "mk", scripts: cyrillic},
	{Tag: "ml", Name: "Malayalam", Quality: Good, voice: "ml", scripts: scripts{unicode.Malayalam}},
	{Tag: "mr", Name: "Marathi", Quality: Fair, voice: "mr", scripts: devanagari},
	{Tag: "ms", Name: "Malay", Quality: Fair, voice: "ms"},
	{Tag: "mt", Name: "Maltese", Quality: Fair, voice: "mt"},
	{Tag: "my", Name: "Burmese", Quality: Fair, voice: "my", scripts: scripts{unicode.Myanmar}},
	{Tag: "nb", Name: "Norwegian Bokmål", Quality: Good, voice: "nb"},
	{Tag: "ne", Name: "Nepali", Quality: Good, voice: "ne", scripts: devanagari},
	{Tag: "nl", Name: "Dutch", Quality: Good, voice: "nl"},
	{Tag: "om", Name: "Oromo", Quality: Fair, voice: "om"},
	{Tag: "or", Name: "Odia", Quality: Fair, voice: "or", scripts: scripts{unicode.Oriya}},
	{Tag: "pa", Name: "Punjabi", Quality: Fair, Note: "Gurmukhi only", voice: "pa", scripts: scripts{unicode.Gurmukhi}},
	{Tag: "pap", Name: "Papiamento", Quality: Fair, voice: "pap"},
	{Tag: "pl", Name: "Polish", Quality: Good, voice: "pl"},
	{Tag: "pt", Name: "Portuguese", Quality: Good, voice: "pt", Accents: []Accent{
		{"pt-BR", "Brazil", "pt-br"},
		{"pt-PT", "Portugal", "pt"},
	}},
	{Tag: "qu", Name: "Quechua", Quality: Fair, voice: "qu"},
	{Tag: "ro", Name: "Romanian", Quality: Good, voice: "ro"},
	{Tag: "ru", Name: "Russian", Quality: Good, voice: "ru", scripts: cyrillic, Accents: []Accent{
		{"ru-LV", "Latvia", "ru-lv"},
		{"ru-RU", "Russia", "ru"},
	}},
	{Tag: "sd", Name: "Sindhi", Quality: Fair, voice: "sd", scripts: arabic},
	{Tag: "si", Name: "Sinhala", Quality: Fair, voice: "si", scripts: scripts{unicode.Sinhala}},
	{Tag: "sk", Name: "Slovak", Quality: Good, voice: "sk"},
	{Tag: "sl", Name: "Slovenian", Quality: Good, voice: "sl"},
	{Tag: "sq", Name: "Albanian", Quality: Good, voice: "sq"},
	{Tag: "sr", Name: "Serbian", Quality: Good, voice: "sr", scripts: cyrillic},
	{Tag: "sv", Name: "Swedish", Quality: Good, voice: "sv"},
	{Tag: "sw", Name: "Swahili", Quality: Good, voice: "sw"},
	{Tag: "ta", Name: "Tamil", Quality: Good, voice: "ta", scripts: scripts{unicode.Tamil}},
	{Tag: "te", Name: "Telugu", Quality: Fair, voice: "te", scripts: scripts{unicode.Telugu}},
	{Tag: "th", Name: "Thai", Quality: Fair, Note: "words are not told apart where the text has no spaces", voice: "th", scripts: scripts{unicode.Thai}},
	{Tag: "tk", Name: "Turkmen", Quality: Fair, Note: "Latin letters only", voice: "tk"},
	{Tag: "tn", Name: "Setswana", Quality: Fair, voice: "tn"},
	{Tag: "tr", Name: "Turkish", Quality: Good, voice: "tr"},
	{Tag: "tt", Name: "Tatar", Quality: Fair, voice: "tt", scripts: cyrillic},
	{Tag: "ug", Name: "Uyghur", Quality: Fair, voice: "ug", scripts: arabic},
	{Tag: "uk", Name: "Ukrainian", Quality: Good, voice: "uk", scripts: cyrillic},
	{Tag: "ur", Name: "Urdu", Quality: Limited, Note: "short vowels are guessed", voice: "ur", scripts: arabic},
	{Tag: "uz", Name: "Uzbek", Quality: Fair, voice: "uz", scripts: cyrillic},
	{Tag: "vi", Name: "Vietnamese", Quality: Good, voice: "vi", Accents: []Accent{
		{"vi-VN", "Northern", "vi"},
		{"vi-x-central", "Central", "vi-vn-x-central"},
		{"vi-x-south", "Southern", "vi-vn-x-south"},
	}},
	{Tag: "yue", Name: "Cantonese", Quality: Fair, voice: "yue", han: true},
	// The voice "cmn" reads hanzi as English; "cmn-latn-pinyin" has one reading for each, which
	// makes the bank (yin2 hang2) a yin2 xing2: nothing to say to a caller.
	{Tag: "zh", Name: "Mandarin Chinese", Quality: Fair, Note: "no hanzi, whose readings it guesses wrongly; pinyin with marks or digits",
		voice: "cmn-latn-pinyin"},
}

// aliases are tags of the same language, and regions whose accent is nearer to one of
// ours than to the language's own.
var aliases = map[string]string{
	"no": "nb", "nn": "nb", "iw": "he", "in": "id", "cmn": "zh", "cmn-hans": "zh", "cmn-hant": "zh", "zh-yue": "yue", "zh-hk": "yue", "zh-mo": "yue",
	"en-au": "en-gb", "en-nz": "en-gb", "en-ie": "en-gb", "en-za": "en-gb", "en-in": "en-gb", "en-sg": "en-gb", "en-hk": "en-gb",
	"en-jm": "en-029", "en-scotland": "en-gb-scotland", "en-gb-x-gbclan": "en-gb-x-lancaster", "en-gb-x-gbcwmd": "en-gb-x-wmids",
	"en-us-nyc": "en-us-x-nyc", "vi-vn-x-central": "vi-x-central", "vi-vn-x-south": "vi-x-south",
	"es-mx": "es-419", "es-ar": "es-419", "es-bo": "es-419", "es-cl": "es-419", "es-co": "es-419", "es-cr": "es-419", "es-cu": "es-419",
	"es-do": "es-419", "es-ec": "es-419", "es-gt": "es-419", "es-hn": "es-419", "es-ni": "es-419", "es-pa": "es-419", "es-pe": "es-419",
	"es-pr": "es-419", "es-py": "es-419", "es-sv": "es-419", "es-us": "es-419", "es-uy": "es-419", "es-ve": "es-419",
	"hy-arevmda": "hyw", "sr-latn": "sr",
}

// mistaken are country codes and other words that people take for languages.
var mistaken = map[string]string{
	"jp": "ja", "cn": "zh", "kr": "ko", "gr": "el", "cz": "cs", "dk": "da", "se": "sv", "ua": "uk", "vn": "vi", "br": "pt-BR", "us": "en-US",
	"gb": "en-GB", "mx": "es-419", "ee": "et", "si": "sl", "al": "sq", "rs": "sr", "ir": "fa", "il": "he", "farsi": "fa", "mandarin": "zh", "castilian": "es",
}

// findVoice returns the language and the voice of a tag.
func findVoice(tag string) (*Language, string, error) {
	low := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(tag), "_", "-"))
	// A tag comes from flows and callers; what is none must not reach an engine by its begin.
	if strings.Trim(low, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return nil, "", fmt.Errorf("speech: espeak-ng: unknown language %.40q: letters, digits and - only", tag)
	}
	for t := low; t != ""; {
		if a, ok := aliases[t]; ok {
			t = a
		}
		for i := range languages {
			l := &languages[i]
			if strings.EqualFold(l.Tag, t) {
				return l, l.voice, nil
			}
			for _, a := range l.Accents {
				if strings.EqualFold(a.Tag, t) {
					return l, a.voice, nil
				}
			}
		}
		// RFC 4647 3.4: drop subtags from the end until something matches.
		cut := strings.LastIndexByte(t, '-')
		if cut < 0 {
			break
		}
		t = t[:cut]
	}
	return nil, "", fmt.Errorf("speech: espeak-ng: unknown language %.40q%s", tag, near(low))
}

// near makes the end of the message: languages that may have been meant.
func near(low string) string {
	var found []string
	add := func(l *Language) {
		if s := l.Tag + " (" + l.Name + ")"; !slices.Contains(found, s) && len(found) < 5 {
			found = append(found, s)
		}
	}
	primary, _, _ := strings.Cut(low, "-")
	if m, ok := mistaken[primary]; ok {
		if l, _, err := findVoice(m); err == nil {
			add(l)
		}
	}
	for i := range languages {
		l := &languages[i]
		name := strings.ToLower(l.Name)
		if len(primary) > 2 && (strings.HasPrefix(name, primary) || strings.HasPrefix(primary, name)) {
			add(l)
		}
	}
	for i := range languages {
		if l := &languages[i]; primary != "" && l.Tag[0] == primary[0] && len(primary) <= 3 {
			add(l)
		}
	}
	if len(found) == 0 {
		return "; speech.Languages lists those there are"
	}
	return "; near ones: " + strings.Join(found, ", ")
}

// ErrScript is matched by the error for text in a writing that the voice would read
// letter by letter, in English.
var ErrScript = errors.New("speech: the voice does not read this writing")

// checkScript refuses words in a script that the voice does not read. Latin passes
// everywhere, as words in English; so do single letters of any script, which have names.
func (l *Language) checkScript(text string) error {
	word, start := 0, 0 // length and begin of a run of unreadable letters
	for i, r := range text {
		if !unicode.IsLetter(r) || l.reads(r) {
			if !unicode.IsMark(r) {
				word = 0
			}
			continue
		}
		if word == 0 {
			start = i
		}
		word++
		if word < 2 && !unicode.Is(unicode.Han, r) && !unicode.Is(unicode.Hiragana, r) && !unicode.Is(unicode.Katakana, r) && !unicode.Is(unicode.Hangul, r) {
			continue
		}
		note := ""
		if l.Note != "" {
			note = " (" + l.Note + ")"
		}
		return fmt.Errorf("%w: %s letters at %q in %s%s", ErrScript, scriptName(r), firstRunes(text[start:], 10), l.Name, note)
	}
	return nil
}

func (l *Language) reads(r rune) bool {
	return unicode.Is(unicode.Latin, r) || unicode.In(r, l.scripts...) || l.han && unicode.Is(unicode.Han, r) ||
		// The mark for a long vowel belongs to both kana, in Unicode to none.
		r == 'ー' && l.Tag == "ja" || isCommon(r)
}

func isCommon(r rune) bool { return unicode.In(r, unicode.Common, unicode.Inherited) && r != 'ー' }

func scriptName(r rune) string {
	for name, t := range unicode.Scripts {
		if unicode.Is(t, r) {
			return name
		}
	}
	return "unknown"
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }
