package rtp

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtcp"
)

func TestReportsAsPionReadsThem(t *testing.T) {
	info := &senderInfo{ntp: 0x0102030405060708, time: 9, packets: 10, bytes: 11}
	block := &reportBlock{ssrc: 0xabcdef01, fraction: 13, lost: -3, highest: 15, jitter: 16, lastSR: 17, delay: 18}
	b := appendReport(nil, 7, info, block)
	b = appendSDES(b, 7, "someone@callbin")
	b = appendBYE(b, 7)
	got, err := rtcp.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	want := []rtcp.Packet{
		&rtcp.SenderReport{SSRC: 7, NTPTime: info.ntp, RTPTime: 9, PacketCount: 10, OctetCount: 11,
			Reports: []rtcp.ReceptionReport{{SSRC: 0xabcdef01, FractionLost: 13, TotalLost: 0xfffffd, LastSequenceNumber: 15, Jitter: 16, LastSenderReport: 17, Delay: 18}}},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: 7, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "someone@callbin"}}}}},
		&rtcp.Goodbye{Sources: []uint32{7}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	r, ok := parseRTCP(b, 0xabcdef01)
	if !ok || !r.sr || r.ntp != info.ntp || !r.about || r.block != *block || !r.goodby || r.ssrc != 7 {
		t.Errorf("read back: %+v, %v", r, ok)
	}
	b = appendReport(nil, 7, nil, nil)
	if got, err = rtcp.Unmarshal(b); err != nil || len(got) != 1 || got[0].(*rtcp.ReceiverReport).SSRC != 7 {
		t.Errorf("an RR without blocks: %v, %v", got, err)
	}
}

func TestNTPTime(t *testing.T) {
	got := ntpTime(time.Date(1900, 1, 1, 0, 1, 0, 5e8, time.UTC).AddDate(100, 0, 0))
	if want := uint64(3155673600+60)<<32 | 1<<31; got != want {
		t.Errorf("got %x, want %x", got, want)
	}
}

// FuzzRTCP: what pion reads as a compound packet with a report about us, we read alike.
func FuzzRTCP(f *testing.F) {
	b := appendReport(nil, 7, &senderInfo{ntp: 1}, &reportBlock{ssrc: 5, lost: -1})
	f.Add(appendBYE(appendSDES(b, 7, "x"), 7))
	f.Add(appendReport(nil, 7, nil, &reportBlock{ssrc: 5}))
	f.Add([]byte{0xa0, 201, 0, 2, 0, 0, 0, 7, 0, 0, 0, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok := parseRTCP(b, 5)
		packets, err := rtcp.Unmarshal(b)
		if err != nil || !ok {
			return
		}
		var want *rtcp.ReceptionReport
		for _, p := range packets {
			var list []rtcp.ReceptionReport
			switch p := p.(type) {
			case *rtcp.SenderReport:
				list = p.Reports
			case *rtcp.ReceiverReport:
				list = p.Reports
			}
			for i := range list {
				if list[i].SSRC == 5 {
					want = &list[i]
				}
			}
		}
		if r.about != (want != nil) {
			t.Fatalf("about us: %v, pion %v", r.about, want)
		}
		if want != nil && (r.block.jitter != want.Jitter || uint32(r.block.lost)&0xffffff != want.TotalLost || r.block.lastSR != want.LastSenderReport || r.block.delay != want.Delay || r.block.fraction != want.FractionLost) {
			t.Fatalf("got %+v, pion %+v", r.block, want)
		}
	})
}
