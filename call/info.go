package call

import (
	"strconv"
	"strings"
)

// infoDigit reads a digit out of a SIP INFO body.
func infoDigit(contentType string, body []byte) string {
	s := string(body)
	switch strings.ToLower(strings.TrimSpace(strings.SplitN(contentType, ";", 2)[0])) {
	case "application/dtmf-relay":
		for line := range strings.Lines(s) {
			if k, v, ok := strings.Cut(line, "="); ok && strings.EqualFold(strings.TrimSpace(k), "signal") {
				s = v
				break
			}
		}
	case "application/dtmf":
	default:
		return ""
	}
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) == 1 && strings.Contains("0123456789*#ABCD"+hiddenDigit, s) {
		return s
	}
	return ""
}

// infoDuration reads how long the key was down, in milliseconds; 0: it is not said.
func infoDuration(body []byte) int {
	for line := range strings.Lines(string(body)) {
		if k, v, ok := strings.Cut(line, "="); ok && strings.EqualFold(strings.TrimSpace(k), "duration") {
			if ms, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && ms > 0 && ms <= maxInfoDuration {
				return ms
			}
		}
	}
	return 0
}

// maxInfoDuration is the longest key press that is believed.
const maxInfoDuration = 60_000
