// Package address holds what a call comes from and goes to.
//
// There are two types. An [Address] is VoIPBIN's {type, target, target_name,
// name, detail}; a [Number] is a telephone number in E.164, parsed once and
// compared by value.
//
//	a, err := address.Parse("+49 30 901820")     // tel:+4930901820
//	a = address.FromSIPUser("conference:6f1c")   // the user part of a request URI
//	n, err := address.ParseNumber("030 901820", "DE")
//	n.String(), n.Region(), n.IsValid()          // "+4930901820", "DE", true
//
// Cost matters in one place: [ParseNumber] asks a table of all numbering plans
// and takes some 10 microseconds, so parse a number once a call. [IsE164],
// [FromSIPUser], [CheckExtension] and Normalize take well below one.
//
// Standards: E.164 (shape, 7 to 15 digits), RFC 3966 (visual separators of tel
// URIs; parameters are not part of the number), RFC 3261 19.1 (which part of a
// SIP URI is the host). Not covered: full SIP URIs, which package sip parses.
package address
