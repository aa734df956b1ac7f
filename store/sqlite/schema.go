package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
)

// migrations bring a file from version i to i+1. They are never edited, only added to.
// Times are microseconds since 1970. Partial indexes leave out what is mostly empty.
var migrations = [][]string{{
	`CREATE TABLE calls (
		id TEXT PRIMARY KEY,
		tm_create BIGINT NOT NULL,
		status TEXT NOT NULL,
		hangup_reason TEXT NOT NULL,
		direction TEXT NOT NULL,
		journey_id TEXT NOT NULL,
		source TEXT NOT NULL,
		source_name TEXT NOT NULL,
		destination TEXT NOT NULL,
		destination_name TEXT NOT NULL,
		body TEXT NOT NULL
	)`,
	`CREATE INDEX calls_tm ON calls (tm_create, id)`,
	`CREATE INDEX calls_status ON calls (status, tm_create, id)`,
	`CREATE INDEX calls_reason ON calls (hangup_reason, tm_create, id) WHERE hangup_reason <> ''`,
	`CREATE INDEX calls_journey ON calls (journey_id, tm_create, id) WHERE journey_id <> ''`,
	`CREATE INDEX calls_source ON calls (source, tm_create, id) WHERE source <> ''`,
	`CREATE INDEX calls_source_name ON calls (source_name, tm_create, id) WHERE source_name <> ''`,
	`CREATE INDEX calls_destination ON calls (destination, tm_create, id) WHERE destination <> ''`,
	`CREATE INDEX calls_destination_name ON calls (destination_name, tm_create, id) WHERE destination_name <> ''`,
	`CREATE TABLE call_metadata (
		call_id TEXT NOT NULL,
		tm BIGINT NOT NULL,
		name TEXT NOT NULL,
		value TEXT NOT NULL
	)`,
	`CREATE INDEX call_metadata_call ON call_metadata (call_id, name, value)`,
	`CREATE INDEX call_metadata_value ON call_metadata (name, value, tm, call_id)`,
	`CREATE TABLE recordings (
		id TEXT PRIMARY KEY,
		tm_create BIGINT NOT NULL,
		status TEXT NOT NULL,
		reference_id TEXT NOT NULL,
		journey_id TEXT NOT NULL,
		body TEXT NOT NULL
	)`,
	`CREATE INDEX recordings_tm ON recordings (tm_create, id)`,
	`CREATE INDEX recordings_reference ON recordings (reference_id, tm_create, id) WHERE reference_id <> ''`,
	`CREATE INDEX recordings_journey ON recordings (journey_id, tm_create, id) WHERE journey_id <> ''`,
	`CREATE TABLE flows (
		id TEXT PRIMARY KEY,
		tm_create BIGINT NOT NULL,
		tm_update BIGINT NOT NULL,
		rev BIGINT NOT NULL,
		name TEXT NOT NULL,
		detail TEXT NOT NULL,
		body TEXT NOT NULL
	)`,
	`CREATE INDEX flows_tm ON flows (tm_create, id)`,
	`CREATE INDEX flows_name ON flows (name, tm_create, id)`,
	`CREATE TABLE traces (
		call_id TEXT PRIMARY KEY,
		lines BLOB NOT NULL
	)`,
}, {
	`CREATE TABLE keys (
		name TEXT PRIMARY KEY,
		sum TEXT NOT NULL,
		call_id TEXT NOT NULL,
		tm_create BIGINT NOT NULL,
		tm_expire BIGINT NOT NULL
	)`,
	`CREATE INDEX keys_expire ON keys (tm_expire)`,
	`CREATE TABLE groupcalls (
		id TEXT PRIMARY KEY,
		tm_create BIGINT NOT NULL,
		status TEXT NOT NULL,
		master_call_id TEXT NOT NULL,
		journey_id TEXT NOT NULL,
		body TEXT NOT NULL
	)`,
	`CREATE INDEX groupcalls_tm ON groupcalls (tm_create, id)`,
	`CREATE INDEX groupcalls_master ON groupcalls (master_call_id, tm_create, id) WHERE master_call_id <> ''`,
	`CREATE INDEX groupcalls_journey ON groupcalls (journey_id, tm_create, id) WHERE journey_id <> ''`,
}, {
	`CREATE TABLE voicemails (
		id TEXT PRIMARY KEY,
		tm_create BIGINT NOT NULL,
		mailbox_id TEXT NOT NULL,
		status TEXT NOT NULL,
		body TEXT NOT NULL
	)`,
	`CREATE INDEX voicemails_tm ON voicemails (tm_create, id)`,
	`CREATE INDEX voicemails_mailbox ON voicemails (mailbox_id, tm_create, id)`,
	`CREATE TABLE mailboxes (
		id TEXT PRIMARY KEY,
		body TEXT NOT NULL
	)`,
}, {
	`CREATE TABLE queuecalls (
		id TEXT PRIMARY KEY,
		tm_create BIGINT NOT NULL,
		status TEXT NOT NULL,
		queue_id TEXT NOT NULL,
		reference_id TEXT NOT NULL,
		service_agent_id TEXT NOT NULL,
		body TEXT NOT NULL
	)`,
	`CREATE INDEX queuecalls_tm ON queuecalls (tm_create, id)`,
	`CREATE INDEX queuecalls_queue ON queuecalls (queue_id, tm_create, id)`,
	`CREATE INDEX queuecalls_reference ON queuecalls (reference_id, tm_create, id)`,
	`CREATE INDEX queuecalls_agent ON queuecalls (service_agent_id, tm_create, id) WHERE service_agent_id <> ''`,
}, {
	`CREATE TABLE conferences (
		id TEXT PRIMARY KEY,
		tm_create BIGINT NOT NULL,
		status TEXT NOT NULL,
		name TEXT NOT NULL,
		body TEXT NOT NULL
	)`,
	`CREATE INDEX conferences_tm ON conferences (tm_create, id)`,
	`CREATE INDEX conferences_name ON conferences (name, tm_create, id) WHERE name <> ''`,
	`CREATE TABLE conferencecalls (
		id TEXT PRIMARY KEY,
		tm_create BIGINT NOT NULL,
		conference_id TEXT NOT NULL,
		reference_id TEXT NOT NULL,
		journey_id TEXT NOT NULL,
		body TEXT NOT NULL
	)`,
	`CREATE INDEX conferencecalls_tm ON conferencecalls (tm_create, id)`,
	`CREATE INDEX conferencecalls_conference ON conferencecalls (conference_id, tm_create, id) WHERE conference_id <> ''`,
	`CREATE INDEX conferencecalls_reference ON conferencecalls (reference_id, tm_create, id) WHERE reference_id <> ''`,
	`CREATE INDEX conferencecalls_journey ON conferencecalls (journey_id, tm_create, id) WHERE journey_id <> ''`,
}, {
	`ALTER TABLE calls ADD COLUMN account TEXT NOT NULL DEFAULT ''`,
	`CREATE INDEX calls_account ON calls (account, tm_create, id) WHERE account <> ''`,
}, {
	`ALTER TABLE calls ADD COLUMN activeflow_id TEXT NOT NULL DEFAULT ''`,
	`UPDATE calls SET activeflow_id = coalesce(json_extract(body, '$.activeflow_id'), '')`,
	`CREATE INDEX calls_activeflow ON calls (activeflow_id, tm_create, id) WHERE activeflow_id <> ''`,
}, {
	`CREATE TABLE entries (
		kind TEXT NOT NULL,
		id TEXT NOT NULL,
		name TEXT NOT NULL,
		tm_create BIGINT NOT NULL,
		rev BIGINT NOT NULL,
		body TEXT NOT NULL,
		PRIMARY KEY (kind, id)
	)`,
	`CREATE UNIQUE INDEX entries_name ON entries (kind, name) WHERE name <> ''`,
	`CREATE INDEX entries_tm ON entries (kind, tm_create, id)`,
}}

// migrate brings the file to the newest version, in one transaction.
func migrate(ctx context.Context, conn *sql.Conn) (err error) {
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = conn.ExecContext(ctx, query, args...)
		}
	}
	if exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, undo := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, undo)
		}
	}()
	exec(`CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)`)
	if err != nil {
		return err
	}
	var version int
	switch err = conn.QueryRowContext(ctx, `SELECT version FROM schema_version`).Scan(&version); {
	case errors.Is(err, sql.ErrNoRows):
		err = nil
		exec(`INSERT INTO schema_version (version) VALUES (0)`)
	case err != nil:
		return err
	case version > len(migrations):
		return fmt.Errorf("the file has schema version %d, this program knows up to %d: it was made by a newer one", version, len(migrations))
	}
	for ; err == nil && version < len(migrations); version++ {
		for _, statement := range migrations[version] {
			exec(statement)
		}
		if err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", version+1, err)
		}
	}
	exec(`UPDATE schema_version SET version = ?`, version)
	exec("COMMIT")
	return err
}

// indexed is what a column that is only compared holds of a text: the text itself, or its
// hash where it is longer than indexes should carry (PostgreSQL refuses 2.7 kB).
func indexed(s string) string {
	if len(s) <= 256 {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}
