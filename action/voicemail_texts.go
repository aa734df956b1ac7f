package action

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/call/address"
)

// voiceTexts are what voicemail and voicemail_main say by themselves, by language and name. A flow can give others by their option texts.
var voiceTexts = map[string]map[string]string{
	"en": {
		"greeting":         "Nobody can take your call now. Please leave a message after the tone.",
		"full":             "This mailbox is full. Good bye.",
		"mailbox":          "Please enter the number of your mailbox, then hash.",
		"pin":              "Please enter your PIN, then hash.",
		"wrong":            "That is not right.",
		"bye":              "Good bye.",
		"counts":           "New messages: %d. Saved messages: %d.",
		"message_new":      "New message %d of %d.",
		"message_saved":    "Saved message %d of %d.",
		"from":             "From %s.",
		"unknown":          "an unknown caller",
		"today":            "Today at %s.",
		"yesterday":        "Yesterday at %s.",
		"date":             "%s at %s.",
		"menu":             "To listen again, press 1. To save, press 2. To delete, press 3. Previous message, 4. Next message, 6. Greeting, 9. End, star.",
		"call_back":        "To call back, press 8.",
		"none":             "There are no messages. To record your greeting, press 9. To end, press star.",
		"last":             "That was the last message.",
		"first":            "That is the first message.",
		"saved":            "Saved.",
		"deleted":          "Deleted. To keep it, press 3.",
		"kept":             "Kept.",
		"record":           "Speak your greeting after the tone, then press hash.",
		"greeting_kept":    "Your greeting is: ",
		"greeting_dropped": "Your greeting stays as it was.",
		"failed":           "That did not work.",
		"mail_subject":     "Voice message from %s",
		"mail_text":        "%s has left a message of %s in mailbox %s. %s",
	},
	"de": {
		"greeting":         "Zurzeit kann niemand Ihren Anruf annehmen. Bitte hinterlassen Sie eine Nachricht nach dem Ton.",
		"full":             "Dieser Anrufbeantworter ist voll. Auf Wiederhören.",
		"mailbox":          "Bitte geben Sie die Nummer Ihrer Mailbox ein, dann die Raute.",
		"pin":              "Bitte geben Sie Ihre PIN ein, dann die Raute.",
		"wrong":            "Das ist nicht richtig.",
		"bye":              "Auf Wiederhören.",
		"counts":           "Neue Nachrichten: %d. Gespeicherte Nachrichten: %d.",
		"message_new":      "Neue Nachricht %d von %d.",
		"message_saved":    "Gespeicherte Nachricht %d von %d.",
		"from":             "Von %s.",
		"unknown":          "einem unbekannten Anrufer",
		"today":            "Heute um %s.",
		"yesterday":        "Gestern um %s.",
		"date":             "Am %s um %s.",
		"menu":             "Noch einmal hören: 1. Speichern: 2. Löschen: 3. Vorige Nachricht: 4. Nächste Nachricht: 6. Ansage: 9. Ende: Stern.",
		"call_back":        "Zurückrufen: 8.",
		"none":             "Es gibt keine Nachrichten. Ihre Ansage sprechen: 9. Ende: Stern.",
		"last":             "Das war die letzte Nachricht.",
		"first":            "Das ist die erste Nachricht.",
		"saved":            "Gespeichert.",
		"deleted":          "Gelöscht. Behalten: 3.",
		"kept":             "Behalten.",
		"record":           "Sprechen Sie Ihre Ansage nach dem Ton, dann drücken Sie die Raute.",
		"greeting_kept":    "Ihre Ansage lautet: ",
		"greeting_dropped": "Ihre Ansage bleibt, wie sie war.",
		"failed":           "Das hat nicht geklappt.",
		"mail_subject":     "Sprachnachricht von %s",
		"mail_text":        "%s hat eine Nachricht von %s in Mailbox %s hinterlassen. %s",
	},
	"es": {
		"greeting":         "Ahora nadie puede atender su llamada. Deje un mensaje después de la señal.",
		"full":             "Este buzón está lleno. Adiós.",
		"mailbox":          "Marque el número de su buzón y después almohadilla.",
		"pin":              "Marque su PIN y después almohadilla.",
		"wrong":            "No es correcto.",
		"bye":              "Adiós.",
		"counts":           "Mensajes nuevos: %d. Mensajes guardados: %d.",
		"message_new":      "Mensaje nuevo %d de %d.",
		"message_saved":    "Mensaje guardado %d de %d.",
		"from":             "De %s.",
		"unknown":          "un número desconocido",
		"today":            "Hoy a las %s.",
		"yesterday":        "Ayer a las %s.",
		"date":             "El %s a las %s.",
		"menu":             "Para repetir, marque 1. Guardar, 2. Borrar, 3. Mensaje anterior, 4. Mensaje siguiente, 6. Saludo, 9. Terminar, asterisco.",
		"call_back":        "Para devolver la llamada, marque 8.",
		"none":             "No hay mensajes. Para grabar su saludo, marque 9. Para terminar, asterisco.",
		"last":             "Era el último mensaje.",
		"first":            "Es el primer mensaje.",
		"saved":            "Guardado.",
		"deleted":          "Borrado. Para conservarlo, marque 3.",
		"kept":             "Conservado.",
		"record":           "Diga su saludo después de la señal y marque almohadilla.",
		"greeting_kept":    "Su saludo es: ",
		"greeting_dropped": "Su saludo no ha cambiado.",
		"failed":           "No ha sido posible.",
		"mail_subject":     "Mensaje de voz de %s",
		"mail_text":        "%s ha dejado un mensaje de %s en el buzón %s. %s",
	},
	"fr": {
		"greeting":         "Personne ne peut prendre votre appel. Laissez un message après le signal.",
		"full":             "Cette messagerie est pleine. Au revoir.",
		"mailbox":          "Composez le numéro de votre messagerie, puis dièse.",
		"pin":              "Composez votre code, puis dièse.",
		"wrong":            "Ce n'est pas correct.",
		"bye":              "Au revoir.",
		"counts":           "Nouveaux messages : %d. Messages sauvegardés : %d.",
		"message_new":      "Nouveau message %d sur %d.",
		"message_saved":    "Message sauvegardé %d sur %d.",
		"from":             "De %s.",
		"unknown":          "un correspondant inconnu",
		"today":            "Aujourd'hui à %s.",
		"yesterday":        "Hier à %s.",
		"date":             "Le %s à %s.",
		"menu":             "Pour réécouter, tapez 1. Sauvegarder, 2. Effacer, 3. Message précédent, 4. Message suivant, 6. Annonce, 9. Terminer, étoile.",
		"call_back":        "Pour rappeler, tapez 8.",
		"none":             "Il n'y a pas de message. Pour enregistrer votre annonce, tapez 9. Pour terminer, étoile.",
		"last":             "C'était le dernier message.",
		"first":            "C'est le premier message.",
		"saved":            "Sauvegardé.",
		"deleted":          "Effacé. Pour le garder, tapez 3.",
		"kept":             "Gardé.",
		"record":           "Parlez après le signal, puis tapez dièse.",
		"greeting_kept":    "Votre annonce est : ",
		"greeting_dropped": "Votre annonce n'a pas changé.",
		"failed":           "Cela n'a pas marché.",
		"mail_subject":     "Message vocal de %s",
		"mail_text":        "%s a laissé un message de %s dans la messagerie %s. %s",
	},
}

// voiceTextNames are the names of the texts.
func voiceTextNames() []string { return slices.Sorted(maps.Keys(voiceTexts["en"])) }

// voiceLanguage is how voicemail speaks: to whom, by the option of the flow and the language of the mailbox.
type voiceLanguage struct {
	Language string            `json:"language" doc:"BCP 47, as en-GB, of what it says by itself (en de es fr); empty: that of the mailbox"`
	Provider string            `json:"provider" doc:"name of a speech engine"`
	VoiceID  string            `json:"voice_id" doc:"a voice of the engine's"`
	Gender   string            `json:"gender" opt:"enum=male|female|neutral" doc:"of the voice"`
	Texts    map[string]string `json:"texts" doc:"texts of your own, by name, for other languages or words"`
}

func (v *voiceLanguage) check(c *CheckContext) {
	for _, name := range sortedKeys(v.Texts) {
		if _, ok := voiceTexts["en"][name]; !ok {
			c.At("texts", name).Errorf("is no text: there are %s", strings.Join(voiceTextNames(), " "))
		}
	}
}

// in returns v for a mailbox.
func (v voiceLanguage) in(box Mailbox) voiceLanguage {
	v.Language = cmp.Or(v.Language, box.Language)
	return v
}

// text is the text called name, filled with args. The language of a text that there is only in English is English.
func (v *voiceLanguage) text(name string, args ...any) (text, language string) {
	language = v.Language
	text, ok := v.Texts[name]
	if !ok {
		primary, _, _ := strings.Cut(strings.ToLower(v.Language), "-")
		if text, ok = voiceTexts[primary][name]; !ok {
			text = voiceTexts["en"][name]
			if primary != "en" && v.Language != "" {
				language = "en"
			}
		}
	}
	return fill(text, args), language
}

// fill puts args in place of %d and %s, one after the other; a text of the flow's may leave some out.
func fill(text string, args []any) string {
	var b strings.Builder
	for len(args) > 0 {
		i := strings.IndexByte(text, '%')
		if i < 0 || i+1 == len(text) {
			break
		}
		if b.WriteString(text[:i]); text[i+1] == 'd' || text[i+1] == 's' {
			fmt.Fprint(&b, args[0])
			args = args[1:]
		} else {
			b.WriteString(text[i : i+2])
		}
		text = text[i+2:]
	}
	return b.String() + text
}

// prompt is the text called name, to be said.
func (v *voiceLanguage) prompt(name string, args ...any) prompt {
	text, language := v.text(name, args...)
	return prompt{Text: text, Language: language, Provider: v.Provider, VoiceID: v.VoiceID, Gender: v.Gender}
}

// introduce are the words before a message: its number, who left it, and when.
func (v *voiceLanguage) introduce(m VoiceMessage, n, of int, now time.Time, zone string) prompt {
	where, err := time.LoadLocation(zone)
	if err != nil {
		where = time.UTC
	}
	name := "message_saved"
	if m.Status == MessageNew {
		name = "message_new"
	}
	p := v.prompt(name, n, of)
	who, _ := v.text("from", spokenCaller(m.Source, v))
	name, args := spokenTime(m.TmCreate.In(where), now.In(where))
	when, _ := v.text(name, args...)
	p.Text += " " + who + " " + when
	return p
}

// spokenTime is the name of a text, and what it is filled with.
func spokenTime(at, now time.Time) (name string, args []any) {
	clock := at.Format("15:04")
	switch at.Format(time.DateOnly) {
	case now.Format(time.DateOnly):
		return "today", []any{clock}
	case now.AddDate(0, 0, -1).Format(time.DateOnly):
		return "yesterday", []any{clock}
	}
	return "date", []any{at.Format(time.DateOnly), clock}
}

// spokenCaller is who a message is from: a number digit by digit.
func spokenCaller(a address.Address, v *voiceLanguage) string {
	who := cmp.Or(a.Target, a.TargetName)
	if a.Type == address.TypeSIP {
		who, _, _ = strings.Cut(who, "@")
	}
	switch {
	case who == "":
		text, _ := v.text("unknown")
		return text
	case strings.Trim(who, "+0123456789") == "":
		return strings.Join(strings.Split(who, ""), " ")
	}
	return who
}
