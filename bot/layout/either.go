package layout

import (
	"encoding/json"
	"fmt"

	"github.com/slack-go/slack"
)

// Either is a block of one of Slack's newer kinds, and how the same is drawn in
// a workspace that refuses that kind. It stands wherever a block does, in a
// message, a form or an App Home:
//
//	l := layout.View()
//	l.Alert(slack.AlertLevelWarning, "Goes back past a migration")
//	l.Collapsed("12 commits", lines...)
//
// or with a drawing of your own, l.Either(&layout.Either{Rich: …, Plain: …}).
// Nobody but the client of Slack chooses: it posts Rich, posts Plain when Slack
// refuses the kind, and remembers that for the workspace. Both drawings say the
// same, have the same action IDs, and keep to the limits; a test checks what
// [Rich] and what [Plain] make of the blocks. A kind that only works in a form
// (alert) has its place only there.
//
// Its JSON is that of the richer block.
type Either struct {
	Rich  slack.Block   // of its kind the client remembers whether the workspace takes it
	Plain []slack.Block // of kinds that every workspace takes; at most ten
}

// BlockType is the kind of the richer block.
func (e *Either) BlockType() slack.MessageBlockType { return e.Rich.BlockType() }

// ID is that of the richer block.
func (e *Either) ID() string { return e.Rich.ID() }

// MarshalJSON writes the richer block.
func (e *Either) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(e.Rich)
	if err != nil {
		return nil, fmt.Errorf("writing a block: %w", err)
	}
	return data, nil
}

// Draw puts for every [Either] the drawing that suits: the plain one of the kinds
// that are refused, else the richer. kinds are the newer ones among what was
// drawn, each once. The blocks given stay as they are.
func Draw(blocks []slack.Block, refused func(kind string) bool) (drawn []slack.Block, kinds []string) {
	if blocks == nil {
		return nil, nil
	}
	drawn = make([]slack.Block, 0, len(blocks))
	known := map[string]bool{}
	for _, b := range blocks {
		e, ok := b.(*Either)
		if !ok {
			drawn = append(drawn, b)
			continue
		}
		kind := string(e.BlockType())
		if refused(kind) {
			drawn = append(drawn, e.Plain...)
			continue
		}
		drawn = append(drawn, e.Rich)
		if !known[kind] {
			kinds = append(kinds, kind)
		}
		known[kind] = true
	}
	return drawn, kinds
}

// Plain is how blocks look in a workspace that refuses every newer kind.
func Plain(blocks []slack.Block) []slack.Block {
	drawn, _ := Draw(blocks, func(string) bool { return true })
	return drawn
}

// Rich is how blocks look in a workspace that takes every kind.
func Rich(blocks []slack.Block) []slack.Block {
	drawn, _ := Draw(blocks, func(string) bool { return false })
	return drawn
}
