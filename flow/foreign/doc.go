// Package foreign reads flows that are written in the languages of other systems, and makes flows of package flow of them:
// TwiML, the XML of Twilio, and NCCO, the JSON of Vonage. What cannot be expressed is left out and listed, each with its line and
// column, as flow.Check lists what is wrong with a flow.
//
//	actions, findings := foreign.ReadTwiML(text, foreign.Options{URL: "https://example.com/voice", File: "voice.xml"})
//
// A Reader is the action.Deps.Foreign of an engine: with it the action fetch takes such documents from web servers, so that an
// application that was written for the other system runs as it is. Its URLs become fetch actions with replace, which ask the
// application with the fields that the other system sends, and run what it answers in place of the document, as it does there.
//
// A document is data from outside: it has limits (MaxElements, depth, flow.MaxSize), entities other than those of XML itself and
// document types are refused, and ${} in its texts is no variable.
//
// # TwiML
//
// Say, Play, Pause, Gather (digits), Dial (numbers, Sip, Client, Conference), Record, Redirect, Hangup, Reject, Enqueue, and
// Connect or Start with Stream. A Gather without finishOnKey ends by #, with an empty one by no key. A number without + is one of North America where it has its
// length, for that is where Twilio takes it to be. Client names are extensions.
//
// # NCCO
//
// talk, stream, input (dtmf), connect (phone, sip, app, vbc), conversation, record and notify.
package foreign
