package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// Number is a destination of ours that a flow answers. It comes before Config.Route, and nobody outside may show it, if it is in E.164.
type Number struct {
	Number string `json:"number"` // E.164, "+16062067563", or any other user of a SIP address, as an extension's name
	Name   string `json:"name"`
	Detail string `json:"detail"`
	FlowID string `json:"call_flow_id"` // found by Config.FlowByID when a call comes; "": calls are refused with 404
}

func (d *Directory) numberEntries() *Entries[Number] {
	s := newEntries[Number](d, store.EntryNumber)
	s.name = func(n *Number) string { return n.Number }
	s.check = func(_ string, n *Number) error {
		errs := []error{text("name", n.Name, maxDetail), text("detail", n.Detail, maxDetail), text("call_flow_id", n.FlowID, 255)}
		if strings.HasPrefix(n.Number, "+") {
			a := address.Address{Type: address.TypeTel, Target: n.Number}.Normalize()
			if n.Number = a.Target; !address.IsE164(n.Number) {
				errs = append(errs, fmt.Errorf("number: %.40q is not \"+\" and 7 to 15 digits", n.Number))
			}
		} else if err := address.CheckExtension(n.Number); err != nil {
			errs = append(errs, fmt.Errorf("number: %w", err))
		}
		return errors.Join(errs...)
	}
	s.encode = func(n *Number) ([]byte, error) { return json.Marshal(n) }
	s.decode = func(_ string, b []byte) (n Number, err error) {
		err = json.Unmarshal(b, &n)
		return n, err
	}
	s.indexed = func(n *Number, there bool) { d.regions.count(n.Number, there) }
	return s
}

// regions are the countries of numbers.
type regions struct {
	mu sync.Mutex
	of map[string]int // guarded by mu; how many numbers each has
}

func (r *regions) count(number string, there bool) {
	n, err := address.ParseNumber(number, "")
	if err != nil || n.Region() == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string]int{}
	}
	if there {
		r.of[n.Region()]++
	} else if r.of[n.Region()]--; r.of[n.Region()] <= 0 {
		delete(r.of, n.Region())
	}
}

func (r *regions) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.of))
}

// answered chooses the flow of a call: that of the directory's number, or else what Route says.
func (c *Config) answered(ctx context.Context, in *Incoming) (flow.Program, error) {
	if c.Directory == nil {
		return c.Route(ctx, in)
	}
	n, ok := c.Directory.Numbers.named(in.dialled())
	switch {
	case !ok:
		return c.Route(ctx, in)
	case n.FlowID == "":
		return nil, &Refusal{Status: 404, Code: CodeNoFlow, Sentence: fmt.Sprintf("the number %s has no flow", n.Number)}
	case c.FlowByID == nil:
		return nil, fmt.Errorf("call: number %s: %w", n.Number, errNoFlows)
	}
	p, err := c.FlowByID(ctx, n.FlowID)
	if errors.Is(err, ErrNoFlow) || errors.Is(err, store.ErrNotFound) || err == nil && p == nil {
		return nil, &Refusal{Status: 404, Code: CodeNoFlow, Sentence: fmt.Sprintf("the number %s is for flow %.80q, which there is not", n.Number, n.FlowID)}
	}
	return p, err
}

// dialled is what the caller has dialled: a number in E.164, else the user of its request.
func (in *Incoming) dialled() string {
	if in.Destination.Type == address.TypeTel {
		return in.Destination.Target
	}
	return in.Request.User
}
