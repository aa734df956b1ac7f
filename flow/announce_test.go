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
