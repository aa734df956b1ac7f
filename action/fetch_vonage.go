package action

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
)

// vonageRequest is the request that Vonage sends for an answer or event URL: JSON, or a query with GET.
func (a *fetch) vonageRequest(ctx context.Context, leg Leg, method string, u *url.URL) (*http.Request, error) {
	vars, result := leg.Vars(), a.resultOf(leg)
	fields := map[string]any{
		"from": party(vars, "source"), "to": party(vars, "destination"), "uuid": leg.ID(), "conversation_uuid": "CON-" + leg.ID(),
	}
	switch a.Verb {
	case "input":
		fields["dtmf"] = map[string]any{"digits": result("digits"), "timed_out": result("ended_by") == endedByTimeout || result(ResultStatus) == StatusTimeout}
		if speech := result("speech"); speech != "" {
			fields["speech"] = map[string]any{"results": []any{map[string]any{"text": speech, "confidence": result("confidence")}}}
		}
	case "connect":
		fields["status"] = vonageStatus(result("status"))
		fields["duration"] = wholeSeconds(result("talk_ms"))
	case "record":
		fields["recording_uuid"] = result("recording_id")
		if base := a.deps.WebApps[a.Account].Recordings; base != "" {
			fields["recording_url"] = base + url.PathEscape(result("recording_id"))
		}
	}
	at, body := *u, []byte(nil)
	if method == http.MethodGet {
		q := at.Query()
		for name, value := range fields {
			if s, ok := value.(string); ok {
				q.Set(name, s)
			}
		}
		at.RawQuery = q.Encode()
	} else {
		fields["timestamp"] = time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		var err error
		if body, err = json.Marshal(fields); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
	}
	if secret := a.deps.WebApps[a.Account].AuthToken; secret != "" {
		token, err := vonageToken(secret, a.Account, body, time.Now())
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// vonageToken is the token of a signed webhook: a JWT (RFC 7519) by HS256 that holds the SHA-256 of the body.
func vonageToken(secret, account string, body []byte, at time.Time) (string, error) {
	claims := map[string]any{"iss": "Vonage", "iat": at.Unix(), "jti": uuid.NewString(), "api_key": account}
	if len(body) > 0 {
		sum := sha256.Sum256(body)
		claims["payload_hash"] = hex.EncodeToString(sum[:])
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + b64.EncodeToString(payload)
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return text + "." + b64.EncodeToString(h.Sum(nil)), nil
}

// vonageStatus is Vonage's word for what a connect came to.
func vonageStatus(status string) string {
	switch status {
	case "answered", "normal":
		return "completed"
	case "busy":
		return "busy"
	case "noanswer", "dialout":
		return "unanswered"
	case StatusTimeout:
		return "timeout"
	case "cancel":
		return "cancelled"
	default:
		return "failed"
	}
}
