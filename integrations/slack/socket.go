package slack

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/token"
)

// reconnectAfter is the longest pause between two tries to connect. The
// library's own pauses grow to five minutes, too long for people who click.
const reconnectAfter = 30 * time.Second

// openSocket is the method that asks for a Socket Mode connection.
const openSocket = "apps.connections.open"

// errSwitchedOff is that Slack closes every connection before it has greeted
// us, as it does while the app has Socket Mode switched off. The library keeps
// the reason to itself and would connect again without a pause.
var errSwitchedOff = errors.New("socket mode is switched off")

// listen keeps a Socket Mode connection until ctx ends.
func (r *Receiver) listen(ctx context.Context) {
	pause := time.Second
	for ctx.Err() == nil {
		began := time.Now()
		err := r.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			pause = time.Second
		}
		r.unconnected(err)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		pause = min(2*pause, reconnectAfter)
	}
}

// connect holds one client of the library, which reconnects by itself, until
// it gives up or its pauses become too long.
func (r *Receiver) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := socketmode.New(r.c.api, socketmode.OptionLog(log.New(io.Discard, "", 0)))
	ended := make(chan error, 1)
	go func() { ended <- client.RunContext(ctx) }()
	silent := false // connected, and not greeted yet
	for {
		select {
		case err := <-ended:
			return err
		case e := <-client.Events:
			if failed, ok := e.Data.(*slack.ConnectionErrorEvent); ok {
				r.unconnected(failed.ErrorObj)
				if failed.Backoff > reconnectAfter {
					cancel()
				}
				continue
			}
			switch e.Type {
			case socketmode.EventTypeConnected:
				silent = true
			case socketmode.EventTypeHello:
				silent = false
			case socketmode.EventTypeConnecting:
				if silent {
					return errSwitchedOff
				}
			}
			r.hear(ctx, client, e)
		}
	}
}

// unconnected says, once per minute, why there is no connection and what to do.
func (r *Receiver) unconnected(err error) {
	err = explain(openSocket, err)
	var refused *bot.Refusal
	what, code, fix := "", "", ""
	switch {
	case errors.Is(err, context.Canceled): // given up by us, and said before
		return
	case errors.Is(err, errSwitchedOff):
		what, code = "Slack closes the connection at once: Socket Mode is switched off for the app.", "link_disabled"
		fix = "switch it on under Socket Mode at " + r.c.settings("socket-mode") + "; or give slack.signingSecret instead of slack.appToken to be called over HTTP"
	case errors.As(err, &refused):
		what, code, fix = "Slack does not take slack.appToken ("+refused.Code+").", refused.Code, refused.Hint
		if kind, better := token.AppFault(r.c.o.AppToken); kind != "" {
			what, fix = "slack.appToken "+kind+".", better
		}
	default:
		r.c.unreachable(err)
		return
	}
	if r.c.nag.due("socket "+code, r.c.now()) {
		r.c.log.Error("slack: "+what+" Nobody can reach rollcall from Slack until then.", "code", code, "fix", fix)
	}
}

// envelope is what Slack sends over Socket Mode.
type envelope struct {
	Type    string          `json:"type"`
	ID      string          `json:"envelope_id"`
	Payload json.RawMessage `json:"payload"`
	Info    struct {
		App string `json:"app_id"`
	} `json:"connection_info"`
}

// hear takes one envelope the same way as an HTTP request. What could not be
// made durable is not acknowledged: Slack tells the person, or sends it again.
func (r *Receiver) hear(ctx context.Context, client *socketmode.Client, e socketmode.Event) {
	var env envelope
	switch data := e.Data.(type) {
	case *socketmode.ErrorBadMessage:
		// What the library cannot read still has to be acknowledged, and may
		// be something that we can read.
		if json.Unmarshal(data.Message, &env) != nil {
			return
		}
	default:
		if e.Request == nil {
			return
		}
		env = envelope{Type: e.Request.Type, ID: e.Request.EnvelopeID, Payload: e.Request.Payload}
		env.Info.App = e.Request.ConnectionInfo.AppID
	}
	if env.Type == socketmode.RequestTypeHello {
		r.hello(env)
	}
	if env.ID == "" {
		return
	}
	answer, ok := r.hearEnvelope(ctx, env)
	if !ok {
		return
	}
	var payload any
	if len(answer) > 0 {
		payload = json.RawMessage(answer)
	}
	if err := client.AckCtx(ctx, env.ID, payload); err != nil && payload != nil {
		r.c.log.Error("an answer is too large for socket mode", "error", err)
		err = client.AckCtx(ctx, env.ID, nil)
		if err != nil {
			r.c.log.Warn("an envelope could not be acknowledged", "error", err)
		}
	}
}

// hello checks that both tokens are of one app, and learns which one that is
// where the bot token could not say.
func (r *Receiver) hello(env envelope) {
	id := r.c.pinned.Load()
	switch {
	case id == nil || env.Info.App == "" || env.Info.App == id.App:
	case id.App == "":
		named := *id
		named.App = env.Info.App
		r.c.pinned.Store(&named)
	default:
		r.c.log.Error("bot token and app token belong to different apps: take both from the same one", "bot", id.App, "app", env.Info.App)
	}
}

// hearEnvelope says what to acknowledge, and whether to.
func (r *Receiver) hearEnvelope(ctx context.Context, env envelope) (answer []byte, ok bool) {
	var in inbound
	var err error
	key := source + "/" + env.ID
	switch env.Type {
	case socketmode.RequestTypeSlashCommands:
		in, err = readCommand(env.Payload)
	case socketmode.RequestTypeInteractive:
		in, err = readInteraction(env.Payload)
	case socketmode.RequestTypeEventsAPI:
		if in, err = readEvent(env.Payload); in.event != "" {
			key = source + "/" + in.event
		}
	default:
		return nil, true
	}
	if err != nil {
		r.c.log.Warn("an envelope is not what slack sends", "type", env.Type, "error", err)
		return nil, true
	}
	ctx, cancel := context.WithTimeout(ctx, ackPatience)
	defer cancel()
	if !r.ours(ctx, in) {
		r.c.log.Warn("an envelope of another workspace or app was dropped", "team", in.Team, "app", in.App)
		return nil, true
	}
	answer, _, err = r.take(ctx, in, key)
	if err != nil {
		r.c.log.Error("a request of slack's could not be made durable", "kind", in.Kind, "error", err)
		return nil, errors.Is(err, errMalformed)
	}
	return answer, true
}
