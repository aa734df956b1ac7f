package rtp

import (
	"encoding/json"
	"testing"
	"time"
)

func TestSnapshotAndRestore(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		first := p.mustHear()
		p.send(1)
		time.Sleep(time.Second)
		st := w.leg.Snapshot()
		b, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		w.leg.Close()
		var back LegState
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		l, err := w.factory.Restore(back, LegConfig{})
		if err != nil {
			t.Fatal(err)
		}
		w.leg = l
		g := p.mustHear()
		if g.ssrc != first.ssrc || g.seq != first.seq+1 || g.from != p.to {
			t.Errorf("%+v after %+v", g, first)
		}
		if d := g.time - first.time; d < 24000-320 || d > 24000+320 {
			t.Errorf("timestamps went on by %d in 3 s", d)
		}
		l.Port().Echo(true)
		p.send(2)
		p.mustHear()
		if _, err := w.factory.Restore(back, LegConfig{}); err == nil {
			t.Error("restored twice on one port")
		}
	})
}
