package calltest

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/sip"
)

// Run makes an engine of cfg on network and runs it until the test ends, or stop is
// called. cfg.Listen and the sockets of cfg.RTP are set: SIP is at ServerAddr, on a Loopback at a
// free port of 127.0.0.1 (see Engine.Addrs). At the end no call and, on a Net, no socket of the engine
// may be left.
func Run(t testing.TB, network Network, cfg call.Config) (e *call.Engine, stop func()) {
	t.Helper()
	at := ServerAddr
	if _, ok := network.(Loopback); ok {
		at = netip.MustParseAddrPort("127.0.0.1:0")
	}
	conn, err := network.Listen(at)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listen = []sip.Listen{{Network: "udp", PacketConn: conn}}
	cfg.RTP.Addrs = []rtp.Addr{{Bind: at.Addr()}}
	cfg.RTP.Listen = func(a netip.AddrPort) (rtp.PacketConn, error) { return network.Listen(a) }
	cfg.Shards = media.ShardsConfig{N: 1, Portable: true}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = time.Second
	}
	e, err = call.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := e.Run(ctx); err != nil {
			t.Errorf("calltest: Engine.Run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		done.Wait()
		for c := range e.Calls() {
			t.Errorf("calltest: call %s is left", c.ID())
		}
		if n, ok := network.(*Net); ok {
			for _, a := range n.at(ServerAddr.Addr()) {
				t.Errorf("calltest: the engine's socket %s is open still", a)
			}
		}
	})
	t.Cleanup(stop)
	return e, stop
}
