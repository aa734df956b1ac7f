// Package mail sends the e-mails of flows over SMTP.
//
// There is one type. A [Sender] is an [action.MailSender] that hands each mail to one
// server, the operator's own or a provider's:
//
//	s, err := mail.New(mail.Config{
//		Addr: "smtp.example.com:587", Username: "callbin", Password: password,
//		From: "Callbin <callbin@example.com>",
//	})
//	err = s.SendMail(ctx, action.Mail{
//		Destinations: []address.Address{{Type: address.TypeEmail, Target: "ann@example.com", TargetName: "Ann"}},
//		Subject:      "A call for you", Content: "...",
//	})
//
// The connection is encrypted (STARTTLS, or TLS from the start) unless the server is on this
// machine or the config says that it is not. A password goes in clear to this machine only.
//
// What a flow puts into a mail cannot add headers or recipients: names and subjects lose
// their control characters, and are encoded where they are more than short plain ASCII;
// addresses have to be bare ones. Recipients see each other.
//
// Covered: RFC 5321 with STARTTLS (3207), AUTH PLAIN (4954), 8BITMIME, SMTPUTF8 (6531) for
// addresses; RFC 5322; MIME (2045, 2047, 2183, 2231). Not covered: other mechanisms of AUTH,
// DKIM (the server's task), retries and queues (the server's, too), quoted local parts.
package mail
