// Package sqlite keeps records in one SQLite file, and blobs in a folder beside it.
// It is the durable default of a single node; it needs no C compiler.
//
// There is one type, [Store]:
//
//	db, err := sqlite.Open("callbin-data/callbin.db", sqlite.Options{})
//	defer db.Close()
//
// Writes of all goroutines go through one writer, which takes whatever waits into one
// transaction: a hundred calls that end together share one wait for the disk. A write returns
// when it is on the disk (write-ahead log, synchronous=FULL); Options.Async and
// Options.Fast trade that for speed.
//
// The file may be read by other programs meanwhile (sqlite3, a report): calls,
// recordings and flows are tables with columns for what is filtered and the record as JSON in body. One
// process writes at a time; a second one that wants to waits for Options.BusyTimeout and fails.
//
// The schema has a version and is brought forward by Open. The statements keep
// to what PostgreSQL understands, too, so that one body of SQL serves both (there, text that is
// ordered needs the collation "C").
package sqlite
