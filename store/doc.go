// Package store names the records that Callbin keeps and the small interfaces
// that a persistence driver writes.
//
// There are three records, [Call], [Recording] and [Flow], plus blobs (files) and
// traces (one blob of JSON lines a call). Take the small interface you need,
// [Calls] or [Flows], and give the big one, [Store]. Two drivers live here:
// [Memory], for tests and small servers, and [Files], blobs in a directory. Others
// are modules of their own, such as store/sqlite. [Keys] is for drivers that remember
// idempotency keys, too, [Directory] for those that keep what is configured at run time, [Conferences], [Queuecalls] and [Voicemails] for those that keep conferences and the stays in them, stays in queues, and voice
// messages, as memory and SQLite do.
//
//	db := store.Memory()
//	defer db.Close()
//	err := db.PutCall(ctx, store.Call{ID: id, TmCreate: store.At(time.Now())})
//	page, next, err := db.ListCalls(ctx, store.CallFilter{Status: store.StatusHangup})
//
// # Contract of a driver
//
// storetest.Run checks it; a driver that passes is one.
//
//  1. All methods are safe for concurrent use and return once the change is as
//     durable as the driver makes it, and visible to every later read.
//  2. Records are values: a driver keeps nothing of what it was given and hands out
//     nothing that it keeps. It stores what Clean of the record returns.
//  3. PutCall and PutRecording are idempotent by ID: the last one wins, whole.
//     PutFlow and PutEntry alone compare revisions.
//  4. Lists are newest first by (TmCreate, ID). A page has at most PageSize records; the
//     token names the last one, so that rows with equal times are neither lost nor
//     repeated, and rows added meanwhile do not move a page. The token is empty after
//     the last page. A filter matches as its Match does.
//  5. Where ctx has ended the method does nothing more and returns an error matching
//     context.Cause(ctx). A write that was under way may still have happened.
//  6. Errors match ErrNotFound, ErrConflict, ErrInvalid or ErrClosed where their
//     methods say so, and name operation and id. Anything else is the medium's fault.
//  7. Blob names are slash paths that CheckBlobName accepts; whatever it refuses never
//     reaches the medium. A blob can be read while it is written.
//  8. Times are UTC in whole microseconds (see [Time]). Text is UTF-8 without NUL: Clean replaces
//     other bytes by U+FFFD, since not every database can hold them.
//  9. Close waits for what was begun, is idempotent, and every call after it returns ErrClosed.
package store
