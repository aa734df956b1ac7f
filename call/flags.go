package call

import (
	"errors"
	"flag"
	"time"
)

// Flags are the command line of a server; see AddFlags.
type Flags struct {
	SIP, Media, Ports, Settings string
}

// AddFlags adds -sip, -media, -ports and -config to set, with the defaults of a server that
// is on loopback only. Read the result after set was parsed.
func AddFlags(set *flag.FlagSet) *Flags {
	f := &Flags{}
	set.StringVar(&f.SIP, "sip", "udp://127.0.0.1:5060,tcp://127.0.0.1:5060",
		"SIP addresses, udp:// or tcp://, separated by commas, each with an optional ?advertise=HOST:PORT")
	set.StringVar(&f.Media, "media", "127.0.0.1", "addresses of sound: BIND[=ADVERTISED][,BIND6[=ADVERTISED6]]")
	set.StringVar(&f.Ports, "ports", "10000-31999", "ports of sound, first and last")
	set.StringVar(&f.Settings, "config", "", "settings file (JSON)")
	return f
}

// Config returns what the flags and the settings file say. All faults are reported at once.
func (f *Flags) Config() (Config, Settings, error) {
	var cfg Config
	var s Settings
	errs := make([]error, 4)
	cfg.Listen, errs[0] = ParseListen(f.SIP)
	cfg.RTP.Addrs, errs[1] = ParseMedia(f.Media)
	cfg.RTP.Ports, errs[2] = ParsePorts(f.Ports)
	if f.Settings != "" {
		s, errs[3] = ReadSettings(f.Settings)
	}
	cfg.LocalNets, cfg.Outbound, cfg.Trunks, cfg.Routes = s.LocalNets, s.Outbound, s.Trunks, s.Routes
	cfg.JourneyHeader, cfg.QualityInterval = s.JourneyHeader, time.Duration(s.QualityInterval)
	cfg.Signing.Signer = s.Identity.signer
	s.Registrar.apply(&cfg)
	s.Calls.apply(&cfg)
	s.applyStreams(&cfg)
	cfg.Realm, cfg.Extensions, cfg.Agents = s.Realm, ListExtensions(s.Extensions...), ListAgents(s.Agents...)
	s.Verify.apply(&cfg)
	identity, err := s.newIdentity()
	if identity != nil {
		cfg.Verification.Identity = identity
	}
	errs = append(errs, err)
	cfg.Mailboxes = ListMailboxes(s.Mailboxes...)
	return cfg, s, errors.Join(append(errs, s.applyBudgets(&cfg))...)
}
