package httpapi

import (
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/store"
)

// Rooms knows the conferences that are up, and makes new ones; *call.Engine does.
type Rooms interface {
	Conference(id string) (*call.Conference, bool)
	Conferences() iter.Seq[*call.Conference]
	CreateConference(o call.ConferenceOptions) (*call.Conference, error)
}

// conferenceRows are what is done with conferences.
func (a *api) conferenceRows() []operation {
	e, ok := a.cfg.Engine.(Rooms)
	if !ok {
		return nil
	}
	c := conferences{a, e, nil}
	c.db, _ = a.cfg.Store.(store.Conferences)
	return []operation{
		op("listConferences", "GET /conferences", "conferences:read", "Conferences, those that are up and those in the store", c.list),
		op("createConference", "POST /conferences", "conferences:write", "Make a conference", c.create).
			tells("It lives until it is deleted, or its time is over. Calls get in by the action conference_join. PINs are never given out."),
		op("getConference", "GET /conferences/{id}", "conferences:read", "One conference", func(r *request, p idParams, _ none) (store.Conference, error) { return c.one(r, p.ID) }),
		op("updateConference", "PUT /conferences/{id}", "conferences:write", "Change a conference", c.update).
			tells("Keys that are not there stay as they are. Who is in stays in: a PIN, a lock or a smaller max_members is for who comes next. timeout counts from the beginning of the conference."),
		op("deleteConference", "DELETE /conferences/{id}", "conferences:write", "End a conference, or forget the record of one that has ended", c.delete).
			tells("Who is in it is put out, and the flows of the calls go on."),
		op("recordConference", "POST /conferences/{id}/recording_start", "conferences:write", "Record a conference: into one file", c.record),
		op("stopRecordingConference", "POST /conferences/{id}/recording_stop", "conferences:write", "End the recording", c.control(func(r *request, f *call.Conference) error {
			return f.StopRecording(r.ctx)
		})).tells("The file is whole when the answer comes."),
		op("lockConference", "POST /conferences/{id}/lock", "conferences:write", "Let moderators in only", c.control(func(_ *request, f *call.Conference) error { return f.Lock() })),
		op("unlockConference", "DELETE /conferences/{id}/lock", "conferences:write", "End that", c.control(func(_ *request, f *call.Conference) error { return f.Unlock() })),
		op("muteConference", "POST /conferences/{id}/mute", "conferences:write", "Mute all but the moderators", c.control(func(_ *request, f *call.Conference) error {
			f.MuteAll(true)
			return nil
		})),
		op("unmuteConference", "DELETE /conferences/{id}/mute", "conferences:write", "End that, but for listeners", c.control(func(_ *request, f *call.Conference) error {
			f.MuteAll(false)
			return nil
		})),
		op("startMohConference", "POST /conferences/{id}/moh", "conferences:write", "Have all hear music, and nobody each other", c.control(func(_ *request, f *call.Conference) error {
			f.SetMusic(true)
			return nil
		})),
		op("stopMohConference", "DELETE /conferences/{id}/moh", "conferences:write", "End that", c.control(func(_ *request, f *call.Conference) error {
			f.SetMusic(false)
			return nil
		})),
	}
}

type conferences struct {
	api   *api
	rooms Rooms
	db    store.Conferences // nil: only those that are up are known
}

type conferenceParams struct {
	pageParams
	Status string `json:"status,omitempty" opt:"enum=progressing|terminating|terminated"`
	Name   string `json:"name,omitempty"`
	timeParams
}

func (c conferences) list(r *request, p conferenceParams, _ none) (list[store.Conference], error) {
	f := store.ConferenceFilter{Status: p.Status, Name: p.Name, Since: p.Since, Until: p.Until, PageSize: p.PageSize, PageToken: p.PageToken}
	var stored, up []store.Conference
	var next string
	var err error
	if c.db != nil {
		if stored, next, err = c.db.ListConferences(r.ctx, f); err != nil {
			return list[store.Conference]{}, err
		}
	}
	for x := range c.rooms.Conferences() {
		if rec := x.Record(); f.Match(&rec) {
			up = append(up, rec)
		}
	}
	page, next, err := merge(stored, next, up, p.PageSize, p.PageToken)
	return listOf(page, next), err
}

func (c conferences) one(r *request, id string) (store.Conference, error) {
	if f, ok := c.rooms.Conference(id); ok {
		return f.Record(), nil
	}
	if c.db == nil {
		return store.Conference{}, notFound("conference", id)
	}
	return c.db.Conference(r.ctx, id)
}

// up is a conference that has not ended.
func (c conferences) up(r *request, id string) (*call.Conference, error) {
	if f, ok := c.rooms.Conference(id); ok {
		return f, nil
	}
	if _, err := c.one(r, id); err != nil {
		return nil, err
	}
	return nil, precondition("ended", "the conference has ended")
}

// control is a handler of what has no body.
func (c conferences) control(do func(r *request, f *call.Conference) error) func(r *request, p idParams, _ none) (store.Conference, error) {
	return func(r *request, p idParams, _ none) (store.Conference, error) {
		f, err := c.up(r, p.ID)
		if err != nil {
			return store.Conference{}, err
		}
		if err := refusedBy(do(r, f)); err != nil {
			return store.Conference{}, err
		}
		return f.Record(), nil
	}
}

// ConferenceBody are the keys of a conference that can be changed, VoIPBIN's, and ours.
type ConferenceBody struct {
	Name       *string            `json:"name,omitempty"`
	Detail     *string            `json:"detail,omitempty" doc:"a description"`
	Timeout    *int64             `json:"timeout,omitempty" opt:"min=0,max=31536000" doc:"seconds from its beginning to its end; 0: none"`
	Data       *map[string]string `json:"data,omitempty" doc:"of the application"`
	PreFlowID  *string            `json:"pre_flow_id,omitempty" doc:"of the flow that each call runs before it is let in"`
	PostFlowID *string            `json:"post_flow_id,omitempty" doc:"of the flow that each call runs after it"`

	PIN                    *string `json:"pin,omitempty" doc:"4 to 16 digits that who wants to join has to type; empty: none"`
	ModeratorPIN           *string `json:"moderator_pin,omitempty" doc:"4 to 16 digits that make who types them a moderator; empty: none"`
	MaxMembers             *int    `json:"max_members,omitempty" opt:"min=0" doc:"more are refused; 0: no limit"`
	Locked                 *bool   `json:"locked,omitempty" doc:"only moderators get in"`
	Role                   *string `json:"role,omitempty" opt:"enum=moderator|participant|listener" doc:"of whose flow and PIN say nothing; default participant"`
	WaitForModerator       *bool   `json:"wait_for_moderator,omitempty" doc:"music, until a moderator is there"`
	EndWhenModeratorLeaves *bool   `json:"end_when_moderator_leaves,omitempty" doc:"the last one"`
	MuteOnEntry            *bool   `json:"mute_on_entry,omitempty" doc:"all but moderators"`
	MusicUntilSecond       *bool   `json:"music_until_second,omitempty" doc:"who is alone hears music"`
	EntryTone              *bool   `json:"entry_tone,omitempty" doc:"the others hear that somebody comes"`
	ExitTone               *bool   `json:"exit_tone,omitempty" doc:"the others hear that somebody goes"`
	RecordNames            *bool   `json:"record_names,omitempty" doc:"who joins is asked for a name, which the room hears in place of the tones"`
	Digits                 *string `json:"digits,omitempty" opt:"enum=drop|relay" doc:"what becomes of keys that members press; default drop"`
	TalkerEvents           *bool   `json:"talker_events,omitempty" doc:"who talks is told, and measured"`
}

// ConferenceCreate is the body of POST /conferences.
type ConferenceCreate struct {
	ID   string `json:"id,omitempty" doc:"none: a new UUID"`
	Type string `json:"type,omitempty" opt:"enum=conference|connect" doc:"connect: for two, and over when one leaves; default conference"`
	ConferenceBody
}

// change is what b makes of the options of a conference.
func (c conferences) change(r *request, b ConferenceBody) (func(*call.ConferenceOptions), error) {
	pre, err := c.api.flowID(r, "/pre_flow_id", b.PreFlowID)
	if err != nil {
		return nil, err
	}
	post, err := c.api.flowID(r, "/post_flow_id", b.PostFlowID)
	return func(o *call.ConferenceOptions) {
		set(&o.Name, b.Name)
		set(&o.Detail, b.Detail)
		if b.Timeout != nil {
			o.Timeout = time.Duration(*b.Timeout) * time.Second
		}
		set(&o.Data, b.Data)
		set(&o.PreFlowID, pre)
		set(&o.PostFlowID, post)
		set(&o.PIN, (*call.PIN)(b.PIN))
		set(&o.ModeratorPIN, (*call.PIN)(b.ModeratorPIN))
		set(&o.MaxMembers, b.MaxMembers)
		set(&o.Locked, b.Locked)
		set(&o.Role, b.Role)
		set(&o.WaitForModerator, b.WaitForModerator)
		set(&o.EndWhenModeratorLeaves, b.EndWhenModeratorLeaves)
		set(&o.MuteOnEntry, b.MuteOnEntry)
		set(&o.MusicUntilSecond, b.MusicUntilSecond)
		set(&o.EntryTone, b.EntryTone)
		set(&o.ExitTone, b.ExitTone)
		set(&o.RecordNames, b.RecordNames)
		set(&o.Digits, b.Digits)
		set(&o.TalkerEvents, b.TalkerEvents)
	}, err
}

func (c conferences) create(r *request, _ none, b ConferenceCreate) (store.Conference, error) {
	change, err := c.change(r, b.ConferenceBody)
	if err != nil {
		return store.Conference{}, err
	}
	o := call.ConferenceOptions{ID: someID(b.ID), Type: b.Type}
	change(&o)
	if d := c.api.directory(); d != nil { // it is there after a restart
		x, err := d.Conferences.Create(r.ctx, o.ID, o)
		if x, err = created(r, x, err); err != nil {
			return store.Conference{}, err
		}
		return c.one(r, x.ID)
	}
	f, err := c.rooms.CreateConference(o)
	if errors.Is(err, call.ErrConferenceExists) {
		return store.Conference{}, &failure{code: http.StatusConflict, status: "ALREADY_EXISTS", reason: "exists", message: plain(err)}
	} else if err != nil {
		return store.Conference{}, r.places(err)
	}
	return f.Record(), nil
}

func (c conferences) update(r *request, p idParams, b ConferenceBody) (store.Conference, error) {
	f, err := c.up(r, p.ID)
	if err != nil {
		return store.Conference{}, err
	}
	change, err := c.change(r, b)
	if err != nil {
		return store.Conference{}, err
	}
	if d := c.api.directory(); d != nil {
		if _, ok := d.Conferences.Get(p.ID); ok {
			if _, err := d.Conferences.Update(r.ctx, p.ID, 0, change); err != nil {
				return store.Conference{}, r.placed(err)
			}
			return f.Record(), nil
		}
	}
	if err := f.Update(change); errors.Is(err, call.ErrBridgeEnded) { // a flow has made it, or the program
		return store.Conference{}, err
	} else if err != nil {
		return store.Conference{}, r.places(err)
	}
	return f.Record(), nil
}

func (c conferences) delete(r *request, p idParams, _ none) (store.Conference, error) {
	f, ok := c.rooms.Conference(p.ID)
	if !ok {
		rec, err := c.one(r, p.ID)
		if err != nil {
			return rec, err
		}
		return rec, c.db.DeleteConference(r.ctx, p.ID)
	}
	if d := c.api.directory(); d != nil {
		if err := d.Conferences.Delete(r.ctx, p.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return f.Record(), err
		}
	}
	f.Terminate()
	return f.Record(), nil
}

// ConferenceRecording says how a conference is recorded.
type ConferenceRecording struct {
	Format       string `json:"format,omitempty" opt:"enum=wav" doc:"wav"`
	Duration     int    `json:"duration,omitempty" opt:"min=0,max=86400" doc:"longest length in seconds; 0: no limit"`
	EndOfSilence int    `json:"end_of_silence,omitempty" opt:"min=0,max=86400" doc:"seconds of silence that end it; 0: none do"`
	OnEndFlowID  string `json:"on_end_flow_id,omitempty" doc:"of the flow that runs after it"`
}

func (c conferences) record(r *request, p idParams, b ConferenceRecording) (store.Conference, error) {
	f, err := c.up(r, p.ID)
	if err != nil {
		return store.Conference{}, err
	}
	if err := c.api.checkFlowID(r, "/on_end_flow_id", b.OnEndFlowID); err != nil {
		return store.Conference{}, err
	}
	_, err = f.StartRecording(r.ctx, action.RecordOptions{
		Format: store.FormatWAV, EndOfSilence: time.Duration(b.EndOfSilence) * time.Second, Duration: time.Duration(b.Duration) * time.Second,
		OnEndFlowID: action.CanonicalID(b.OnEndFlowID),
	})
	if err != nil {
		return store.Conference{}, refusedBy(err)
	}
	return f.Record(), nil
}
