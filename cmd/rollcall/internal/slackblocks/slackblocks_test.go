package slackblocks

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// memory is the database.
type memory struct {
	value []byte
	err   error
}

func (m *memory) Memo(context.Context, string) (value []byte, ok bool, err error) {
	return m.value, m.value != nil, nil
}

func (m *memory) Note(_ context.Context, _ string, value []byte) error {
	if m.err == nil {
		m.value = value
	}
	return m.err
}

func TestTheDoctorReadsWhatTheServiceNoted(t *testing.T) {
	dir, db := t.TempDir(), &memory{}
	if got := Read(dir); got != nil {
		t.Errorf("nothing was noted: %v", got)
	}
	n := Notes(db, dir)
	const noted = `[{"kind":"data_table","at":"2026-12-01T10:00:00Z","version":"v1","said":"unsupported type: data_table"}]`
	if err := n.Note(t.Context(), "blocks/T1", []byte(noted)); err != nil {
		t.Fatal(err)
	}
	if value, ok, err := n.Memo(t.Context(), "blocks/T1"); err != nil || !ok || string(value) != noted {
		t.Errorf("the database has %s, %v", value, err)
	}
	got := Read(dir)
	if len(got) != 1 || got[0].Kind != "data_table" || !got[0].At.Equal(time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("the doctor reads %+v", got)
	}
	db.err = errors.New("disk full")
	if n.Note(t.Context(), "blocks/T1", []byte("[]")) == nil || len(Read(dir)) != 1 {
		t.Error("what is not in the database is shown")
	}
	if err := os.WriteFile(shown(dir), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Read(dir); got != nil {
		t.Errorf("a broken file reads as %v", got)
	}
}
