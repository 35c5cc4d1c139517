package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/bot/layout"
)

// RefusedFor is how long a kind of block that the workspace refused is not tried again.
const RefusedFor = 30 * 24 * time.Hour

// Notes is durable memory. *runtime.OwnerMemos is one.
type Notes interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	// Note is durable when it returns; an empty value deletes.
	Note(ctx context.Context, key string, value []byte) error
}

// RefusedBlock is a kind of block that the workspace did not take, so that what
// it would show is drawn plainly.
type RefusedBlock struct {
	Kind    string    `json:"kind"`              // "data_table"
	At      time.Time `json:"at"`                // when Slack refused it
	Version string    `json:"version,omitempty"` // the program's that tried
	Said    string    `json:"said,omitempty"`    // Slack's words
}

// refusals are the kinds of blocks that the workspace refuses, as far as that was seen.
type refusals struct {
	mu     sync.Mutex
	notes  Notes
	loaded bool
	kinds  map[string]RefusedBlock
}

// Remember makes what the workspace refuses durable in notes. It is called
// before the first message; without it, every start tries anew.
func (c *Client) Remember(notes Notes) {
	c.refused.mu.Lock()
	defer c.refused.mu.Unlock()
	c.refused.notes, c.refused.loaded = notes, false
}

// refusalsKey is the memo of a workspace.
func refusalsKey(team string) string { return "blocks/" + team }

// RefusedBlocks lists the kinds of blocks that are drawn plainly now, because the
// workspace refused them with this version and in the last 30 days.
func (c *Client) RefusedBlocks(ctx context.Context) ([]RefusedBlock, error) {
	id, err := c.Identity(ctx)
	if err != nil {
		return nil, err
	}
	r := &c.refused
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.load(ctx, id.Team); err != nil {
		return nil, err
	}
	var all []RefusedBlock
	for _, kind := range slices.Sorted(maps.Keys(r.kinds)) {
		if b := r.kinds[kind]; c.stillRefused(b) {
			all = append(all, b)
		}
	}
	return all, nil
}

func (c *Client) stillRefused(b RefusedBlock) bool {
	return b.Version == c.o.Version && c.now().Sub(b.At) < RefusedFor
}

// load reads the memo once. The caller holds mu.
func (r *refusals) load(ctx context.Context, team string) error {
	if r.loaded || r.notes == nil {
		return nil
	}
	value, ok, err := r.notes.Memo(ctx, refusalsKey(team))
	if err != nil {
		return fmt.Errorf("reading which blocks the workspace refuses: %w", err)
	}
	var all []RefusedBlock
	if ok && json.Unmarshal(value, &all) != nil {
		all = nil // it is found again
	}
	if r.kinds == nil {
		r.kinds = map[string]RefusedBlock{}
	}
	for _, b := range all {
		r.kinds[b.Kind] = b
	}
	r.loaded = true
	return nil
}

// refuses returns which kinds are drawn plainly. Where that cannot be looked up, none:
// Slack says it again.
func (c *Client) refuses(ctx context.Context) map[string]bool {
	kinds := map[string]bool{}
	all, err := c.RefusedBlocks(ctx)
	if err != nil {
		c.log.Debug("cannot look up which blocks the workspace refuses", "error", err)
	}
	for _, b := range all {
		kinds[b.Kind] = true
	}
	return kinds
}

// noteRefused remembers kinds that the workspace refused while it took the same without them.
func (c *Client) noteRefused(ctx context.Context, found map[string]string) {
	id, err := c.Identity(ctx)
	if err != nil {
		return
	}
	r := &c.refused
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kinds == nil {
		r.kinds = map[string]RefusedBlock{}
	}
	for kind, said := range found {
		r.kinds[kind] = RefusedBlock{Kind: kind, At: c.now().UTC(), Version: c.o.Version, Said: said}
		c.log.Warn("the workspace refuses a newer kind of block, drawing it plainly from now on", "kind", kind, "for", RefusedFor, "slack", said)
	}
	if r.notes == nil {
		return
	}
	all := make([]RefusedBlock, 0, len(r.kinds))
	for _, kind := range slices.Sorted(maps.Keys(r.kinds)) {
		all = append(all, r.kinds[kind])
	}
	value, err := json.Marshal(all)
	if err == nil {
		err = r.notes.Note(ctx, refusalsKey(id.Team), value)
	}
	if err != nil {
		c.log.Warn("cannot note which blocks the workspace refuses, trying them again after a restart", "error", err)
	}
}

// drawn makes a call with the richest drawing of blocks that the workspace
// takes, as [layout.Either] has it. send makes one call; its error is Slack's own.
// do paces it and explains the error. A kind counts as refused only when the
// same call went through without it: otherwise something else is wrong.
func (c *Client) drawn(ctx context.Context, blocks []slack.Block, do func(call func(context.Context) error) error, send func(ctx context.Context, blocks []slack.Block) error) error {
	var refused map[string]bool
	if hasNewer(blocks) {
		refused = c.refuses(ctx)
	}
	found := map[string]string{}
	for {
		now, kinds := layout.Draw(blocks, func(kind string) bool { return refused[kind] })
		var said *slack.SlackErrorResponse
		err := do(func(ctx context.Context) error {
			said = nil
			err := send(ctx, now)
			var answered slack.SlackErrorResponse
			if errors.As(err, &answered) {
				said = &answered
			}
			return err
		})
		if err == nil && len(found) > 0 {
			c.noteRefused(ctx, found)
		}
		if err == nil || said == nil || len(kinds) == 0 || !aboutBlocks(said.Err) {
			return err
		}
		for _, kind := range blamed(said.ResponseMetadata.Messages, now, kinds) {
			refused[kind] = true
			found[kind] = strings.Join(append([]string{said.Err}, said.ResponseMetadata.Messages...), " ")
		}
	}
}

func hasNewer(blocks []slack.Block) bool {
	return slices.ContainsFunc(blocks, func(b slack.Block) bool { _, ok := b.(*layout.Either); return ok })
}

// aboutBlocks says whether Slack's error may be about a kind of block.
func aboutBlocks(code string) bool {
	return code == "invalid_blocks" || code == "invalid_blocks_format" || code == "invalid_arguments" || code == "block_mismatch"
}

// blamed are the kinds that Slack's messages name, or whose place they name
// ("[json-pointer:/blocks/3/rows]"); all where it does not say.
func blamed(messages []string, drawn []slack.Block, kinds []string) []string {
	var found []string
	for _, m := range messages {
		for _, kind := range kinds {
			if strings.Contains(m, kind) {
				found = append(found, kind)
			}
		}
		if _, rest, ok := strings.Cut(m, "/blocks/"); ok {
			digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
			if i, err := strconv.Atoi(digits); err == nil && i < len(drawn) && slices.Contains(kinds, string(drawn[i].BlockType())) {
				found = append(found, string(drawn[i].BlockType()))
			}
		}
	}
	if len(found) == 0 {
		return kinds
	}
	return found
}

// paced is do for [Client.drawn].
func (c *Client) paced(ctx context.Context, limit time.Duration, method, key string) func(call func(context.Context) error) error {
	return func(call func(context.Context) error) error { return c.doWithin(ctx, limit, method, key, call) }
}

// inLine is do for [Client.drawn] and a message that may be less urgent than an
// answer. What is sent again, drawn plainly, waits for its turn: it has had one.
func (c *Client) inLine(ctx context.Context, t turn) func(call func(context.Context) error) error {
	return func(call func(context.Context) error) error {
		err := c.inTurn(ctx, c.o.Timeout, t, call)
		t.urgency = bot.Answer
		return err
	}
}

// answerPlainly takes the newer kinds out of a view that an acknowledgement brings:
// whether Slack takes it nobody would hear.
func answerPlainly(v any) any {
	if a, ok := v.(*slack.ViewSubmissionResponse); ok && a.View != nil && hasNewer(a.View.Blocks.BlockSet) {
		answer, view := *a, *a.View
		view.Blocks.BlockSet = layout.Plain(view.Blocks.BlockSet)
		answer.View = &view
		return &answer
	}
	return v
}
