// Package expr compiles the conditions of flows: Expressions is what action.Deps.Expressions
// takes, and condition_expression uses. It stands on github.com/expr-lang/expr, of which it lets
// through what is below and nothing else.
//
//	last.status == "answered" && number(menu.digits) > 3
//	voipbin.call.source.target startsWith "+49" and not has(vip)
//	lower(trim(answer)) in ["yes", "yes please"]
//	var("main-menu.digits") matches "^[1-4]$" ? true : default_open == "true"
//
// # Values
//
// A variable stands by its bare name, dots in it included, without ${}. A name that is not made
// of letters, digits, _ and dots, or begins with a digit, is written var("main-menu.digits").
// The value is always text; a variable that there is not is "", and has(name) tells that from
// one that is empty. Other values are numbers, which count as float64, texts in "double", 'single'
// or `back` quotes, true and false.
//
// Text is never taken for a number by itself: menu.digits > 3 is an error when the flow is
// loaded, number(menu.digits) > 3 is meant. < <= > >= of two texts go by their bytes: "10" < "9".
//
// # Operators and functions
//
//	&& and || or ! not        of true and false; the right side is not looked at where the left decides
//	== != < <= > >=           of two values of one kind; true and false only == !=
//	in, not in                a list in square brackets: last.status in ["busy", "noanswer"]
//	contains startsWith endsWith      of texts, each also with not before it
//	matches                   an RE2 regular expression, a text in quotes; it may match in the middle
//	+ - * / %                 of numbers
//	a ? b : c                 b if a, else c
//
//	number(text)              error if it is no number, as is the empty text
//	number(text, other)       other if it is no number
//	has(name), var(name)      see above; the name is in quotes if it has to be
//	lower upper trim          of text
//	trimPrefix trimSuffix     (text, what)
//	len                       of text, in characters
//	indexOf lastIndexOf       (text, what), -1 if it is not in there
//	abs ceil floor round      of a number
//	min max                   of numbers
//
// There are no loops, no assignments, no lists but behind in, and no clock: a condition says the
// same for the same variables, always.
//
// # Limits
//
// The source, its nesting, its size as a tree and its regular expressions are bounded by the
// constants below, so that a condition that compiles is over soon, whatever the variables hold.
package expr
