package bot

import (
	"context"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Chat is what the bot needs from Slack. integrations/slack implements it.
// Calls are paced and retried on 429 inside; any error that comes back may be
// tried again later, except a [*Refusal]. What is no [Answer] does not wait for
// its turn: the error is a [*Postponed].
type Chat interface {
	// Post sends a message and returns where it is. With Message.Look set it
	// first looks for a message of ours with the same Payload, because an
	// earlier try may have arrived. It calls Message.Begin before it sends.
	Post(ctx context.Context, m Message) (Place, error)
	// Edit replaces text and blocks of a message of ours. Nobody is notified.
	Edit(ctx context.Context, at Place, m Message) error
	// PostEphemeral tells one person something that nobody else sees: through the
	// request's response URL while it works, else as an ephemeral message.
	PostEphemeral(ctx context.Context, to Reply, m Message) error
	// Open opens a form, or replaces the view that Reply.View names. A view of
	// type home is published as Reply.User's App Home instead.
	Open(ctx context.Context, to Reply, form slack.ModalViewRequest) error
	// People returns the chat's names for who-expressions, so that they can be
	// mentioned: "ana@acme.example" -> "<@U1>", "slack-group:S1" -> "<!subteam^S1>".
	// Unknown ones come back as readable text.
	People(ctx context.Context, who []string) ([]string, error)
}

// Members knows the members of the chat by their e-mail addresses.
// integrations/slack implements it.
type Members interface {
	// ByEmail returns the full member with that address, under the ID "slack:U1"
	// and the name that chat shows, at most some minutes old; the zero Principal
	// when there is none. An error means that nobody could be asked.
	ByEmail(ctx context.Context, address string) (workflows.Principal, error)
}

// Message is what is posted. Text is always sent beside the blocks, for
// notifications and screen readers.
type Message struct {
	Channel   string // name with "#", or ID; "@" with a user's ID: a direct message
	Thread    string // timestamp of the message it answers
	Broadcast bool   // a thread reply that the channel sees too
	Text      string
	Blocks    []slack.Block
	EventType string         // metadata event_type
	Payload   map[string]any // metadata event_payload; with EventType it identifies the message
	// Anchor stands in the payload beside that. It changes from edit to edit and
	// identifies nothing; nil: there is none.
	Anchor *record.Anchor
	Look   bool
	Since  time.Time // with Look: when the message was first tried; zero: not known

	Urgency Urgency
	// Before is called before the message is sent, see Begin; nil: nothing.
	Before func(context.Context) error
}

// Place is where a message is.
type Place struct {
	Channel string `json:"channel"` // ID
	TS      string `json:"ts"`
}

// Reply says how to answer a request of chat.
type Reply struct {
	User        string // Slack user ID
	Channel     string // ID; empty (App Home): an ephemeral message becomes a direct one
	Thread      string
	ResponseURL string
	Trigger     string // trigger_id, for forms; 3 s
	View        string // view ID, to replace an open form
	// External is the external_id of a view to replace. One that is not there any
	// more is a *Refusal that is Gone, and is not opened again.
	External string
	loading  *loading
	// Zone is the user's time zone, for texts in which Slack has no dates; nil: not known.
	Zone *time.Location
}

// Refusal is an error of Slack's that does not pass by itself: somebody has to
// mend its cause (the channel is archived, the bot is not in it, a scope is
// missing), and then the same call works. Hint says what to do.
type Refusal struct {
	Code, Hint string
	// Never is that Slack will not take this content, wherever and whenever.
	Never bool
	// Gone is that the message, the thread or the form is not there any more.
	Gone bool
}

// Error is Slack's code with what to do about it.
func (r *Refusal) Error() string { return "slack refused: " + r.Code + " (" + r.Hint + ")" }

// Request is a verified request from chat, already acknowledged and durable.
// Exactly one of Command, Interaction, Home and Links is set.
type Request struct {
	// Key is unique per request; it becomes the token of the intent, so that a
	// request handled twice acts once.
	Key         string
	By          workflows.Principal
	Reply       Reply
	Command     *slack.SlashCommand
	Interaction *slack.InteractionCallback
	Home        string // user ID who opened App Home
	Links       *Links // in what Reply.User posted; they are answered by nothing else
}
