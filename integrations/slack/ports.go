package slack

import (
	"context"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Receipts makes requests durable. *runtime.Engine does.
type Receipts interface {
	wire.Receipts
	// Finish notes that the request was carried out.
	Finish(ctx context.Context, key string, result []byte) error
}

// Bot carries out what people ask for. *bot.Bot is one.
type Bot interface {
	// Handle carries a request out. It may be called again with the same Key
	// after an error or a crash. An error that is no *bot.Refusal is tried again.
	Handle(ctx context.Context, r bot.Request) error
	// Answer is what the acknowledgement says: a view response for a form that
	// was submitted, nil for nothing. It is
	// pure and quick; By is not known yet. A form answered with errors is not
	// handed to Handle.
	Answer(r bot.Request) any
	// Suggest gives the options of a menu that loads them, for what r.By may see.
	Suggest(ctx context.Context, r bot.Request) (slack.OptionsResponse, error)
}
