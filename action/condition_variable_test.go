package action

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestConditions(t *testing.T) {
	ops := []string{"==", "!=", ">", ">=", "<", "<="}
	for _, c := range []struct {
		valueType, variable string
		s                   string
		n                   float64
		length              int
		want                string // which of ops hold, in their order
	}{
		{"string", "b", "b", 0, 0, "100101"},
		{"string", "c", "b", 0, 0, "011100"},
		{"string", "", "", 0, 0, "100101"},
		{"string", "B", "b", 0, 0, "010011"},
		{"number", "10", "", 9, 0, "011100"},
		{"number", " 1e1 ", "", 10, 0, "100101"},
		{"number", "-1", "", 0, 0, "010011"},
		{"number", "", "", 0, 0, "000000"},
		{"number", "ten", "", 10, 0, "000000"},
		{"length", "äöü", "", 0, 3, "100101"},
		{"length", "", "", 0, 1, "010011"},
		{"other", "", "", 0, 0, "000000"},
	} {
		got := ""
		for _, op := range ops {
			a := conditionVariable{Condition: op, Variable: c.variable, ValueType: c.valueType, ValueString: c.s, ValueNumber: c.n, ValueLength: c.length}
			if a.holds() {
				got += "1"
			} else {
				got += "0"
			}
		}
		if got != c.want {
			t.Errorf("%s %q: %v hold as %s, want %s", c.valueType, c.variable, ops, got, c.want)
		}
	}
	if (&conditionVariable{Condition: "=>", ValueType: "string"}).holds() {
		t.Error("an unknown condition holds")
	}
	a := &conditionVariable{Condition: "==", Variable: "x", ValueType: "string", FalseTargetID: nilUUID}
	if o, err := a.Run(t.Context(), nil); !IsFatal(err) || fmt.Sprint(o.Result) != "map[result:false]" {
		t.Errorf("no target: got %+v, %v", o, err)
	}
}

func TestDurationsDoNotOverflow(t *testing.T) {
	if got := units(math.MaxInt, time.Second); got < 24*time.Hour {
		t.Errorf("got %v", got)
	}
	if got := ms(1500); got != 1500*time.Millisecond {
		t.Errorf("got %v", got)
	}
}
