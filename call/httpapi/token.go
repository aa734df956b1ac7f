package httpapi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// TokenFile returns the token in the file, or makes one and writes it there with
// mode 0600, so that a server that nobody configured is not open to all.
func TokenFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		if t := strings.TrimSpace(string(b)); t != "" {
			return t, nil
		}
		return "", fmt.Errorf("httpapi: token file %s is empty: delete it to get a new one", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("httpapi: read token: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("httpapi: make token: %w", err)
	}
	t := NewToken()
	if err := os.WriteFile(path, []byte(t+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("httpapi: make token: %w", err)
	}
	return t, nil
}

// Tokens returns configured, or where that is empty the one of TokenFile.
func Tokens(configured []string, path string) ([]string, error) {
	if len(configured) > 0 {
		return configured, nil
	}
	t, err := TokenFile(path)
	return []string{t}, err
}
