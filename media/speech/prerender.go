package speech

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/callbin/callbin/media"
)

// Prerender lets speaker speak all utterances into files of dir, such that dir serves as
// Dir or FS of a Cache. Whole files that are there stay as they are; files of other
// utterances are not touched. It makes dir where it is missing and stops at the first
// error, which names the utterance.
func Prerender(ctx context.Context, speaker media.Speaker, dir string, utterances []media.Utterance) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("speech: prerender: %w", err)
	}
	for _, u := range utterances {
		name := FileName(u)
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			if _, err := decodeFile(b); err == nil {
				continue
			}
		}
		clip, err := renderAt(ctx, speaker, u, telephoneRate, 10*time.Minute)
		if err != nil {
			return fmt.Errorf("speech: prerender %.60q (%s): %w", u.Text, u.Language, err)
		}
		if err := writeFile(dir, name, encodeFile(clip)); err != nil {
			return fmt.Errorf("speech: prerender %.60q (%s): %w", u.Text, u.Language, err)
		}
	}
	return nil
}
