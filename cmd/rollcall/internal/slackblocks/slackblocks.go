// Package slackblocks shows the doctor which kinds of blocks the workspace
// refuses: the service that has the database notes it there, and beside it in
// the data folder.
package slackblocks

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Memory is the durable memory of the service; it is slack.Notes.
type Memory interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	Note(ctx context.Context, key string, value []byte) error
}

// Refused is a kind of block that the workspace refused, and when; the part of
// slack.RefusedBlock that the doctor says.
type Refused struct {
	Kind string
	At   time.Time
}

// shown is the file in the data folder.
func shown(dir string) string { return filepath.Join(dir, "slack-blocks.json") }

// notes are the service's, shown.
type notes struct {
	Memory
	dir string
}

// Notes returns memory in which whatever is noted is also shown in the data folder.
func Notes(inner Memory, dir string) Memory { return notes{inner, dir} }

// Note notes and shows.
func (n notes) Note(ctx context.Context, key string, value []byte) error {
	if err := n.Memory.Note(ctx, key, value); err != nil {
		return fmt.Errorf("noting which blocks Slack refuses: %w", err)
	}
	path := shown(n.dir)
	err := os.WriteFile(path+".new", value, 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("showing which blocks Slack refuses: %w", err)
	}
	return nil
}

// Read returns what the service that uses a data folder has seen the workspace
// refuse, also what it would try again by now; nothing where it has not seen any.
func Read(dir string) []Refused {
	value, err := os.ReadFile(shown(dir))
	var all []Refused
	if err != nil || json.Unmarshal(value, &all) != nil {
		return nil
	}
	return all
}
