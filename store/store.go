package store

import (
	"context"
	"errors"
	"io"
)

// Errors that drivers return, wrapped with the operation and the id.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict with what is stored") // a stale revision, a name that is taken
	ErrInvalid  = errors.New("invalid")                      // the record, filter, token or name; the message says what
	ErrClosed   = errors.New("store is closed")
)

// Calls keeps the records of calls.
type Calls interface {
	// PutCall stores c, whole, in place of what has its ID. ErrInvalid, ErrClosed.
	PutCall(ctx context.Context, c Call) error
	// Call returns the record of one call. ErrNotFound, ErrClosed.
	Call(ctx context.Context, id string) (Call, error)
	// ListCalls returns one page and the token of the next, "" at the end. ErrInvalid, ErrClosed.
	ListCalls(ctx context.Context, f CallFilter) (page []Call, next string, err error)
	// DeleteCall removes the record and the trace of a call. ErrNotFound, ErrClosed.
	DeleteCall(ctx context.Context, id string) error
}

// Recordings keeps the records of recordings; their sound is in Blobs.
type Recordings interface {
	// PutRecording stores r, whole, in place of what has its ID. ErrInvalid, ErrClosed.
	PutRecording(ctx context.Context, r Recording) error
	// Recording returns one record. ErrNotFound, ErrClosed.
	Recording(ctx context.Context, id string) (Recording, error)
	// ListRecordings returns one page and the token of the next, "" at the end. ErrInvalid, ErrClosed.
	ListRecordings(ctx context.Context, f RecordingFilter) (page []Recording, next string, err error)
	// DeleteRecording removes the record, not its blobs. ErrNotFound, ErrClosed.
	DeleteRecording(ctx context.Context, id string) error
}

// Flows keeps flows, whose bodies it does not read.
type Flows interface {
	// PutFlow stores f and returns it as stored, with its new revision and times. f.Rev is the
	// revision that was read, 0 for a new flow. ErrConflict where another one is stored (or
	// none, and f.Rev is not 0), ErrInvalid, ErrClosed.
	PutFlow(ctx context.Context, f Flow) (Flow, error)
	// Flow returns one flow. ErrNotFound, ErrClosed.
	Flow(ctx context.Context, id string) (Flow, error)
	// ListFlows returns one page and the token of the next, "" at the end. ErrInvalid, ErrClosed.
	ListFlows(ctx context.Context, f FlowFilter) (page []Flow, next string, err error)
	// DeleteFlow removes a flow. ErrNotFound, ErrClosed.
	DeleteFlow(ctx context.Context, id string) error
}

// BlobWriter writes a blob. Seeking back and overwriting is allowed, since the
// header of a WAV file is. It belongs to one goroutine.
type BlobWriter interface {
	io.Writer
	io.Seeker
	io.Closer
}

// BlobReader reads a blob; the size is what seeking to its end returns. It belongs
// to one goroutine.
type BlobReader interface {
	io.Reader
	io.Seeker
	io.Closer
}

// Blobs keeps files, such as the sound of recordings.
type Blobs interface {
	// CreateBlob makes an empty blob and opens it for writing. It never overwrites: ErrConflict
	// where the name is taken. ErrInvalid for a name that CheckBlobName refuses, ErrClosed.
	// The end of ctx does not close the writer.
	CreateBlob(ctx context.Context, name string) (BlobWriter, error)
	// OpenBlob opens a blob for reading, also while it is written. ErrNotFound, ErrInvalid, ErrClosed.
	OpenBlob(ctx context.Context, name string) (BlobReader, error)
	// DeleteBlob removes a blob. ErrNotFound, ErrInvalid, ErrClosed.
	DeleteBlob(ctx context.Context, name string) error
}

// Traces keeps what a call consumed and did, one blob of JSON lines a call.
type Traces interface {
	// PutTrace stores the trace of a call in place of an older one. The call need not
	// be stored. ErrInvalid for a bad id, ErrClosed.
	PutTrace(ctx context.Context, callID string, lines []byte) error
	// Trace returns the trace of a call. ErrNotFound, ErrClosed.
	Trace(ctx context.Context, callID string) ([]byte, error)
}

// Store is everything a driver can keep. Closing is for whoever opened it.
type Store interface {
	Calls
	Recordings
	Groupcalls
	Flows
	Blobs
	Traces
	io.Closer
}
