package sip

import (
	"encoding/xml"
	"strings"
)

// States of a WatchedDialog, those of RFC 4235 3.7.1.
const (
	WatchTrying     = "trying"
	WatchEarly      = "early" // it rings
	WatchConfirmed  = "confirmed"
	WatchTerminated = "terminated"
)

// WatchedDialog is what others may see of a call of a user (RFC 4235).
type WatchedDialog struct {
	ID        string // tells the dialogs of a user apart; no secret, and no Call-ID
	Initiator bool   // the user has begun it
	State     string // WatchTrying, WatchEarly, WatchConfirmed or WatchTerminated
	// RemoteURI and RemoteDisplay are the other end; "": it is not to be seen.
	RemoteURI, RemoteDisplay string
}

// maxWatched bounds the dialogs in one document, so that it fits a datagram.
const maxWatched = 20

type dialogInfoXML struct {
	XMLName xml.Name    `xml:"urn:ietf:params:xml:ns:dialog-info dialog-info"`
	Version uint32      `xml:"version,attr"`
	State   string      `xml:"state,attr"`
	Entity  string      `xml:"entity,attr"`
	Dialogs []dialogXML `xml:"dialog"`
}

type dialogXML struct {
	ID        string     `xml:"id,attr"`
	Direction string     `xml:"direction,attr"`
	State     string     `xml:"state"`
	Remote    *remoteXML `xml:"remote"`
}

type remoteXML struct {
	Identity identityXML `xml:"identity"`
	Target   targetXML   `xml:"target"`
}

type identityXML struct {
	Display string `xml:"display,attr,omitempty"`
	URI     string `xml:",chardata"`
}

type targetXML struct {
	URI string `xml:"uri,attr"`
}

// dialogInfo writes the full state of entity (RFC 4235 4).
func dialogInfo(entity string, version uint32, ds []WatchedDialog) ([]byte, error) {
	doc := dialogInfoXML{Version: version, State: "full", Entity: entity}
	for _, d := range ds[:min(len(ds), maxWatched)] {
		x := dialogXML{ID: d.ID, Direction: "recipient", State: d.State}
		if d.Initiator {
			x.Direction = "initiator"
		}
		if d.RemoteURI != "" {
			u, _, _ := strings.Cut(d.RemoteURI, "?")
			x.Remote = &remoteXML{Identity: identityXML{Display: d.RemoteDisplay, URI: u}, Target: targetXML{URI: u}}
		}
		doc.Dialogs = append(doc.Dialogs, x)
	}
	b, err := xml.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return append([]byte(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"), b...), nil
}
