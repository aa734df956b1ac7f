// Package flowtest tests call flows without a network: a scripted caller calls a flow in virtual time, an hour of a
// call takes a few hundredths of a second, and what happens is always the same.
//
//	func TestMenu(t *testing.T) {
//		menu := flowtest.Open(t, "menu.json", flowtest.Config{Cover: 80})
//		menu.Test(t, "sales", `
//			peer +16062067563 answers 4s
//			hears Press 1 for sales
//			press 1
//			dials +16062067563
//			wait 30s
//			hangup`)
//		menu.Test(t, "silence", "hears press 1\nhears press 1\nhears press 1")
//	}
//
// A test of that kind fails where something was expected in vain, the call does not end, or sound or a recording is left
// open, and shows the transcript of the call. More is asked of the Result: who was dialled in which order
// (Result.Dialled), which requests went out with which body (Result.Requests), what was heard, the variables in the end.
//
// # Scripts
//
// A Script is a value and a text, a line for each of its parts. Times are those of time.ParseDuration. Some
// lines say what somebody does, one after the other; at TIME in front lets a line wait until that time
// after the start of the call:
//
//	wait TIME              lets time pass
//	press KEYS             presses keys, 0-9 * # A-D
//	hears TEXT             waits until a sound begins with TEXT in its text or file name, upper or lower case, for
//	                       two minutes at most (Patience); sounds since the last hears line count
//	dials TEXT             so for somebody who is called, by an address as tel:+16062067563
//	requests TEXT          so for a request of HTTP, with TEXT in its method, URL or body
//	says TEXT              speaks, as a transcriber understands it
//	interim TEXT           so, but the transcriber does not know yet
//	transcriber HOW        fails, or ends
//	hangup                 hangs up
//	leave                  what the caller is joined with ends: the other one hangs up
//	skip                   somebody skips the step (call.Call.Skip)
//	continue               somebody continues a block action (call.Call.Continue)
//
// Others say what is around the call, from its start:
//
//	caller ADDRESS         who calls: +16062067563, an extension, sip:user@host
//	called ADDRESS         who is called
//	var NAME=VALUE         a variable
//	peer TARGET answers TIME          who is called by that target answers, TIME after he was called; * is everybody
//	peer TARGET answers TIME presses KEYS [TIME]   so, and presses keys, TIME after the answer, a second without: for the
//	                                  screening of a connect
//	peer TARGET REASON TIME STATUS    refuses, as with busy 2s 486
//	peer TARGET silent                rings for ever, as everybody does without a line
//	peer TARGET unknown               cannot be called
//	http [URL] [TIME] STATUS [BODY]   what a web server answers, after a time: those that begin with URL, always; * is all;
//	                                  without a URL it is the next answer of all that have no line of their own. In place
//	                                  of the status: error (nobody is there), hang (no answer ever comes). Without
//	                                  any line a server answers 200
//	prompt FILE LENGTH [RATE] [after TIME]  a sound file, which is opened after a time; without a line it has two seconds
//	prompt FILE missing    there is none
//	flow ID JSON           a flow for fetch_flow
//	program ID [FAULT]     so, in plain Go
//	conference ID          there is such a conference
//	queue ID answers TIME  an agent of the queue answers; leaves: the caller leaves it without
//	mailbox ID [PIN]       there is such a mailbox, which the PIN opens, and a caller that is the extension of that name
//	message MAILBOX TIME [SOURCE]   a new message of that length is in it
//	orbit ID picked TIME   whom the flow parks there somebody picks up; orbit ID waits: a call waits there for pickup
//	rings EXTENSION        it rings at the extension, for pickup
//	machine TIME VERDICT   what amd finds out, and when: human, machine, notsure, error
//	assistant TIME TEXT|TEXT   the next turn of the assistant, a part each TIME, with END behind it the last one; or error,
//	                       hang
//	send HOW               what becomes of the next message, mail or case: the time it takes, or error, hang
//	recording ID TEXT      the call has such a recording; a transcriber finds TEXT in it, or error, hang
//	leg CAPABILITY FAULT   what becomes of each use: fails, hangs, panics, takes TIME; of answer hangup play echo digits
//	                       connect bridge conference follow listen transcription queue park pickup external speaker prompts mailbox
//	status STATUS          of the call, for condition_call_status
//	begin ID               the flow begins at an action
//	date 2000-12-31 23:59  when the call comes, UTC; without a line it is midnight of 2000-01-01
//	quiet                  leaves the steps out of the transcript
//
// # What it is, and is not
//
// The voice speaks 100 ms a letter. There is neither SIP nor RTP, no codec and no clock of media: calltest.RunScript
// runs the same script over a real engine, and Compare tells whether the same happens within a time. An engine knows
// limits that are not simulated: a call that is not answered ends after ten minutes, another one after
// call.Config.MaxCallDuration. What happens at the same instant in several goroutines happens in an order that is always
// the same; see the transcript for it.
//
// Flow.Files compares transcripts with files (go test -update writes them). Flow.Explore looks for callers who break an
// invariant. Coverage tells what of the flow ran. The package declares the flag -update: a test package that has one of its
// own cannot import it, and may ask Updating instead.
package flowtest
