package mail_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/action/mail"
	"github.com/callbin/callbin/call/address"
)

func ExampleSender() {
	// A local server that knows Ann, but not Bob.
	server := &server{replies: map[string]string{"RCPT TO:<bob@example.com>": "550 no such user"}}
	stop, err := server.listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	s, err := mail.New(mail.Config{Addr: server.addr, From: "Callbin <callbin@example.com>"})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = s.SendMail(context.Background(), action.Mail{
		Destinations: []address.Address{
			{Type: address.TypeEmail, Target: "ann@example.com", TargetName: "Ann"},
			{Type: address.TypeEmail, Target: "bob@example.com"},
		},
		Subject: "Your call",
		Content: "The recording is attached.",
		Attachments: []action.MailAttachment{{
			Name: "call.wav", ContentType: "audio/wav",
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("RIFF...")), nil },
		}},
	})
	fmt.Println(strings.Replace(err.Error(), server.addr, "localhost:25", 1))
	fmt.Println(len(server.mails), "mail was taken")
	// Output:
	// mail: send by localhost:25: recipient bob@example.com: 550 "no such user"
	// 1 mail was taken
}
