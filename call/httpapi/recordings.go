package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/callbin/callbin/store"
)

// recordingRows are what is done with recordings.
func (a *api) recordingRows() []operation {
	if a.cfg.Recordings == nil {
		return nil
	}
	rows := []operation{
		op("listRecordings", "GET /recordings", "recordings:read", "Recordings, also those that run", a.listRecordings),
		op("getRecording", "GET /recordings/{id}", "recordings:read", "One recording", a.getRecording),
		op("deleteRecording", "DELETE /recordings/{id}", "recordings:write", "Forget a recording, and its sound", a.deleteRecording),
	}
	if a.cfg.Blobs != nil {
		rows = append(rows, op("getRecordingFile", "GET /recordingfiles/{id}", "recordings:read", "The sound of a recording", a.recordingFile).gives("audio/wav").tagged().
			tells("A WAV file, or the part of it that Range asks for. One that runs still is as long as it is now."))
	}
	return rows
}

type recordingParams struct {
	pageParams
	Status      string `json:"status,omitempty" opt:"enum=initiating|recording|stopping|ended"`
	ReferenceID string `json:"reference_id,omitempty" doc:"id of the call or conference"`
	JourneyID   string `json:"journey_id,omitempty"`
	timeParams
}

func (a *api) listRecordings(r *request, p recordingParams, _ none) (list[store.Recording], error) {
	page, next, err := a.cfg.Recordings.ListRecordings(r.ctx, store.RecordingFilter{
		Status: p.Status, ReferenceID: p.ReferenceID, JourneyID: p.JourneyID, Since: p.Since, Until: p.Until, PageSize: p.PageSize, PageToken: p.PageToken,
	})
	return listOf(page, next), err
}

func (a *api) getRecording(r *request, p idParams, _ none) (store.Recording, error) {
	return a.cfg.Recordings.Recording(r.ctx, p.ID)
}

// deleteRecording removes the files first: a record without files can be deleted again, files without a record by nobody.
func (a *api) deleteRecording(r *request, p idParams, _ none) (store.Recording, error) {
	rec, err := a.cfg.Recordings.Recording(r.ctx, p.ID)
	if err != nil {
		return rec, err
	}
	if rec.Status != store.RecordingEnded {
		return rec, precondition("recording", "it is running: end it first")
	}
	if a.cfg.Blobs != nil {
		for _, f := range rec.Files {
			if err := a.cfg.Blobs.DeleteBlob(r.ctx, f.Name); err != nil && !errors.Is(err, store.ErrNotFound) {
				return rec, err
			}
		}
	}
	return rec, a.cfg.Recordings.DeleteRecording(r.ctx, p.ID)
}

// fileParams choose the file of a recording that has several.
type fileParams struct {
	idParams
	File int `json:"file,omitempty" opt:"min=0,max=99" doc:"which of its files, from 0"`
}

func (a *api) recordingFile(r *request, p fileParams, _ none) (raw, error) {
	rec, err := a.cfg.Recordings.Recording(r.ctx, p.ID)
	if err != nil {
		return nil, err
	}
	return a.soundOf(r, rec, p.File)
}

// soundOf is the n-th file of a recording.
func (a *api) soundOf(r *request, rec store.Recording, n int) (raw, error) {
	if n >= len(rec.Files) {
		return nil, notFound("file "+strconv.Itoa(n)+" of recording", rec.ID)
	}
	name := rec.Files[n].Name
	blob, err := a.cfg.Blobs.OpenBlob(r.ctx, name)
	if err != nil {
		return nil, err
	}
	size, err := blob.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("httpapi: recording %s: %w", rec.ID, err), blob.Close())
	}
	if err := r.version(fmt.Sprintf("%s-%d", rec.TmUpdate.UTC().Format("20060102150405.000000"), size)); err != nil {
		return nil, errors.Join(err, blob.Close())
	}
	return func(w http.ResponseWriter, req *http.Request) {
		defer blob.Close()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(fileTime)) // not each connection has one
		w.Header().Set("Content-Type", "audio/wav")
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", rec.ID+".wav"))
		http.ServeContent(w, req, "", rec.TmUpdate.Time, blob)
	}, nil
}

// fileTime is how long a file may take to be sent.
const fileTime = 30 * time.Minute
