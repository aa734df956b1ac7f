package address_test

import (
	"testing"

	"github.com/callbin/callbin/call/address"
)

func TestKindAndCountry(t *testing.T) {
	for _, c := range []struct {
		number  string
		kind    address.Kind
		country string
	}{
		{"+4930901820", address.KindFixed, "DE"},
		{"+491701234567", address.KindMobile, "DE"},
		{"+498001234567", address.KindTollFree, "DE"},
		{"+499001234567", address.KindPremium, "DE"},
		{"+491801234567", address.KindSharedCost, "DE"},
		{"+12125550123", address.KindFixed, "US"},
		{"+19002345678", address.KindPremium, "US"}, // where the plan has all of them
		{"+15002345678", address.KindPersonal, "US"},
		{"+18765230123", address.KindFixed, "JM"}, // one ring from there is a classic
		{"+16045550123", address.KindFixed, "CA"},
		{"+18095550123", address.KindFixed, "DO"},
		{"+74951234567", address.KindFixed, "RU"},
		{"+77172123456", address.KindFixed, "KZ"},
		{"+442079460018", address.KindFixed, "GB"},
		{"+441534456789", address.KindFixed, "JE"},
		{"+441624756789", address.KindFixed, "IM"},
		{"+447012345678", address.KindPersonal, "GB"},
		{"+449012345678", address.KindPremium, "GB"},
		{"+447999999", address.KindUnknown, ""}, // could be any of four countries'
		{"+870773111632", address.KindSatellite, ""},
		{"+881612345678", address.KindSatellite, ""},
		{"+8821612345678", address.KindSatellite, ""},
		{"+88310123456789", address.KindNetwork, ""},
		{"+979123456789", address.KindPremium, ""},
		{"+80012345678", address.KindTollFree, ""},
		{"+49100000000", address.KindUnknown, "DE"},
		{"+9991234567", address.KindUnknown, ""},
	} {
		n, err := address.ParseNumber(c.number, "")
		if err != nil {
			t.Errorf("%s: %v", c.number, err)
			continue
		}
		if n.Kind() != c.kind || n.Country() != c.country {
			t.Errorf("%s is %q of %q, want %q of %q", c.number, n.Kind(), n.Country(), c.kind, c.country)
		}
	}
	if !address.IsCountry("DE") || address.IsCountry("de") || address.IsCountry("XX") || address.IsCountry("") {
		t.Error("IsCountry")
	}
}

func TestShortAndEmergencyNumbers(t *testing.T) {
	for s, want := range map[string]bool{"112": true, "11": true, "116117": true, "1": false, "1161170": false, "+112": false, "1 1": false, "": false, "１１２": false, "11a": false, "0301": false, "000": true} {
		if address.IsShort(s) != want {
			t.Errorf("IsShort(%q) is %t", s, !want)
		}
	}
	for _, c := range []struct {
		s, region string
		want      bool
	}{
		{"112", "DE", true}, {"110", "DE", true}, {"911", "DE", false}, {"911", "US", true}, {"999", "GB", true}, {"000", "AU", true},
		{"112", "", true}, {"911", "", true}, {"100", "", false}, {"116117", "DE", false}, {"112 ", "DE", false}, {"1120", "DE", false},
	} {
		if address.IsEmergency(c.s, c.region) != c.want {
			t.Errorf("IsEmergency(%q, %q) is %t", c.s, c.region, !c.want)
		}
	}
	if err := (address.Address{Type: address.TypeTel, Target: "112"}).Validate(); err != nil {
		t.Error(err)
	}
	if err := (address.Address{Type: address.TypeWhatsApp, Target: "112"}).Validate(); err == nil {
		t.Error("a WhatsApp number is short")
	}
}
