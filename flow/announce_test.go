package flow

import (
	"strings"
	"testing"
)

func TestAnnouncedKeys(t *testing.T) {
	for text, want := range map[string]string{
		"For sales, press 1. For support press two.":        "1 2",
		"press 1 for sales, 2 for support or 3 for billing": "1 2 3",
		"Press 1, 2 or 3":                     "1 2 3",
		"Press 1 or 2.":                       "1 2",
		"Press the # key, or star to go back": "#",
		`<speak>Press <say-as interpret-as="digits">1</say-as></speak>`: "1",
		`Press "5" now`:         "5",
		"press pound when done": "#",
		"Drücken Sie die Eins":  "1",
		"Für den Verkauf drücken Sie die Taste 2 oder 3.": "2 3",
		"Wählen Sie die 0 für die Zentrale":               "0",
		"Appuyez sur la touche 1 pour les ventes":         "1",
		"Tapez un pour les ventes":                        "1",
		"Pulse uno. Marque el 2 para ventas":              "1 2",
		"Digite 3 para vendas":                            "3",
		"Premi 1 per le vendite":                          "1",
		"Toets 4 voor de verkoop":                         "4",
		"Tryck 1 för svenska":                             "1",
		"Trykk på 2":                                      "2",
		"Naciśnij 1, aby":                                 "1",

		// Nothing that a branch on one digit would have to have.
		"Please choose one of the following.":               "",
		"Tapez un numéro, faites un choix":                  "",
		"Premi un tasto":                                    "",
		"Kies een optie, toets een code":                    "",
		"Appuyez sur un chiffre":                            "",
		"select one language":                               "",
		"Dial one two three, or 9 1 1, or 1 800 555 0100":   "",
		"dial 9 1 1":                                        "",
		"dial 1 800 555 0100":                               "",
		"press star 6, or star six":                         "",
		"press 10":                                          "",
		"press 0-9":                                         "",
		"press 1.5 or 2,5":                                  "",
		"press 1${more}":                                    "",
		"press any key":                                     "",
		"Drücken Sie eine Taste":                            "",
		"Wir haben die Nummer 1":                            "",
		"press one more time":                               "",
		"press 3 times, push two buttons, choose 3 numbers": "",
		"enter 4 digits":                                    "",
		"an impress 1":                                      "",
		"We pressed on. 2 for one.":                         "",
	} {
		if got := strings.Join(announced(text, true), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	const menu = "Press 1 for sales, press 9 to hear this again. Zum Wiederholen drücken Sie die 8."
	if got := strings.Join(announced(menu, false), " "); got != "1 8" {
		t.Errorf("without repeating: %q", got)
	}
}

// TestKeysBelongToTheBranchBehindThem: only where nothing comes between a prompt and a branch is it known that the
// branch is on what the prompt asks for.
func TestKeysBelongToTheBranchBehindThem(t *testing.T) {
	const (
		talk    = `{"type":"talk","option":{"text":"press 1"}}`
		next    = `{"type":"talk","option":{"text":"press 1","digits_handle":"next"}}`
		receive = `{"type":"digits_receive","option":{"length":1}}`
		prompt  = `{"type":"digits_receive","option":{"length":1,"prompt":{"text":"press 1"}}}`
		branch  = `{"type":"branch","option":{"target_ids":{"2":"e"},"default_target_id":"e"}},{"id":"e","type":"stop"}`
	)
	for text, want := range map[string]int{
		talk + receive + branch: 1,
		next + branch:           1,
		prompt + branch:         1,
		talk + `{"type":"play","option":{"stream_urls":["file:a.wav"]}}` + receive + branch:          1,
		talk + `{"type":"variable_set","option":{"key":"a"}}{"type":"mute"}` + receive + branch:      1,
		talk + receive + `{"type":"webhook_send","option":{"uri":"http://a/","sync":true}}` + branch: 1,
		talk + receive + strings.Replace(branch, `"2":"e"`, `"1":"e"`, 1):                            0,
		talk + branch: 0,
		talk + `{"type":"digits_receive","option":{"length":2}}` + branch:                                      0,
		talk + receive + receive + branch:                                                                      0,
		prompt + receive + branch:                                                                              0,
		talk + `{"type":"sleep","option":{"duration":1}}` + receive + branch:                                   0,
		talk + `{"type":"echo"}` + receive + branch:                                                            0,
		next + `{"type":"beep"}` + branch:                                                                      0,
		talk + receive + `{"type":"variable_set","option":{"key":"voipbin.call.digits","value":"2"}}` + branch: 0,
		talk + receive + `{"type":"goto","option":{"target_id":"e","loop_count":1}}` + branch:                  0,
		talk + receive + `{"type":"branch","option":{"variable":"voipbin.call.direction","target_ids":{"incoming":"e"},"default_target_id":"e"}}` + branch: 0,
	} {
		text = "[" + strings.ReplaceAll(text, "}{", "},{") + "]"
		f, err := Parse([]byte(text), ParseOptions{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		found := 0
		for _, finding := range f.lint(true) {
			if finding.Rule == RuleDigit {
				found++
			}
		}
		if found != want {
			t.Errorf("%s: found %d, want %d", text, found, want)
		}
	}
}
