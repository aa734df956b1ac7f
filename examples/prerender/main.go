// Command prerender speaks all that the flows of a folder say into another folder, so that
// a server can embed it and needs no speech engine: go run ./examples/prerender FLOWS SPEECH.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/speech"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "prerender:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: prerender FLOWS SPEECH")
	}
	files, err := filepath.Glob(filepath.Join(args[0], "*.json"))
	if err != nil {
		return err
	}
	var all []media.Utterance
	for _, name := range files {
		var f struct {
			Actions []struct {
				Type   string
				Option struct{ Text, Language, Gender string }
			}
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &f); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, a := range f.Actions {
			if o := a.Option; a.Type == "talk" {
				all = append(all, media.Utterance{Text: o.Text, Language: o.Language, Gender: media.Gender(o.Gender)})
			}
		}
	}
	return speech.Prerender(context.Background(), speech.NewEspeak(speech.Config{}), args[1], all)
}
