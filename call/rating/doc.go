// Package rating knows what calls cost: it finds the rate of a number, works out the price of a call, and keeps accounts from spending more than
// they have. It knows nothing of calls: package call asks it, and a program may, for a quotation.
//
// There are three types: an Amount of money, a Table of Rates, and the Ledger with its Budgets, which is the Accounts of a
// program that has none of its own.
//
//	table, err := rating.ParseCSV(file)
//	rate, ok := table.Find("+442071838750", time.Now())
//	cost, billed := rate.Cost(61 * time.Second)
//
// Money is whole millionths of a unit of its currency, never a float. What does not fit is the greatest Amount: no sum wraps.
package rating
