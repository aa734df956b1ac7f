package rating_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/call/rating"
)

func ExampleTable() {
	table, err := rating.ParseCSV(strings.NewReader("prefix,per_minute,currency,fee,initial,increment\n+44,0.10,USD,0.05,30,6\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	rate, _ := table.Find("+442071838750", time.Now())
	cost, billed := rate.Cost(31 * time.Second)
	fmt.Println(cost, rate.Currency, "for", billed, "seconds")
	// Output: 0.11 USD for 36 seconds
}

func ExampleLedger() {
	l, err := rating.NewLedger([]rating.Budget{{Account: "shop", Currency: "USD", PerDay: 5 * rating.Unit}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range []rating.Amount{4 * rating.Unit, 2 * rating.Unit} {
		ok, err := l.Reserve(context.Background(), rating.Reservation{CallID: "1", Account: "shop", Currency: "USD", Amount: n})
		fmt.Println(ok, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}
