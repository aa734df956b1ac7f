package httpapi

import (
	"github.com/callbin/callbin/call"
)

// Phones tells of the phones that are registered; *call.Engine does.
type Phones interface {
	Registrations(extension string) []call.Registration
	DropRegistrations(extension string) int
}

// extensionRows are what is done with extensions and their phones.
func (a *api) extensionRows() []operation {
	d := a.directory()
	if d == nil {
		return nil
	}
	rows := []operation{
		op("listExtensions", "GET /extensions", "extensions:read", "Extensions, those of the settings last", func(_ *request, p pageParams, _ none) (list[Extension], error) {
			return entries(d.Extensions, p, extensionOf)
		}),
		op("createExtension", "POST /extensions", "extensions:write", "Make an extension", func(r *request, _ none, b ExtensionCreate) (Extension, error) {
			x := call.Extension{Name: b.Extension, Password: b.Password}
			b.ExtensionBody.apply(&x)
			e, err := d.Extensions.Create(r.ctx, "", x)
			e, err = created(r, e, err)
			return extensionOf(e), err
		}).tagged().tells("The password is not kept, but what digest authentication makes of it for the realm of the server, and is never given out."),
		op("getExtension", "GET /extensions/{id}", "extensions:read", "One extension", func(r *request, p idParams, _ none) (Extension, error) {
			e, err := entry(r, d.Extensions, "extension", p.ID)
			return extensionOf(e), err
		}).tagged(),
		op("updateExtension", "PUT /extensions/{id}", "extensions:write", "Change an extension", func(r *request, p idParams, b ExtensionUpdate) (Extension, error) {
			old, err := entry(r, d.Extensions, "extension", p.ID)
			if err != nil {
				return Extension{}, err
			}
			e, err := d.Extensions.Update(r.ctx, p.ID, old.Rev, func(x *call.Extension) {
				b.ExtensionBody.apply(x)
				set(&x.Password, b.Password)
			})
			e, err = updated(r, e, err)
			return extensionOf(e), err
		}).tagged().tells("Keys that are not there stay as they are. With another password its phones have to register again."),
		op("deleteExtension", "DELETE /extensions/{id}", "extensions:write", "Forget an extension, and its phones", func(r *request, p idParams, _ none) (Extension, error) {
			e, err := deleted(r, d.Extensions, "extension", p.ID)
			return extensionOf(e), err
		}).tagged(),
	}
	phones, ok := a.cfg.Engine.(Phones)
	if !ok {
		return rows
	}
	return append(rows,
		op("listRegistrations", "GET /extensions/{id}/registrations", "extensions:read", "The phones of an extension that are registered", func(_ *request, p idParams, _ none) (list[call.Registration], error) {
			e, ok := d.Extensions.Get(p.ID)
			if !ok {
				return list[call.Registration]{}, notFound("extension", p.ID)
			}
			return listOf(phones.Registrations(e.Value.Name), ""), nil
		}),
		op("dropRegistrations", "DELETE /extensions/{id}/registrations", "extensions:write", "Forget the phones of an extension: they have to register again", func(_ *request, p idParams, _ none) (none, error) {
			e, ok := d.Extensions.Get(p.ID)
			if !ok {
				return none{}, notFound("extension", p.ID)
			}
			phones.DropRegistrations(e.Value.Name)
			return none{}, nil
		}).with(204))
}

// ExtensionBody are the keys of an extension that can be changed.
type ExtensionBody struct {
	Name        *string `json:"name,omitempty" doc:"for people"`
	Detail      *string `json:"detail,omitempty" doc:"a description"`
	ContactsMax *int    `json:"contacts_max,omitempty" opt:"min=0,max=1000" doc:"phones that may be registered at a time; 0: as configured"`
	Account     *string `json:"account,omitempty" doc:"who pays for its calls"`
}

func (b *ExtensionBody) apply(x *call.Extension) {
	set(&x.Label, b.Name)
	set(&x.Detail, b.Detail)
	set(&x.ContactsMax, b.ContactsMax)
	set(&x.Account, b.Account)
}

// ExtensionCreate is the body of POST /extensions.
type ExtensionCreate struct {
	Extension string `json:"extension" opt:"required" doc:"what is dialled, and the user name of its phones"`
	Password  string `json:"password" opt:"required" doc:"at least 8 bytes"`
	ExtensionBody
}

// ExtensionUpdate is the body of PUT /extensions/{id}.
type ExtensionUpdate struct {
	Password *string `json:"password,omitempty" doc:"at least 8 bytes"`
	ExtensionBody
}

// Extension is an extension, with VoIPBIN's keys but for its password, and ours.
type Extension struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Detail      string `json:"detail"`
	Extension   string `json:"extension"`
	Username    string `json:"username" doc:"that its phones log in with"`
	ContactsMax int    `json:"contacts_max,omitempty"`
	Account     string `json:"account,omitempty"`
	kept
}

func extensionOf(e call.Entry[call.Extension]) Extension {
	x := e.Value
	return Extension{e.ID, x.Label, x.Detail, x.Name, x.Name, x.ContactsMax, x.Account, keptOf(e)}
}
