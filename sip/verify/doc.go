// Package verify finds out whether the caller of an incoming call is who it says, and may call: the first step of every incoming call.
//
// A Verifier, made of a Config, looks at a Caller and gives a Verdict: a list of Checks, each with its result and evidence, and what the Policy
// makes of them: pass, reject with a status, or challenge for a password. A Checker adds checks of other kinds.
//
//	v, err := verify.New(verify.Config{Owned: ours, Policy: verify.Policy{verify.CodeAnonymous: {Do: verify.DoReject}}})
//	verdict := v.Verify(ctx, &verify.Caller{Request: invite, Source: verify.Source(invite, false), Peer: invite.Source})
//
// # The checks, in the order of looking
//
//	scanner        User-Agent of a program that looks for phone systems (Scanners)
//	source         the ACL: networks and trunks
//	asserted       P-Asserted-Identity: believed from trusted trunks, ignored from others (RFC 3325)
//	caller_format  name and number are printable, not too long nor too many; "+" makes an E.164 number
//	caller_number  the number can exist, is assigned, is no number for films, is not the one that is called
//	anonymous      From, its name, Privacy id and user (RFC 3323, 3325, 5079)
//	identity       Config.Identity: PASSporTs (RFC 8224)
//	own_number     no number or extension of ours is shown by somebody outside
//	extension      who looks like an extension and has given no password is none of ours
//	velocity       Config.Checkers: what counts calls comes last
//
// A check that fails has a code, the row of the Policy that says what becomes of the call; Defaults has all rows. The first refusal
// decides, and ends the looking. A challenge waits for the checks after it, which may refuse; who has given a password is not asked again, but looked at.
//
// # Threat model
//
// The attackers are strangers on the network, who write what they like into a request, may forge the source address of a datagram, and may have many
// addresses; callers behind an honest provider, who choose From but not what the provider asserts; and extensions of ours whose password is
// known to them alone. Providers that are declared as trusted are trusted with P-Asserted-Identity, machines of ours (call.Trunk.Trusted) with journeys, too; the
// network between such a machine and us is trusted not to carry forged sources. What is promised, and the test that holds it:
//
//   - Nobody outside shows a number or an extension of ours, however it is written: with separators, parameters or contexts, escaped (twice, too), in national
//     form or with an international prefix, in digits of other scripts, as tel or sip, in From, P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID,
//     Contact (of who comes by no trunk) or the name; at our host in any of its forms. TestOwnNumberVariants, TestOwnNumberInName, TestEveryDigitCounts, and over
//     SIP call.TestSpoofIsKept, call.TestSIPpSpoofs, call.TestFlowsAreOwned. Excused is who is declared, attested with A for that very number, or
//     brings a valid div or our journey back from a machine of ours, and nobody who nearly is: TestOwnNumberExcuses, call.TestOwnJourneyExcuses.
//   - Nobody is an extension of ours without its password: Source gives that type for none else. TestExtensionRule, FuzzVerify, call.TestWhoDials. One
//     extension does not show another one: TestExtensionWithItsPassword.
//   - P-Asserted-Identity counts from trusted trunks only; then the caller is who it names, is judged as such, and stays hidden where Privacy says so.
//     TestRFC3325_5, call.TestTrustedTrunkAsserts.
//   - Who hides can be refused with 433, and is let in by default: TestRFC5079_3.
//   - Numbers that cannot exist are known as such: TestCallerNumbers. What could break a log or a screen does not get in: TestCallerFormat.
//   - The ACL holds for IPv4 in IPv6 and with zones, and the smallest network counts: TestACL.
//   - The policy does what its rows say, and a question is never an answer: without the right password nobody gets further than the challenge. TestPolicy,
//     call.TestChallenge, call.TestChallengeNeedsAPassword.
//   - Guessing passwords is slow, and gets slower (sip.Lockout): sip.TestLockoutGrows, sip.TestLockoutOfManyNames, call.TestLockoutOverSIP. It locks out nobody
//     who does not answer, answers late, or whose address is forged (sip.TestLockoutCountsWrongAnswersOnly), tells nobody who exists
//     (sip.TestLockoutTellsNobodyWhoExists, sip.TestNobodyLearnsWhoExists), and needs bounded memory (sip.TestLockoutIsBounded).
//   - Scanners that say so get no answer at all: TestScanners, call.TestScannersGetNoAnswer.
//   - A caller is believed whose number is signed by a certificate that leads to a configured anchor, is valid at iat, is in no configured CRL, and whose
//     TNAuthList speaks for the number: for this To, within a minute, once. TestPassportMatrix, TestReplay, TestRevoked. A retargeted call is believed
//     along a whole chain of div: TestDiverted. The URL of a certificate reaches no private address or other port, and no server without end; many calls are one fetch:
//     TestPassportMatrix, TestCertificateIsFetchedOnce, TestFailureIsRemembered. Another implementation agrees on every signature: TestMatrixSecondOpinion,
//     TestFixedVector. Keys are never shown: TestKeyIsNotShown. What we sign says no more than we know: call.TestOutgoingCallsAreSigned.
//   - No more calls pass than a Limit says, however many ask at the same time: TestLimitsHoldExactlyUnderAThousandAtOnce, TestWindowsAtTheirEdges,
//     TestWindowsAgreeWithASlowReference. A flood of made-up callers makes limits tighter, never wider, and memory stays bounded: TestAMillionSourcesKeepTheBound,
//     TestSharedCountersNeverLetMorePass. Short calls and one-ring calls are flagged, and who rang to be called back is not: TestShortCallsAreFlagged,
//     TestWangiriIsNotCalledBack. All that for calls that come in and go out: call.TestVelocityAtBothDoors.
//   - Calls together never spend more than a budget, one whose account has nothing left sends no INVITE, and failed attempts cost nothing:
//     call.TestRandomCoursesKeepTheBudget, call.TestBudgetEndsTheCall, call.TestTransfersKeepTheAccountAndItsBudget, rating.TestLedgerIsExactUnderManyAtOnce.
//   - Nothing is dialled that the policy does not name for who asks, be it by flow, API, REFER or 3xx: call.TestTollFraud, call.TestOutboundRules. On a
//     provider's wire stands the number that was allowed: call.FuzzGate. A number of others is shown to a provider only where it is declared as verified. No fraud
//     rule, limit or budget stops a call for help: call.TestOutboundRules, call.TestHelpIsNotMetered.
//   - No request makes a Verifier panic or give no verdict: FuzzVerify. It costs well below a millisecond: BenchmarkVerify.
//   - What was found out stands in the call's record, also of refused ones, in its events, its trace and the variables of its flow: call.TestSpoofIsKept,
//     call.TestFlowReadsTheVerdict; the refusal, or what comes before the answer, carries the Reason of a check (RFC 9410): call.TestReasonOfACheck.
//
// And what is not:
//
//   - That a number which is not ours is the caller's: that takes a PASSporT (Config.Identity), or a provider that can be believed.
//   - That a trunk is who it is: it is known by its source address, which can be forged on UDP by who needs no answer. Use networks that others cannot send from.
//   - That scanners are found which call themselves otherwise; the other checks are for those.
//   - That a number without country is ours where it means one in a country that neither Config.Regions nor the called number names.
//   - Look-alikes of names, as of a bank; numbers written in words, or in characters that only look like digits.
//   - That phones behind the same NAT as who guesses the password of the same name are not locked out with it.
//   - That an attested caller is honest, or that a service provider code owns a number. CRLs are neither fetched nor checked for age; a replay beyond 65,536
//     newer PASSporTs, or to another process, is not seen.
//   - That counts and budgets of this package's own survive a restart, or hold for several processes: a host's Accounts may. Calls that are refused do not
//     count; a bucket lets up to twice its Max pass in its first second; who fills all keys can get new callers refused. Patterns are heuristics: who is patient stays
//     below them.
//   - That a provider's bill agrees with our rates, brings a call for help to the right place, or answers at no other host names than `gateways` lists. Loops by way
//     of a provider that strips every trace, and hijacked ranges that stand on no list, are not found.
//   - What a dialog that is up does: verification is of callers, once.
package verify
