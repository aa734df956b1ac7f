package call

import "strings"

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
