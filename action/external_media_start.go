package action

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/callbin/callbin/media"
)

// externalMediaStart forks the leg's sound to a program outside.
type externalMediaStart struct {
	ExternalHost    string            `json:"external_host" doc:"host:port, or the URL of a web socket"`
	URL             string            `json:"url" doc:"the same: ws:, wss:, or tcp: for audiosocket"`
	Protocol        string            `json:"protocol" opt:"enum=twilio|audiosocket|pcm|jambonz|rtp" doc:"what is spoken; empty: what encapsulation and transport say"`
	Encapsulation   string            `json:"encapsulation" opt:"enum=rtp|audiosocket|none,default=rtp" doc:"how the sound is packed"`
	Transport       string            `json:"transport" opt:"enum=udp|tcp|websocket,default=udp" doc:"how it is carried"`
	TransportData   string            `json:"transport_data" doc:"for audiosocket, the UUID that the program gets; empty: that of the call"`
	ConnectionType  string            `json:"connection_type" opt:"default=client" doc:"who connects"`
	Format          string            `json:"format" opt:"default=ulaw" doc:"of the sound, for rtp and for none: ulaw, alaw, slin, slin16, ..."`
	SampleRate      int               `json:"sample_rate" opt:"min=8000,max=192000" doc:"in Hz, where the protocol has several; 0: its usual one"`
	DirectionListen string            `json:"direction_listen" opt:"enum=in|out|both" doc:"what the program hears; with direction_speak empty, too: in"`
	DirectionSpeak  string            `json:"direction_speak" opt:"enum=in|out|both" doc:"who hears the program: out and both are the peer, in (the others of its bridge) is refused; with direction_listen empty, too: out"`
	Parameters      map[string]string `json:"parameters" doc:"told to the program at the start"`
	Auth            string            `json:"auth" doc:"name of credentials in the configuration, for HTTP basic authentication"`
	Wait            bool              `json:"wait" doc:"goes on only when the stream has ended"`
	Data            any               `json:"data" opt:"old" doc:"means nothing"`
}

func (a *externalMediaStart) Shape() Shape {
	s := Shape{Instant: !a.Wait, Result: []string{"external_media_id"}}
	if a.Wait {
		s.Result = append(s.Result, "reason")
	}
	return s
}

func (a *externalMediaStart) Check(c *CheckContext) {
	switch {
	case a.URL != "" && a.ExternalHost != "":
		c.At("url").Errorf("is the same as external_host: only one can be given")
	case a.host() == "":
		c.At("external_host").Errorf("or url is required")
	case !HasVar(a.host()) && !HasVar(a.Protocol):
		key := "external_host"
		if a.URL != "" {
			key = "url"
		}
		if err := checkExternalHost(a.host(), a.protocol()); err != nil {
			c.At(key).Errorf("%v", err)
		}
	}
}

func (a *externalMediaStart) host() string { return cmp.Or(a.URL, a.ExternalHost) }

// protocol is the one that the options mean.
func (a *externalMediaStart) protocol() string {
	switch {
	case a.Protocol == "rtp":
		return rtpOf(a.Format)
	case a.Protocol != "":
		return a.Protocol
	case a.Transport == "websocket" && !strings.HasPrefix(a.Format, "slin"):
		return cmp.Or(a.Format, "ulaw")
	case a.Transport == "websocket":
		return "pcm"
	case a.Encapsulation == "audiosocket":
		return "audiosocket"
	}
	if u, err := url.Parse(a.host()); err == nil && (u.Scheme == "ws" || u.Scheme == "wss") {
		return "pcm"
	}
	return rtpOf(a.Format)
}

func rtpOf(format string) string {
	if format == "alaw" {
		return "rtp/alaw"
	}
	return "rtp"
}

// rate is that of a format such as slin16, where nothing else says one.
func (a *externalMediaStart) rate() int {
	khz, ok := strings.CutPrefix(a.Format, "slin")
	if n, err := strconv.Atoi(cmp.Or(khz, "8")); a.SampleRate == 0 && a.Protocol == "" && a.Transport == "websocket" && ok && err == nil {
		return n * 1000
	}
	return a.SampleRate
}

// checkExternalHost takes what the protocol connects to: the URL of a web socket, or host:port.
func checkExternalHost(host, protocol string) error {
	u, err := url.Parse(host)
	web := err == nil && (u.Scheme == "ws" || u.Scheme == "wss") && u.Host != ""
	switch protocol {
	case "twilio", "pcm", "ulaw", "alaw", "jambonz":
		switch {
		case !web:
			return fmt.Errorf("must be a ws: or wss: URL for protocol %s, not %.80q", protocol, host)
		case u.User != nil:
			return fmt.Errorf("must not hold a password, which would be seen in traces: name one of the configuration with auth")
		}
		return nil
	case "audiosocket":
		if err == nil && u.Scheme == "tcp" {
			host = u.Host
		}
	}
	if web {
		return fmt.Errorf("must be host:port for protocol %s, not %.80q", protocol, host)
	}
	name, port, err := net.SplitHostPort(host)
	if n, nerr := strconv.ParseUint(port, 10, 16); err != nil || nerr != nil || n == 0 || name == "" {
		return fmt.Errorf("must be host:port, or a ws: or wss: URL, not %.80q", host)
	}
	return nil
}

func (a *externalMediaStart) Needs(c *CheckContext) { c.Need(CanFork) }

func (a *externalMediaStart) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[ExternalMedia](leg)
	if err != nil {
		return Continue(), err
	}
	if err := checkExternalHost(a.host(), a.protocol()); err != nil {
		return Continue(), fmt.Errorf("action: external_media_start: external_host %w", err)
	}
	got, err := l.StartExternalMedia(ctx, ExternalMediaOptions{
		Host:           a.host(),
		Protocol:       a.protocol(),
		Encapsulation:  cmp.Or(a.Encapsulation, "rtp"),
		Transport:      cmp.Or(a.Transport, "udp"),
		TransportData:  a.TransportData,
		ConnectionType: cmp.Or(a.ConnectionType, "client"),
		Format:         cmp.Or(a.Format, "ulaw"),
		Listen:         media.Direction(a.DirectionListen),
		Speak:          media.Direction(a.DirectionSpeak),
		SampleRate:     a.rate(),
		Parameters:     maps.Clone(a.Parameters),
		Auth:           a.Auth,
		Wait:           a.Wait,
	})
	if err != nil {
		return Continue(), err
	}
	if a.Wait {
		return Resulting("external_media_id", got.ID, "reason", got.Reason), nil
	}
	return Resulting("external_media_id", got.ID), nil
}
