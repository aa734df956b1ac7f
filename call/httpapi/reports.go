package httpapi

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/callbin/callbin/store"
)

// maxReport is how many calls are counted by one request.
const maxReport = 200_000

// reportRows are sums over calls.
func (a *api) reportRows() []operation {
	if a.cfg.Store == nil {
		return nil
	}
	return []operation{
		op("reportCalls", "GET /reports/calls", "reports:read", "Calls of a time, counted", func(r *request, p timeParams, _ none) (CallReport, error) { return a.report(r, p) }).
			tells("Those that are up, too. All calls are counted while the answer is made, at most %d: choose a shorter time where there are more.", maxReport),
		op("reportCallsAsCSV", "GET /reports/calls.csv", "reports:read", "The same as a table", func(r *request, p timeParams, _ none) (raw, error) {
			rep, err := a.report(r, p)
			if err != nil {
				return nil, err
			}
			text := rep.csv()
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/csv; charset=utf-8")
				_, _ = w.Write(text) // the peer is gone: nobody to tell
			}, nil
		}).gives("text/csv").tells("A line for all, with the group \"total\", and one for each value of each group."),
	}
}

// CallReport counts calls: all of them, and by what they have in common. The most frequent values come first; those of calls that are up may be empty.
type CallReport struct {
	Since        store.Time  `json:"since,omitzero"`
	Until        store.Time  `json:"until,omitzero"`
	Total        CallCount   `json:"total"`
	Status       []CallCount `json:"status"`
	Direction    []CallCount `json:"direction"`
	HangupReason []CallCount `json:"hangup_reason"`
	Code         []CallCount `json:"code"`
	Trunk        []CallCount `json:"trunk"`
}

// CallCount are the sums over some calls.
type CallCount struct {
	Value    string           `json:"value,omitempty" doc:"that they have in common; none: they have none"`
	Calls    int64            `json:"calls"`
	Ended    int64            `json:"ended"`
	Answered int64            `json:"answered" doc:"of those that have ended"`
	ASR      float64          `json:"asr" doc:"answer-seizure ratio: answered of ended, 0 to 1"`
	TalkMS   int64            `json:"talk_ms" doc:"from answer to end, all together"`
	ACDMS    int64            `json:"acd_ms" doc:"average call duration: talk_ms of each that was answered"`
	Cost     map[string]int64 `json:"cost,omitempty" doc:"millionths of a unit, by currency"`
}

func (n *CallCount) add(c *store.Call) {
	n.Calls++
	if c.TmHangup.IsZero() {
		return
	}
	n.Ended++
	if !c.TmProgressing.IsZero() {
		n.Answered++
		n.TalkMS += c.TmHangup.Sub(c.TmProgressing.Time).Milliseconds()
		n.ACDMS = n.TalkMS / n.Answered
	}
	n.ASR = float64(n.Answered) / float64(n.Ended)
	if c.Currency != "" {
		if n.Cost == nil {
			n.Cost = map[string]int64{}
		}
		n.Cost[c.Currency] += c.Cost
	}
}

// report counts what is stored and what is up.
func (a *api) report(r *request, p timeParams) (CallReport, error) {
	f := store.CallFilter{Since: p.Since, Until: p.Until}
	up := map[string]store.Call{} // and not in the store
	for c := range a.cfg.Engine.Calls() {
		if rec := c.Record(); rec.ID != "" && f.Match(&rec) {
			up[rec.ID] = rec
		}
	}
	rep := CallReport{Since: p.Since, Until: p.Until}
	var groups [5]map[string]*CallCount
	add := func(c *store.Call) {
		rep.Total.add(c)
		for i, value := range [5]string{c.Status, c.Direction, c.HangupReason, c.Code, c.Trunk} {
			if groups[i] == nil {
				groups[i] = map[string]*CallCount{}
			}
			if groups[i][value] == nil {
				groups[i][value] = &CallCount{Value: value}
			}
			groups[i][value].add(c)
		}
	}
	for {
		page, next, err := a.cfg.Store.ListCalls(r.ctx, f)
		if err != nil {
			return CallReport{}, err
		}
		for i := range page {
			delete(up, page[i].ID)
			add(&page[i])
		}
		if rep.Total.Calls > maxReport {
			return CallReport{}, invalidParam("since", fmt.Errorf("there are more than %d calls: choose a shorter time", maxReport))
		}
		if next == "" {
			break
		}
		f.PageToken = next
	}
	for _, c := range up {
		add(&c)
	}
	for i, list := range []*[]CallCount{&rep.Status, &rep.Direction, &rep.HangupReason, &rep.Code, &rep.Trunk} {
		*list = make([]CallCount, 0, len(groups[i]))
		for _, n := range groups[i] {
			*list = append(*list, *n)
		}
		slices.SortFunc(*list, func(x, y CallCount) int {
			return cmp.Or(cmp.Compare(y.Calls, x.Calls), strings.Compare(x.Value, y.Value))
		})
	}
	return rep, nil
}

func (rep *CallReport) csv() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	line := func(group string, n *CallCount) {
		var cost []string
		for _, currency := range slices.Sorted(maps.Keys(n.Cost)) {
			cost = append(cost, fmt.Sprintf("%.6f %s", float64(n.Cost[currency])/1e6, currency))
		}
		_ = w.Write([]string{ // to memory
			group, n.Value, strconv.FormatInt(n.Calls, 10), strconv.FormatInt(n.Ended, 10), strconv.FormatInt(n.Answered, 10), strconv.FormatFloat(n.ASR, 'f', 4, 64),
			strconv.FormatInt(n.TalkMS, 10), strconv.FormatInt(n.ACDMS, 10), strings.Join(cost, " + "),
		})
	}
	_ = w.Write([]string{"group", "value", "calls", "ended", "answered", "asr", "talk_ms", "acd_ms", "cost"})
	line("total", &rep.Total)
	for _, g := range []struct {
		name string
		list []CallCount
	}{{"status", rep.Status}, {"direction", rep.Direction}, {"hangup_reason", rep.HangupReason}, {"code", rep.Code}, {"trunk", rep.Trunk}} {
		for i := range g.list {
			line(g.name, &g.list[i])
		}
	}
	w.Flush()
	return b.Bytes()
}
