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
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// memory is what the bot remembers of one execution in chat, or of a pipeline
// as such; one memo, durable before each create and after each change.
type memory struct {
	id  string // of the execution
	key string // of the memo
	ref string // of the execution or pipeline, for the log; empty where nobody said it

	refusals []undelivered // what Slack refused of it this time, and somebody can mend
	saved    string        // what is durable of it

	Card   spot                `json:"card"`
	In     string              `json:"in,omitempty"`     // the card's channel, as the pipeline named it
	Gates  map[string]gateSpot `json:"gates,omitempty"`  // by the gate's token
	Said   map[string]spot     `json:"said,omitempty"`   // announcements, failures, reminders: once each
	LeftBy string              `json:"leftBy,omitempty"` // the rollback by which this execution was left
	Before *definedBefore      `json:"before,omitempty"` // in the memory of a pipeline: its definition before the next edit, to tell what that edit changed
}

// spot is one message of ours.
type spot struct {
	Place
	Digest string `json:"digest,omitempty"` // of what it shows
	Tried  bool   `json:"tried,omitempty"`  // a create was begun: look before posting
	// Since is when that was; zero in rows that an earlier version wrote.
	Since   time.Time `json:"since,omitzero"`
	Refused string    `json:"refused,omitempty"` // Slack's last word, which somebody can mend; said once in the log
	Live    bool      `json:"live,omitempty"`    // an announcement: it offers the way back from what is live
	Issues  bool      `json:"issues,omitempty"`  // an announcement: it names the issues
	Words   string    `json:"words,omitempty"`   // digest of what Slack takes in words alone: it refuses the blocks for good
	Root    string    `json:"root,omitempty"`    // of a card that was posted anew: the message whose thread it stands in
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
	// Answerable is whether enough people can answer it, as found for AnswerableOf: its votes and its policy.
	Answerable   say.Answerable `json:"answerable,omitzero"`
	AnswerableOf string         `json:"answerableOf,omitempty"`
	// Copies are its direct messages, by Slack user ID.
	Copies map[string]copySpot `json:"copies,omitempty"`
}

// loadMemory reads what is remembered of an execution; ok is false when nothing is.
func (b *Bot) loadMemory(ctx context.Context, execution string) (m *memory, ok bool, err error) {
	m = &memory{id: execution, key: "execution/" + execution, Gates: map[string]gateSpot{}, Said: map[string]spot{}}
	ok, err = b.read(ctx, m)
	return m, ok, err
}

// ExecutionMemos is the memo that is of one execution alone: it goes with it.
func (b *Bot) ExecutionMemos(x *workflows.Execution) []string { return []string{"execution/" + x.ID} }

// loadPipelineMemory reads what is remembered of a pipeline as such.
func (b *Bot) loadPipelineMemory(ctx context.Context, pipeline string) (*memory, error) {
	m := &memory{key: "pipeline/" + pipeline, ref: pipeline, Said: map[string]spot{}}
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
	m.saved = string(value)
	return true, nil
}

func (b *Bot) saveMemory(ctx context.Context, m *memory) error {
	m.saved = ""
	return b.saveChanged(ctx, m)
}

// saveChanged saves a memory that is not durable as it is.
func (b *Bot) saveChanged(ctx context.Context, m *memory) error {
	value, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("note what was posted: %w", err)
	}
	if string(value) == m.saved {
		return nil
	}
	if err := b.memos.Note(ctx, m.key, value); err != nil {
		return err
	}
	m.saved = string(value)
	return nil
}

// about are the attributes of a log line about what is remembered.
func (m *memory) about() []any {
	if m.ref == "" {
		return []any{"about", m.key}
	}
	return words.LogAttrs(m.ref)
}

func sumOf(m Message) (string, error) {
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
	// anew says that a message which was deleted by hand or by retention is posted again.
	anew bool
	// direct says that it is for one person: nobody else hears that Slack refuses it.
	direct bool
}

// sync brings one message in step: posts it if it is not there, edits it if
// what it shows has changed. What Slack refuses is noted, logged once and no
// error: nothing else waits for it. What somebody can mend is tried again by
// the clock; blocks that it will never take are left out.
func (b *Bot) sync(ctx context.Context, m *message) error {
	sum, err := sumOf(m.Message)
	if err != nil {
		return err
	}
	if m.spot.TS == "" && m.spot.Digest == sum {
		return nil // Slack will never take it
	}
	if m.spot.Words == sum {
		m.Message = m.plain()
	}
	if m.spot.TS == "" {
		if err := b.create(ctx, m, sum); err != nil || m.spot.TS == "" {
			return err
		}
	}
	if m.spot.Digest == sum {
		return nil
	}
	edit := func() error { return b.chat.Edit(ctx, m.spot.Place, m.Message) }
	if err = edit(); never(err) && len(m.Blocks) > 0 {
		if err = b.inWords(ctx, m, sum); err == nil {
			err = edit()
		}
	}
	var no *Refusal
	if errors.As(err, &no) && no.Gone && m.anew {
		if m.Thread == "" { // a card: its thread stays, and what hangs in it
			m.spot.Root, m.Thread, m.Broadcast = m.spot.TS, m.spot.TS, true
		}
		m.spot.TS, m.spot.Digest, m.spot.Tried = "", "", false
		return b.create(ctx, m, sum)
	}
	return b.posted(ctx, m, sum, err)
}

// plain is the message in words alone, for blocks that Slack will never take.
func (m *message) plain() Message {
	p := m.Message
	p.Blocks = nil
	return p
}

// posted notes what became of a message: it shows what it should, or never
// will, or will once somebody has mended what Slack refuses. Anything else may
// work later and is given back.
func (b *Bot) posted(ctx context.Context, m *message, sum string, err error) error {
	var no *Refusal
	if err != nil && !never(err) && !(errors.As(err, &no) && no.Gone) {
		return b.refused(ctx, m, err)
	}
	if err != nil && m.spot.Digest != sum {
		b.log.With(m.mem.about()...).Warn("slack will never take this message; it is left as it is", "kind", m.EventType, "channel", m.Channel, "error", err)
	}
	m.spot.Digest, m.spot.Refused = sum, ""
	return b.record(ctx, m)
}

// inWords leaves the blocks out, which Slack will never take. That is noted first: the
// call that was refused has used up its turn, and the next one, which may come much
// later, must not begin with the blocks again.
func (b *Bot) inWords(ctx context.Context, m *message, sum string) error {
	m.spot.Words, m.Message = sum, m.plain()
	return b.record(ctx, m)
}

// create posts a message. The marker is durable before it is sent, so that after a crash
// in between Slack is asked whether the message arrived; one that did may show
// an older state, so its digest stays unknown.
func (b *Bot) create(ctx context.Context, m *message, sum string) error {
	m.Look, m.Since = m.spot.Tried, m.spot.Since
	if !m.Look {
		m.Before = func(ctx context.Context) error {
			if m.spot.Tried {
				return nil
			}
			m.spot.Tried, m.spot.Since = true, b.now()
			return b.record(ctx, m)
		}
	}
	at, err := b.chat.Post(ctx, m.Message)
	if never(err) && len(m.Blocks) > 0 {
		m.spot.Tried = m.Look // what was refused left nothing to look for
		if err = b.inWords(ctx, m, sum); err == nil {
			at, err = b.chat.Post(ctx, m.Message)
		}
	}
	if no := new(Refusal); errors.As(err, &no) && no.Gone && m.Thread != "" { // the thread went with the card
		m.Thread, m.Broadcast, m.spot.Root = "", false, ""
		at, err = b.chat.Post(ctx, m.Message)
	}
	if err != nil {
		if permanent(err) {
			// A first try that was refused certainly left nothing to look for.
			m.spot.Tried = m.Look
		}
		if isPostponed(err) { // nor did one that was not made
			m.spot.Tried = m.Look
			m.keep(m.spot)
		}
		return b.posted(ctx, m, sum, err)
	}
	m.spot.Place = at
	if m.Look {
		sum = ""
	}
	return b.posted(ctx, m, sum, nil)
}

// never says whether Slack refuses the content itself, wherever and whenever it is posted.
func never(err error) bool {
	var no *Refusal
	return errors.As(err, &no) && no.Never
}

func permanent(err error) bool {
	var no *Refusal
	return errors.As(err, &no)
}

// refused notes what Slack will not do until somebody has mended it. Anything
// else may work later and is given back.
func (b *Bot) refused(ctx context.Context, m *message, err error) error {
	var no *Refusal
	if !errors.As(err, &no) {
		return err
	}
	if m.spot.Refused != no.Code && m.direct {
		b.log.With(m.mem.about()...).Warn("slack refuses a direct message; the person is left out", "kind", m.EventType, "to", m.Channel, "code", no.Code, "hint", no.Hint)
	} else if m.spot.Refused != no.Code {
		b.log.With(m.mem.about()...).Warn("slack refuses a message; it is tried again until somebody has mended that",
			"kind", m.EventType, "channel", m.Channel, "code", no.Code, "hint", no.Hint)
	}
	m.spot.Refused = no.Code
	if !m.direct {
		m.mem.refusals = append(m.mem.refusals, undelivered{Channel: m.Channel, Code: no.Code, Fix: no.Hint})
	}
	return b.record(ctx, m)
}

func (b *Bot) record(ctx context.Context, m *message) error {
	m.keep(m.spot)
	return b.saveMemory(ctx, m.mem)
}
