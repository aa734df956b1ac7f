package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/callbin/callbin/store"
)

var _ store.Keys = (*Store)(nil)

// PutKey stores k unless its name is taken; see store.Keys. It is on disk when PutKey returns, with Options.Async, too.
func (s *Store) PutKey(ctx context.Context, k store.Key) (store.Key, error) {
	k, err := k.Clean()
	if err != nil {
		return store.Key{}, err
	}
	if err := s.begin(ctx, "put key", k.Name); err != nil {
		return store.Key{}, err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "put key", id: k.Name}
	var stored store.Key // set by the writer, read after it has answered
	w.do = func(ctx context.Context) error {
		if _, err := s.stmts.dropKeys.ExecContext(ctx, k.TmCreate.Micro()); err != nil {
			return err
		}
		var created, expires int64
		stored = store.Key{Name: k.Name}
		err := s.stmts.getKey.QueryRowContext(ctx, k.Name).Scan(&stored.Sum, &stored.CallID, &created, &expires)
		switch {
		case err == nil:
			stored.TmCreate, stored.TmExpire = store.AtMicro(created), store.AtMicro(expires)
			return nil
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		stored = k
		_, err = s.stmts.putKey.ExecContext(ctx, k.Name, k.Sum, k.CallID, k.TmCreate.Micro(), k.TmExpire.Micro())
		return err
	}
	if err := s.submit(w, false); err != nil {
		return store.Key{}, err
	}
	return stored, nil
}

// DeleteKey removes a key; see store.Keys.
func (s *Store) DeleteKey(ctx context.Context, name string) error {
	if err := s.begin(ctx, "delete key", name); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "delete key", id: name}
	w.do = func(ctx context.Context) error {
		_, err := s.stmts.dropKey.ExecContext(ctx, name)
		return err
	}
	return s.submit(w, false)
}
