package action

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// twilioRequest is the request that Twilio sends for a voice URL: a form, or a query with GET.
func (a *fetch) twilioRequest(ctx context.Context, leg Leg, method string, u *url.URL, failed string) (*http.Request, error) {
	form := a.twilioForm(leg)
	if failed != "" {
		form.Set("ErrorCode", "11200") // Twilio's: HTTP retrieval failure
		form.Set("ErrorUrl", failed)
	}
	at, body, signed := *u, "", form
	if method == http.MethodGet {
		if at.RawQuery != "" {
			at.RawQuery += "&"
		}
		at.RawQuery += form.Encode()
		signed = nil
	} else {
		body = form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	req.Header.Set("Accept", "*/*")
	if token := a.deps.WebApps[a.Account].AuthToken; token != "" {
		req.Header.Set("X-Twilio-Signature", TwilioSignature(token, &at, signed))
	}
	return req, nil
}

// TwilioSignature is the X-Twilio-Signature of a request: the HMAC-SHA1 by the account's token, in base64, of the URL as it is
// called, without the port that its scheme has anyway, and of all fields of the form by name; nil for a GET.
func TwilioSignature(token string, u *url.URL, form url.Values) string {
	at := *u
	at.User, at.Fragment = nil, ""
	if p := at.Port(); p == "443" && at.Scheme == "https" || p == "80" && at.Scheme == "http" {
		at.Host = strings.TrimSuffix(at.Host, ":"+p)
	}
	h := hmac.New(sha1.New, []byte(token))
	h.Write([]byte(at.String()))
	for _, name := range sortedKeys(form) {
		values := slices.Compact(slices.Sorted(slices.Values(form[name])))
		for _, value := range values {
			h.Write([]byte(name + value))
		}
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// twilioSID is an id as Twilio writes it: two letters and 32 hexadecimal digits. Those of a UUID are its own.
func twilioSID(letters, id string) string {
	digits := strings.ToLower(strings.ReplaceAll(id, "-", ""))
	if b, err := hex.DecodeString(digits); err != nil || len(b) != 16 {
		sum := sha256.Sum256([]byte(id))
		digits = hex.EncodeToString(sum[:16])
	}
	return letters + digits
}

// twilioForm is what Twilio tells in each request, and of the verb that has ended.
func (a *fetch) twilioForm(leg Leg) url.Values {
	vars := leg.Vars()
	from, to := party(vars, "source"), party(vars, "destination")
	form := url.Values{
		"CallSid": {twilioSID("CA", leg.ID())}, "AccountSid": {twilioSID("AC", a.Account)}, "ApiVersion": {"2010-04-01"},
		"From": {from}, "Caller": {from}, "To": {to}, "Called": {to},
		"Direction": {"inbound"}, "CallStatus": {"in-progress"},
	}
	if vars.Get("voipbin.call.direction") == "outgoing" {
		form.Set("Direction", "outbound-api")
	}
	if s, err := Need[Stater](leg); err == nil && (s.CallStatus() == "ringing" || s.CallStatus() == "dialing") {
		form.Set("CallStatus", "ringing")
	}
	if name := vars.Get("voipbin.call.source.name"); name != "" {
		form.Set("CallerName", name)
	}
	if v, level := vars.Get("verify.verstat"), vars.Get("verify.attest"); v != "" && level != "" {
		form.Set("StirVerstat", v+"-"+level)
	}
	a.twilioResult(leg, form)
	return form
}

func (a *fetch) twilioResult(leg Leg, form url.Values) {
	result := a.resultOf(leg)
	set := func(name, value string) {
		if value != "" {
			form.Set(name, value)
		}
	}
	switch a.Verb {
	case "Gather":
		speech := result("speech")
		if set("SpeechResult", speech); speech != "" {
			set("Confidence", cmp.Or(result("confidence"), "0.0"))
		} else {
			form.Set("Digits", result("digits"))
		}
	case "Dial":
		status := dialCallStatus(result("status"))
		if result("conferencecall_id") != "" && result("status") == "ok" {
			status = "answered" // what Twilio says of a room
		}
		form.Set("DialCallStatus", status)
		form.Set("DialBridged", strconv.FormatBool(result("call_id") != ""))
		if id := result("call_id"); id != "" {
			form.Set("DialCallSid", twilioSID("CA", id))
			form.Set("DialCallDuration", wholeSeconds(result("talk_ms")))
		}
		a.twilioRecording(leg.Vars().Get(VarRecordingID), "", form)
	case "Record":
		a.twilioRecording(result("recording_id"), wholeSeconds(result("duration_ms")), form)
		switch ended := result("ended_by"); ended {
		case endedByKey:
			form.Set("Digits", result("digits"))
		case "hangup":
			form.Set("Digits", "hangup")
		}
	case "Enqueue":
		form.Set("QueueResult", queueResult(result("status")))
		set("QueueTime", wholeSeconds(result("waited_ms")))
	}
}

// twilioRecording tells of a recording that was made.
func (a *fetch) twilioRecording(id, seconds string, form url.Values) {
	if id == "" {
		return
	}
	form.Set("RecordingSid", twilioSID("RE", id))
	if base := a.deps.WebApps[a.Account].Recordings; base != "" {
		form.Set("RecordingUrl", base+url.PathEscape(id))
	}
	if seconds != "" {
		form.Set("RecordingDuration", seconds)
	}
}

// dialCallStatus is Twilio's word for what a connect came to.
func dialCallStatus(status string) string {
	switch status {
	case "answered", "normal":
		return "completed"
	case "busy":
		return "busy"
	case "noanswer", "dialout", StatusTimeout:
		return "no-answer"
	case "cancel":
		return "canceled"
	default:
		return "failed"
	}
}

func queueResult(status string) string {
	switch status {
	case "done":
		return "bridged"
	case StatusError:
		return "error"
	default:
		return "leave"
	}
}

// wholeSeconds makes seconds of milliseconds, as a bill has them: a begun one counts.
func wholeSeconds(ms string) string {
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatInt((n+999)/1000, 10)
}
