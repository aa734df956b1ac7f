// Package sip speaks SIP (RFC 3261) for call applications: an Endpoint receives
// calls on UDP and TCP, a Dialog is one call's signalling.
package sip
