package action

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/callbin/callbin/call/address"
)

type ConnectOptions struct {
	Source       address.Address
	Destinations []address.Address
	EarlyMedia   bool
	Anonymous    string
	Timeout      time.Duration
}
type Connected struct {
	CallID  string
	CallIDs []string
	Reason  string
	Status  int
}
type DialOptions struct {
	Source         address.Address
	Destinations   []address.Address
	FlowID         string
	Actions        json.RawMessage
	Chained        bool
	EarlyExecution bool
	Anonymous      string
	Dir            string
}

var ErrNoConference = errors.New("no conference")
