package expr_test

import (
	"fmt"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow/expr"
)

func ExampleExpressions() {
	c, err := expr.Expressions{}.Compile(`last.status == "answered" && number(menu.digits) > 3`)
	if err != nil {
		fmt.Println(err)
		return
	}
	var vars action.Vars
	for name, value := range map[string]string{"last.status": "answered", "menu.digits": "4"} {
		if err := vars.Set(name, value); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(c.Reads())
	fmt.Println(c.Holds(vars.Lookup))

	_, err = expr.Expressions{}.Compile(`menu.digits > 3`)
	fmt.Println(err)
	// Output:
	// [last.status menu.digits]
	// true <nil>
	// 1:13: menu.digits is a text and 3 a number: write number(menu.digits)
}
