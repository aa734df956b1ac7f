package httpapi

import (
	"cmp"

	"github.com/callbin/callbin/call"
)

// Outbounder tells what may be dialled; *call.Engine does.
type Outbounder interface{ OutboundPolicy() call.Outbound }

// outboundRows are what is asked about what may be dialled. It is changed in the settings: a token must not open the way to what costs money.
func (a *api) outboundRows() []operation {
	e, ok := a.cfg.Engine.(Outbounder)
	if !ok {
		return nil
	}
	return []operation{
		op("getOutboundConfig", "GET /outbound_config", "outbound_config:read", "What may be dialled", func(*request, none, none) (OutboundConfig, error) {
			return outboundConfigOf(e.OutboundPolicy()), nil
		}).tells("What is not named is refused. The lists are those of outbound in the settings, where alone they can be changed."),
	}
}

// OutboundConfig is what may be dialled: VoIPBIN's destination_whitelist, and the rest of the policy.
type OutboundConfig struct {
	DestinationWhitelist []string       `json:"destination_whitelist" doc:"countries (ISO 3166) whose numbers may be dialled by who has no rule of its own"`
	Tel                  []string       `json:"tel" doc:"prefixes of numbers that may be dialled, too"`
	SIP                  []string       `json:"sip" doc:"networks, hosts and addresses that may be dialled"`
	MaxRisk              string         `json:"max_risk" doc:"the highest class of numbers that may be dialled there"`
	Risky                []string       `json:"risky" doc:"prefixes of numbers that may be dialled though their class is higher"`
	Verified             []string       `json:"verified" doc:"numbers that may be shown as calling"`
	Rules                []OutboundRule `json:"rules" doc:"for those who they name, in place of what stands above; the first that fits counts"`
	Deny                 []string       `json:"deny" doc:"what nobody may dial"`
	Gateways             []string       `json:"gateways" doc:"hosts that lead to the telephone network beside the trunks"`
	IRSFCount            int            `json:"irsf_count" doc:"how many prefixes are known for revenue share fraud"`
	Emergency            *Emergency     `json:"emergency,omitempty"`
	Caller               string         `json:"caller,omitempty" doc:"is shown where a number may not be"`
	MaxDiversions        int            `json:"max_diversions"`
	MaxRepeats           int            `json:"max_repeats"`
}

// OutboundRule is what some of those who dial may dial.
type OutboundRule struct {
	Source    string   `json:"source" doc:"extension:NAME, trunk:NAME, agent:ID, flow:ID, outside or program"`
	SIP       []string `json:"sip"`
	Tel       []string `json:"tel"`
	Countries []string `json:"countries"`
	MaxRisk   string   `json:"max_risk"`
	Risky     []string `json:"risky"`
	Verified  []string `json:"verified"`
}

// Emergency says where emergency calls and other short numbers go.
type Emergency struct {
	Country string   `json:"country,omitempty"`
	Numbers []string `json:"numbers"`
	Short   []string `json:"short"`
	Trunks  []string `json:"trunks"`
	Deny    []string `json:"deny"`
}

func outboundConfigOf(o call.Outbound) OutboundConfig {
	out := OutboundConfig{
		DestinationWhitelist: some(o.Countries), Tel: some(o.Tel), SIP: some(o.SIP), MaxRisk: cmp.Or(o.MaxRisk, call.RiskLow), Risky: some(o.Risky), Verified: some(o.Verified),
		Rules: make([]OutboundRule, len(o.Rules)), Deny: some(o.Deny), Gateways: some(o.Gateways), IRSFCount: len(o.IRSF), Caller: o.Caller,
		MaxDiversions: cmp.Or(o.MaxDiversions, call.DefaultMaxDiversions), MaxRepeats: cmp.Or(o.MaxRepeats, call.DefaultMaxRepeats),
	}
	for i, r := range o.Rules {
		out.Rules[i] = OutboundRule{r.Source, some(r.SIP), some(r.Tel), some(r.Countries), cmp.Or(r.MaxRisk, call.RiskLow), some(r.Risky), some(r.Verified)}
	}
	if m := o.Emergency; m != nil {
		out.Emergency = &Emergency{m.Country, some(m.Numbers), some(m.Short), some(m.Trunks), some(m.Deny)}
	}
	return out
}

// some is a list that is not null.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
