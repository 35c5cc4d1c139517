package bot

import (
	"context"
	"fmt"
	"time"
)

// Urgency is how soon a message must be in chat. Of what waits for the same
// limit of Slack's, the more urgent goes first.
type Urgency int

const (
	// Answer is to a person who waits for it; the zero Urgency. It waits for its turn.
	Answer Urgency = iota
	// Question is what people have to act on, and that they need not any more.
	Question
	// News is what has happened: a success, a failure, a reminder.
	News
	// Progress is how something goes: the newest drawing is enough.
	Progress
)

// Postponed is the error of a Post or Edit that is not an [Answer] and whose turn
// has not come. Nothing was sent. Its place in line is kept when it comes again,
// whatever it shows by then.
type Postponed struct {
	After time.Duration // when its turn is expected
}

// Error says when its turn is expected.
func (p *Postponed) Error() string {
	return fmt.Sprintf("its turn comes in %s", p.After.Round(time.Millisecond))
}

// Begin is to be called by a [Chat] right before a message is sent for the
// first time, when its turn has come; after an error it is not sent.
func (m *Message) Begin(ctx context.Context) error {
	if m.Before == nil {
		return nil
	}
	return m.Before(ctx)
}
