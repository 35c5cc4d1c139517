package slack

import (
	"context"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Inbox makes requests durable. *runtime.Engine is one.
type Inbox interface {
	// Accept makes the receipt durable. When its key is known already, fresh is
	// false and prior is what was stored.
	Accept(ctx context.Context, r work.Receipt) (prior work.Receipt, fresh bool, err error)
	// Finish notes that the request was carried out.
	Finish(ctx context.Context, key string, result []byte) error
	// Pending returns a source's receipts that are not finished, oldest first.
	Pending(ctx context.Context, source string) ([]work.Receipt, error)
}

// Bot carries out what people ask for. *bot.Bot is one.
type Bot interface {
	// Handle carries a request out. It may be called again with the same Key
	// after an error or a crash. An error that is no *bot.Refusal is tried again.
	Handle(ctx context.Context, r bot.Request) error
	// Answer is what the acknowledgement says: a view response for a form that
	// was submitted, options for a menu that loads them, nil for nothing. It is
	// pure and quick; By is not known yet. A form answered with errors is not
	// handed to Handle.
	Answer(r bot.Request) any
}
