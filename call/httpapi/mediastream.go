package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/coder/websocket"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/stream"
)

func (a *api) streamRows() []operation {
	return []operation{
		op("streamCall", "GET /calls/{id}/media_stream", "calls:write", "The sound of a call, both ways, over a WebSocket that the program opens", a.mediaStream).
			with(http.StatusSwitchingProtocols).ticketed().
			tells("The messages are those of external_media_start, by protocol: pcm is that of Vonage's sockets, twilio that of Twilio Media Streams, jambonz that of its listen verb, rtp has "+
				"one RTP packet in each binary message. At most %d streams of a call at a time; the stream ends with the call.", call.MaxStreams),
	}
}

// mediaStreamParams choose what is heard, and how.
type mediaStreamParams struct {
	ID            string `json:"id"`
	Protocol      string `json:"protocol,omitempty" opt:"enum=pcm|ulaw|alaw|twilio|jambonz|rtp" doc:"default pcm, and rtp where encapsulation says so"`
	Encapsulation string `json:"encapsulation,omitempty" opt:"enum=rtp|none" doc:"VoIPBIN's"`
	SampleRate    int    `json:"sample_rate,omitempty" opt:"min=8000,max=48000" doc:"in Hz; default: the usual one of the protocol"`
	Listen        string `json:"direction_listen,omitempty" opt:"enum=in|out|both" doc:"what is heard; with direction_speak empty, too: in"`
	Speak         string `json:"direction_speak,omitempty" opt:"enum=out" doc:"who hears what is said: out is the peer; with direction_listen empty, too: out"`
	Ticket        string `json:"ticket,omitempty" doc:"of POST /events/tickets, in place of a token"`
}

func (p *mediaStreamParams) protocol() (stream.Protocol, error) {
	name := cmp.Or(p.Protocol, map[string]string{"rtp": "rtp"}[p.Encapsulation], "pcm")
	proto, err := stream.ByName(name, p.SampleRate)
	if err != nil {
		return proto, invalidParam("sample_rate", err)
	}
	return proto, nil
}

func (a *api) mediaStream(r *request, p mediaStreamParams, _ none) (raw, error) {
	proto, err := p.protocol()
	if err != nil {
		return nil, err
	}
	c, err := a.answered(r, p.ID)
	if err != nil {
		return nil, err
	}
	leave, err := a.streams.enter()
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) {
		defer leave()
		socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: a.cfg.Origins, Subprotocols: proto.Subprotocols})
		if err != nil {
			return // it has answered
		}
		defer func() { _ = socket.CloseNow() }()
		ctx, cancel := a.untilOver(context.WithoutCancel(r.Context()))
		defer cancel()
		reason, err := c.ServeExternalMedia(ctx, stream.NewWebSocket(socket), action.ExternalMediaOptions{
			Host: "websocket of " + r.RemoteAddr, Protocol: proto.Name, SampleRate: proto.Rate, Listen: media.Direction(p.Listen), Speak: media.Direction(p.Speak),
		})
		if reason == "" {
			_ = socket.Close(websocket.StatusTryAgainLater, fmt.Sprintf("%.120s", plain(err))) // as much as a frame has room for
		}
	}, nil
}
