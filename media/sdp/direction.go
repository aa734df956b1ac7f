package sdp

// Direction says who sends (RFC 8866 6.7). The zero value stands for SendRecv.
type Direction string

const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

// Sends tells whether the end with direction d sends audio.
func (d Direction) Sends() bool { return d == "" || d == SendRecv || d == SendOnly }

// Receives tells whether the end with direction d receives audio.
func (d Direction) Receives() bool { return d == "" || d == SendRecv || d == RecvOnly }

// direction is the one with which an end sends and receives so.
func direction(sends, receives bool) Direction {
	switch {
	case sends && receives:
		return SendRecv
	case sends:
		return SendOnly
	case receives:
		return RecvOnly
	}
	return Inactive
}

// meet is the direction of an end that wants ours while the other one's is theirs
// (RFC 3264 6.1).
func meet(ours, theirs Direction) Direction {
	return direction(ours.Sends() && theirs.Receives(), ours.Receives() && theirs.Sends())
}
