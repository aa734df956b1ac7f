package calltest

import (
	"fmt"
	"strconv"
	"strings"
)

// audio is what a phone needs to know of an audio stream in SDP.
type audio struct {
	host      string
	port      int
	formats   []int // payload types in the order of m=
	events    int   // payload type of telephone-event, 0 where there is none
	direction string
}

// parseAudio reads the first audio stream of body.
func parseAudio(body string) audio {
	a := audio{direction: "sendrecv"}
	media := ""
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if m, ok := strings.CutPrefix(line, "m="); ok {
			if media == "audio" {
				break
			}
			f := strings.Fields(m)
			if media = f[0]; media != "audio" || len(f) < 3 {
				continue
			}
			a.port, _ = strconv.Atoi(f[1])
			for _, pt := range f[3:] {
				if n, err := strconv.Atoi(pt); err == nil {
					a.formats = append(a.formats, n)
				}
			}
			continue
		}
		if media != "" && media != "audio" {
			continue
		}
		switch {
		case strings.HasPrefix(line, "c=IN IP"):
			if f := strings.Fields(line); len(f) > 2 {
				a.host = f[2]
			}
		case strings.HasPrefix(line, "a=rtpmap:"):
			pt, name, _ := strings.Cut(line[len("a=rtpmap:"):], " ")
			if strings.EqualFold(strings.TrimSpace(name), "telephone-event/8000") {
				a.events, _ = strconv.Atoi(pt)
			}
		case line == "a=sendrecv", line == "a=sendonly", line == "a=recvonly", line == "a=inactive":
			a.direction = line[2:]
		}
	}
	return a
}

func sends(direction string) bool    { return direction == "sendrecv" || direction == "sendonly" }
func receives(direction string) bool { return direction == "sendrecv" || direction == "recvonly" }

// meet is our direction when we want one and the far end another (RFC 3264 6.1).
func meet(wish, far string) string {
	send, receive := sends(wish) && receives(far), receives(wish) && sends(far)
	switch {
	case send && receive:
		return "sendrecv"
	case send:
		return "sendonly"
	case receive:
		return "recvonly"
	}
	return "inactive"
}

// describe writes SDP of one stream at host; version counts the changes.
func describe(host string, port, version, codec, events int, direction string) string {
	family := "IP4"
	if strings.Contains(host, ":") {
		family = "IP6"
	}
	name := map[int]string{0: "PCMU", 8: "PCMA"}[codec]
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=- 1 %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\nm=audio %d RTP/AVP %d", version, family, host, family, host, port, codec)
	if events != 0 {
		fmt.Fprintf(&b, " %d", events)
	}
	fmt.Fprintf(&b, "\r\na=rtpmap:%d %s/8000\r\n", codec, name)
	if events != 0 {
		fmt.Fprintf(&b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-16\r\n", events, events)
	}
	fmt.Fprintf(&b, "a=%s\r\n", direction)
	return b.String()
}
