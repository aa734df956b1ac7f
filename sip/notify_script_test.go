package sip

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// scriptNotifier is that of the step "notifier"; nil: there is none.
func scriptNotifier(t *testing.T, ar *txtar.Archive, auth *Authenticator) *Notifier {
	t.Helper()
	i := slices.IndexFunc(ar.Files, func(f txtar.File) bool { return f.Name == "notifier" })
	if i < 0 {
		return nil
	}
	cfg := NotifierConfig{Auth: auth, MayWatch: func(_ context.Context, event, watcher, user string) (bool, error) {
		return user == watcher || event == EventPackageDialog && (user == "ann" || user == "bob"), nil
	}}
	for l := range strings.Lines(string(ar.Files[i].Data)) {
		k, v, _ := strings.Cut(strings.TrimSpace(l), ": ")
		n, _ := strconv.Atoi(v)
		switch k {
		case "max_per_user":
			cfg.MaxPerUser = n
		case "max_subscriptions":
			cfg.MaxSubscriptions = n
		default:
			t.Fatalf("no such key: %s", k)
		}
	}
	n, err := NewNotifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// notify is the steps "watch", "messages" and "shutdown".
func (s *scriptRegistrar) notify(t *testing.T, verb string, args []string, content string) {
	t.Helper()
	switch verb {
	case "shutdown":
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		go func() {
			defer cancel()
			s.n.Shutdown(ctx)
		}()
	case "watch":
		s.n.SetDialog(args[0], WatchedDialog{ID: args[1], State: args[2], Initiator: len(args) > 3, RemoteURI: content})
	case "messages":
		var sum MessageSummary
		if _, err := fmt.Sscan(strings.Join(args[1:], " "), &sum.New, &sum.Old, &sum.UrgentNew, &sum.UrgentOld); err != nil {
			t.Fatal(err)
		}
		s.n.SetMessages(args[0], sum)
	}
}

func TestNotifierConfig(t *testing.T) {
	if _, err := NewNotifier(NotifierConfig{MinExpires: 2 * time.Hour, MaxExpires: time.Hour, MaxPerUser: -1}); err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("%v", err)
	}
}
