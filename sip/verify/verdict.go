package verify

// Results of a Verdict.
const (
	Pass      = "pass"
	Reject    = "reject"
	Challenge = "challenge" // for a password
)

// Results of a Check.
const (
	CheckPass = "pass"
	CheckFail = "fail"
	CheckSkip = "skip" // it does not apply, or is not configured
)

// Verdict is what verification found out about a caller. The zero value passes.
type Verdict struct {
	Result   string  `json:"result,omitempty"`
	Status   int     `json:"status,omitempty"` // with Reject and Challenge: the SIP status
	Code     string  `json:"code,omitempty"`   // that of the check that decided
	Sentence string  `json:"sentence,omitempty"`
	Reason   string  `json:"reason,omitempty"`  // value of a Reason header (RFC 3326, 9410) for the response; "": none
	Verstat  string  `json:"verstat,omitempty"` // TN-Validation-Passed, TN-Validation-Failed or No-TN-Validation
	Attest   string  `json:"attest,omitempty"`  // A, B or C, of a PASSporT that holds
	OrigID   string  `json:"origid,omitempty"`  // and its origid
	Div      string  `json:"div,omitempty"`     // number that a div PASSporT (RFC 8946) which holds says the call was diverted from
	Checks   []Check `json:"checks,omitempty"`  // in the order of looking
}

// Check is one thing that was looked at.
type Check struct {
	Name     string `json:"name"`
	Result   string `json:"result"`           // CheckPass, CheckFail or CheckSkip
	Code     string `json:"code,omitempty"`   // with CheckFail: for the policy, and machines
	Status   int    `json:"status,omitempty"` // with CheckFail: the SIP status that its RFC names; 0: none does
	Reason   string `json:"reason,omitempty"` // with CheckFail: value of a Reason header; "": none
	Evidence string `json:"evidence,omitempty"`
}
