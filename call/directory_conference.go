package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/store"
)

// storedConference are ConferenceOptions as they are stored, with their PINs; times are milliseconds.
type storedConference struct {
	Name             string                 `json:"name,omitempty"`
	Detail           string                 `json:"detail,omitempty"`
	Data             map[string]string      `json:"data,omitempty"`
	Type             string                 `json:"type,omitempty"`
	Timeout          int64                  `json:"timeout,omitempty"`
	PreFlowID        string                 `json:"pre_flow_id,omitempty"`
	PostFlowID       string                 `json:"post_flow_id,omitempty"`
	PIN              string                 `json:"pin,omitempty"`
	ModeratorPIN     string                 `json:"moderator_pin,omitempty"`
	PINAttempts      int                    `json:"pin_attempts,omitempty"`
	PINTimeout       int64                  `json:"pin_timeout,omitempty"`
	MaxMembers       int                    `json:"max_members,omitempty"`
	Locked           bool                   `json:"locked,omitempty"`
	Role             string                 `json:"role,omitempty"`
	WaitForModerator bool                   `json:"wait_for_moderator,omitempty"`
	EndWhenModerator bool                   `json:"end_when_moderator_leaves,omitempty"`
	MuteOnEntry      bool                   `json:"mute_on_entry,omitempty"`
	MusicUntilSecond bool                   `json:"music_until_second,omitempty"`
	EntryTone        bool                   `json:"entry_tone,omitempty"`
	ExitTone         bool                   `json:"exit_tone,omitempty"`
	EntryToneForAll  bool                   `json:"entry_tone_for_all,omitempty"`
	RecordNames      bool                   `json:"record_names,omitempty"`
	Sounds           ConferenceSounds       `json:"sounds,omitzero"`
	Digits           string                 `json:"digits,omitempty"`
	Menu             map[string]MenuCommand `json:"menu,omitempty"`
	TalkerEvents     bool                   `json:"talker_events,omitempty"`
}

func (o *ConferenceOptions) stored() storedConference {
	return storedConference{
		o.Name, o.Detail, o.Data, o.Type, o.Timeout.Milliseconds(), o.PreFlowID, o.PostFlowID, string(o.PIN), string(o.ModeratorPIN), o.PINAttempts,
		o.PINTimeout.Milliseconds(), o.MaxMembers, o.Locked, o.Role, o.WaitForModerator, o.EndWhenModeratorLeaves, o.MuteOnEntry, o.MusicUntilSecond,
		o.EntryTone, o.ExitTone, o.EntryToneForAll, o.RecordNames, o.Sounds, o.Digits, o.Menu, o.TalkerEvents,
	}
}

func (c *storedConference) options(id string) ConferenceOptions {
	return ConferenceOptions{
		ID: id, Name: c.Name, Detail: c.Detail, Data: c.Data, Type: c.Type, Timeout: time.Duration(c.Timeout) * time.Millisecond, PreFlowID: c.PreFlowID, PostFlowID: c.PostFlowID,
		PIN: PIN(c.PIN), ModeratorPIN: PIN(c.ModeratorPIN), PINAttempts: c.PINAttempts, PINTimeout: time.Duration(c.PINTimeout) * time.Millisecond, MaxMembers: c.MaxMembers,
		Locked: c.Locked, Role: c.Role, WaitForModerator: c.WaitForModerator, EndWhenModeratorLeaves: c.EndWhenModerator, MuteOnEntry: c.MuteOnEntry,
		MusicUntilSecond: c.MusicUntilSecond, EntryTone: c.EntryTone, ExitTone: c.ExitTone, EntryToneForAll: c.EntryToneForAll, RecordNames: c.RecordNames,
		Sounds: c.Sounds, Digits: c.Digits, Menu: c.Menu, TalkerEvents: c.TalkerEvents,
	}
}

func (d *Directory) conferenceEntries() *Entries[ConferenceOptions] {
	s := newEntries[ConferenceOptions](d, store.EntryConference)
	s.check = func(id string, o *ConferenceOptions) error {
		o.ID = id
		errs := []error{text("name", o.Name, maxDetail), text("detail", o.Detail, maxDetail)}
		for _, x := range o.Sounds.all() {
			if x.Source != nil {
				errs = append(errs, errors.New("a sound at hand cannot be stored: it has to have a URL or text"))
			}
		}
		if e := d.engine.Load(); e != nil {
			errs = append(errs, e.checkConference(o))
		}
		return errors.Join(errs...)
	}
	s.encode = func(o *ConferenceOptions) ([]byte, error) { return json.Marshal(o.stored()) }
	s.decode = func(id string, b []byte) (ConferenceOptions, error) {
		var c storedConference
		err := json.Unmarshal(b, &c)
		return c.options(id), err
	}
	s.taken = func(id string) error {
		if e := d.engine.Load(); e != nil {
			if _, ok := e.Confbridge(id); ok {
				return fmt.Errorf("%w: %w", ErrConferenceExists, store.ErrConflict)
			}
		}
		return nil
	}
	s.changed = func(_ context.Context, e *Engine, old, now *Entry[ConferenceOptions], change func(*ConferenceOptions)) error {
		switch {
		case old == nil:
			_, err := e.createConference(now.Value, now.TmCreate)
			return err
		case now == nil:
			if f, ok := e.Conference(old.ID); ok {
				f.Terminate()
			}
			return nil
		}
		f, ok := e.Conference(now.ID)
		if !ok { // it ends just now
			return fmt.Errorf("%w: %w", ErrBridgeEnded, store.ErrNotFound)
		}
		return f.Update(change) // what keys and programs have changed besides stays
	}
	return s
}

// restoreConferences makes those of a directory, as old as they are. What is wrong with one is logged; one whose time is over is forgotten.
func (e *Engine) restoreConferences(all []*Entry[ConferenceOptions]) {
	for _, entry := range all {
		o := entry.Value
		if o.Timeout > 0 && time.Since(entry.TmCreate.Add(o.Timeout)) >= 0 {
			ctx, cancel := context.WithTimeout(e.callCtx, storeTimeout)
			if err := e.cfg.Directory.Conferences.Delete(ctx, entry.ID); err != nil {
				e.log.Error("conference of the directory not forgotten", "conference", entry.ID, "err", err)
			}
			cancel()
			continue
		}
		err := e.checkConference(&o)
		if err == nil {
			e.rooms.mu.Lock()
			f := e.rooms.conference(e, o, entry.TmCreate)
			e.rooms.mu.Unlock()
			f.mu.Lock()
			f.record.TmUpdate = entry.TmUpdate
			f.startTimer(o.Timeout)
			f.mu.Unlock()
			continue
		}
		e.log.Error("conference of the directory not made", "conference", entry.ID, "err", err)
	}
}

// endedConference lets the directory forget one that has ended, but for the reason that the engine stops.
func (e *Engine) endedConference(id string) {
	d := e.cfg.Directory
	if d == nil || e.draining.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := d.Conferences.Delete(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		e.log.Error("conference of the directory not forgotten", "conference", id, "err", err)
	}
}
