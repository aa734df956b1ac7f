package address

import (
	"slices"

	"github.com/nyaruka/phonenumbers"
)

// Kind is what a numbering plan uses a number for, which is what decides about its price.
type Kind string

const (
	KindUnknown    Kind = ""     // no plan has assigned it
	KindFixed      Kind = "line" // where a plan does not tell mobile numbers apart (NANP), those, too
	KindMobile     Kind = "mobile"
	KindTollFree   Kind = "toll_free"
	KindOther      Kind = "other"       // VoIP, company-wide, pagers, voicemail
	KindSharedCost Kind = "shared_cost" // +808 and national ones
	KindPersonal   Kind = "personal"    // a number for life, that leads anywhere: +878 and national ones
	KindNetwork    Kind = "network"     // +882, +883: international networks, which are no country's
	KindSatellite  Kind = "satellite"   // +870 Inmarsat, +881 GMSS, and those of +882
	KindPremium    Kind = "premium"     // +979 and national ones
)

// beyond are the country codes of ITU-T E.164 that belong to no country, and of whose numbers it is known what they cost.
var beyond = map[int]Kind{800: KindTollFree, 808: KindSharedCost, 870: KindSatellite, 878: KindPersonal, 881: KindSatellite, 882: KindNetwork, 883: KindNetwork, 979: KindPremium}

// satellites are the satellite networks within +882 (ITU operational bulletin, assigned identification codes).
var satellites = []string{"+88213", "+88216"}

// Kind asks the numbering plans what n is used for. It takes some microseconds.
func (n Number) Kind() Kind {
	for _, p := range satellites {
		if len(n.e164) > len(p) && n.e164[:len(p)] == p {
			return KindSatellite
		}
	}
	if k, ok := beyond[n.country]; ok {
		return k
	}
	if !n.IsValid() {
		return KindUnknown
	}
	p, err := phonenumbers.Parse(n.e164, "")
	if err != nil {
		return KindUnknown
	}
	switch phonenumbers.GetNumberType(p) {
	case phonenumbers.FIXED_LINE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return KindFixed
	case phonenumbers.MOBILE:
		return KindMobile
	case phonenumbers.TOLL_FREE:
		return KindTollFree
	case phonenumbers.PREMIUM_RATE:
		return KindPremium
	case phonenumbers.SHARED_COST:
		return KindSharedCost
	case phonenumbers.PERSONAL_NUMBER:
		return KindPersonal
	case phonenumbers.UNKNOWN:
		return KindUnknown
	}
	return KindOther
}

// Country is Region where the number alone proves it: of several countries that share a code (+1, +7, +44, +590...) the
// plan has to have assigned the number to that one, or else it is "": a number that could be anybody's is nobody's.
func (n Number) Country() string {
	if n.IsValid() || len(phonenumbers.GetRegionCodesForCountryCode(n.country)) == 1 {
		return n.region
	}
	return ""
}

// IsCountry tells whether region is the ISO 3166 code of a country with a numbering plan, in capitals.
func IsCountry(region string) bool { return phonenumbers.GetCountryCodeForRegion(region) != 0 }

// IsShort tells whether s is a short number, as of emergency services and directories: 2 to 6 digits, which mean something in
// one country, or at one provider, only. A number that begins with 0 is none, but 000 (Australia): it lacks its country.
func IsShort(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[0] == '0' && s != "000" {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// everywhere are the emergency numbers that a mobile phone without a SIM knows (3GPP TS 22.101 10.1.1).
var everywhere = []string{"112", "911", "000", "110", "118", "119", "999"}

// IsEmergency tells whether the short number s calls an emergency service in the country region, or, where that is "", is one of those
// that phones take for one everywhere.
func IsEmergency(s, region string) bool {
	if !IsShort(s) {
		return false
	}
	if region == "" {
		return slices.Contains(everywhere, s)
	}
	return phonenumbers.IsEmergencyNumber(s, region)
}
