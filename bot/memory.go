package bot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// memory is what the bot remembers of one execution in chat, or of a pipeline
// as such; one memo, durable before each create and after each change.
type memory struct {
	id  string // of the execution
	key string // of the memo

	Card   spot                `json:"card"`
	Gates  map[string]gateSpot `json:"gates,omitempty"`  // by the gate's token
	Said   map[string]spot     `json:"said,omitempty"`   // announcements, failures, reminders: once each
	LeftBy string              `json:"leftBy,omitempty"` // the rollback by which this execution was left
	Before *known              `json:"before,omitempty"` // a pipeline's memory: as it was before its next edit
}

// spot is one message of ours.
type spot struct {
	Place
	Digest  string `json:"digest,omitempty"`  // of what it shows
	Tried   bool   `json:"tried,omitempty"`   // a create was begun: look before posting
	Refused string `json:"refused,omitempty"` // Slack's last word, said once in the log
}

// gateSpot is a gate message. The gate's last facts stay with it: a new attempt
// replaces them in the execution, perhaps before the closing was rendered.
type gateSpot struct {
	spot
	Stage    string             `json:"stage"`
	Action   string             `json:"action"`
	Attempt  int                `json:"attempt"`
	Gate     workflows.Approval `json:"gate"`
	ClosedAt time.Time          `json:"closedAt,omitzero"`
	Done     bool               `json:"done,omitempty"` // it will not change any more
}

// recall reads what is remembered of an execution; ok is false when nothing is.
func (b *Bot) recall(ctx context.Context, execution string) (m *memory, ok bool, err error) {
	m = &memory{id: execution, key: "execution/" + execution, Gates: map[string]gateSpot{}, Said: map[string]spot{}}
	ok, err = b.read(ctx, m)
	return m, ok, err
}

// recallPipeline reads what is remembered of a pipeline as such.
func (b *Bot) recallPipeline(ctx context.Context, pipeline string) (*memory, error) {
	m := &memory{key: "pipeline/" + pipeline, Said: map[string]spot{}}
	_, err := b.read(ctx, m)
	return m, err
}

func (b *Bot) read(ctx context.Context, m *memory) (ok bool, err error) {
	value, ok, err := b.memos.Memo(ctx, m.key)
	if err != nil || !ok {
		return false, err
	}
	if err := json.Unmarshal(value, m); err != nil {
		return false, fmt.Errorf("what was noted of %s cannot be read: %w", m.key, err)
	}
	return true, nil
}

func (b *Bot) note(ctx context.Context, m *memory) error {
	value, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("note what was posted: %w", err)
	}
	return b.memos.Note(ctx, m.key, value)
}

func digest(m Message) (string, error) {
	value, err := json.Marshal([]any{m.Text, m.Blocks})
	if err != nil {
		return "", fmt.Errorf("draw a message: %w", err)
	}
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:12]), nil
}

// message is one message of an execution on its way to Slack. keep puts its
// spot back into the memory, whatever became of it.
type message struct {
	Message
	mem  *memory
	spot spot
	keep func(spot)
}

// bring brings one message in step: posts it if it is not there, edits it if
// what it shows has changed. What Slack refuses for good is noted, logged once
// and no error; the next event tries again.
func (b *Bot) bring(ctx context.Context, m *message) error {
	sum, err := digest(m.Message)
	if err != nil {
		return err
	}
	if m.spot.TS == "" {
		if err := b.create(ctx, m, sum); err != nil || m.spot.TS == "" {
			return err
		}
	}
	if m.spot.Digest == sum {
		return nil
	}
	if err := b.chat.Edit(ctx, m.spot.Place, m.Message); err != nil {
		return b.refused(ctx, m, err)
	}
	m.spot.Digest, m.spot.Refused = sum, ""
	return b.record(ctx, m)
}

// create posts a message. The marker is durable before, so that after a crash
// in between Slack is asked whether the message arrived; one that did may show
// an older state, so its digest stays unknown.
func (b *Bot) create(ctx context.Context, m *message, sum string) error {
	m.Look = m.spot.Tried
	if !m.Look {
		m.spot.Tried = true
		if err := b.record(ctx, m); err != nil {
			return err
		}
	}
	at, err := b.chat.Post(ctx, m.Message)
	if err != nil {
		if permanent(err) {
			// A first try that was refused certainly left nothing to look for.
			m.spot.Tried = m.Look
		}
		return b.refused(ctx, m, err)
	}
	m.spot.Place, m.spot.Refused = at, ""
	if !m.Look {
		m.spot.Digest = sum
	}
	return b.record(ctx, m)
}

func permanent(err error) bool {
	var no *Refusal
	return errors.As(err, &no)
}

// refused notes what Slack will not do. Anything else may work later and is
// given back.
func (b *Bot) refused(ctx context.Context, m *message, err error) error {
	var no *Refusal
	if !errors.As(err, &no) {
		return err
	}
	if m.spot.Refused != no.Code {
		b.log.Warn("slack refuses a message; it is tried again when something changes",
			"about", m.mem.key, "kind", m.EventType, "channel", m.Channel, "code", no.Code, "hint", no.Hint)
		m.spot.Refused = no.Code
	}
	return b.record(ctx, m)
}

func (b *Bot) record(ctx context.Context, m *message) error {
	m.keep(m.spot)
	return b.note(ctx, m.mem)
}
