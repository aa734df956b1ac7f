package action

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/callbin/callbin/media"
)

// externalMediaStart forks the leg's sound to a program outside.
type externalMediaStart struct {
	ExternalHost    string `json:"external_host" opt:"required" doc:"host:port, or the URL of a web socket"`
	Encapsulation   string `json:"encapsulation" opt:"enum=rtp|audiosocket|none,default=rtp" doc:"how the sound is packed"`
	Transport       string `json:"transport" opt:"enum=udp|tcp|websocket,default=udp" doc:"how it is carried"`
	TransportData   string `json:"transport_data" doc:"for the transport"`
	ConnectionType  string `json:"connection_type" opt:"default=client" doc:"who connects"`
	Format          string `json:"format" opt:"default=ulaw" doc:"of the sound"`
	DirectionListen string `json:"direction_listen" opt:"enum=in|out|both" doc:"what is sent"`
	DirectionSpeak  string `json:"direction_speak" opt:"enum=in|out|both" doc:"where what comes back goes"`
	Data            any    `json:"data" opt:"old" doc:"means nothing"`
}

func (a *externalMediaStart) Shape() Shape {
	return Shape{Instant: true, Result: []string{"external_media_id"}}
}

func (a *externalMediaStart) Check(c *CheckContext) {
	if a.ExternalHost != "" && !HasVar(a.ExternalHost) {
		if err := checkExternalHost(a.ExternalHost); err != nil {
			c.At("external_host").Errorf("%v", err)
		}
	}
}

// checkExternalHost takes host:port, or the URL of a web socket.
func checkExternalHost(host string) error {
	if u, err := url.Parse(host); err == nil && (u.Scheme == "ws" || u.Scheme == "wss") && u.Host != "" {
		return nil
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
	if err := checkExternalHost(a.ExternalHost); err != nil {
		return Continue(), fmt.Errorf("action: external_media_start: external_host %w", err)
	}
	id, err := l.StartExternalMedia(ctx, ExternalMediaOptions{
		Host:           a.ExternalHost,
		Encapsulation:  cmp.Or(a.Encapsulation, "rtp"),
		Transport:      cmp.Or(a.Transport, "udp"),
		TransportData:  a.TransportData,
		ConnectionType: cmp.Or(a.ConnectionType, "client"),
		Format:         cmp.Or(a.Format, "ulaw"),
		Listen:         media.Direction(a.DirectionListen),
		Speak:          media.Direction(a.DirectionSpeak),
	})
	if err != nil {
		return Continue(), err
	}
	return Resulting("external_media_id", id), nil
}
