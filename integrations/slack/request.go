package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
)

// What an inbound request is.
const (
	kindCommand     = "command"
	kindInteraction = "interaction"
	kindHome        = "home"      // App Home was opened
	kindLinks       = "links"     // somebody posted links to us
	kindChallenge   = "challenge" // Slack tries the address
	kindIgnored     = "ignored"   // nothing for us
)

// inbound is a request of Slack's. Kind and Body are what a receipt keeps.
type inbound struct {
	Kind string `json:"kind"`
	// Body is the command's fields, the interaction's payload, the user who
	// opened App Home, or posted links; without Slack's verification token.
	Body json.RawMessage `json:"body"`
	// Foreign says that the request itself names another workspace as the user's.
	Foreign bool `json:"foreign,omitempty"`
	// Team and App are the workspace and app that the request says it is of.
	Team string `json:"team,omitempty"`
	App  string `json:"app,omitempty"`

	event     string // the key under which a repeat is recognised: event_id, or a form's ID and hash; empty: the signature, or the envelope's ID
	challenge string
	userTeam  string
	of        string // an interaction's type
}

var errMalformed = errors.New("the request is not what Slack sends")

// parseCommand reads a slash command's form.
func parseCommand(body []byte) (inbound, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return inbound{}, errMalformed
	}
	fields := map[string]string{}
	for k, v := range form {
		fields[k] = v[0]
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return inbound{}, fmt.Errorf("keeping the command: %w", err)
	}
	return readCommand(b)
}

// readCommand reads a slash command's fields as JSON, as Socket Mode sends them.
func readCommand(body []byte) (inbound, error) {
	var c slack.SlashCommand
	if err := json.Unmarshal(body, &c); err != nil || c.UserID == "" || c.Command == "" {
		return inbound{}, errMalformed
	}
	kept, err := withoutToken(body)
	return inbound{Kind: kindCommand, Body: kept, Team: c.TeamID, App: c.APIAppID}, err
}

// parseInteraction reads the form of an interaction or an options load.
func parseInteraction(body []byte) (inbound, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return inbound{}, errMalformed
	}
	return readInteraction([]byte(form.Get("payload")))
}

// readInteraction reads an interaction's payload.
func readInteraction(body []byte) (inbound, error) {
	var p struct {
		Type string `json:"type"`
		App  string `json:"api_app_id"`
		Team struct {
			ID string `json:"id"`
		} `json:"team"`
		User struct {
			ID   string `json:"id"`
			Team string `json:"team_id"`
		} `json:"user"`
		View struct {
			ID        string `json:"id"`
			Hash      string `json:"hash"`
			Installed string `json:"app_installed_team_id"`
		} `json:"view"`
	}
	var whole slack.InteractionCallback
	if json.Unmarshal(body, &p) != nil || json.Unmarshal(body, &whole) != nil || p.Type == "" || p.User.ID == "" {
		return inbound{}, errMalformed
	}
	kept, err := withoutToken(body)
	in := inbound{Kind: kindInteraction, Body: kept, Team: p.Team.ID, App: p.App, userTeam: p.User.Team, of: p.Type}
	if p.Type == string(slack.InteractionTypeViewSubmission) && p.View.ID != "" && p.View.Hash != "" { // sent twice, it is done once
		in.event = p.View.ID + "/" + p.View.Hash
	}
	if in.userTeam == "" {
		in.userTeam = p.Team.ID
	}
	// A form that somebody of another workspace sends in a shared channel names
	// their workspace, and ours only as the one where the app is installed.
	if p.View.Installed != "" && p.View.Installed != in.Team {
		in.Team = p.View.Installed
	}
	return in, err
}

// readEvent reads an Events API envelope. Events nobody listens to are
// ignored, whatever their shape.
func readEvent(body []byte) (inbound, error) {
	var e struct {
		Type      string          `json:"type"`
		Challenge string          `json:"challenge"`
		Team      string          `json:"team_id"`
		App       string          `json:"api_app_id"`
		ID        string          `json:"event_id"`
		Shared    bool            `json:"is_ext_shared_channel"`
		Event     json.RawMessage `json:"event"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Type == "" {
		return inbound{}, errMalformed
	}
	in := inbound{Kind: kindIgnored, Team: e.Team, App: e.App, event: e.ID}
	if e.Type == "url_verification" {
		return inbound{Kind: kindChallenge, challenge: e.Challenge}, nil
	}
	var of struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(e.Event, &of) != nil || e.ID == "" {
		return in, nil
	}
	var err error
	switch of.Type {
	case "app_home_opened":
		in.Kind, in.Body, err = readHome(e.Event)
	case "link_shared":
		if !e.Shared {
			in.Kind, in.Body, err = readLinks(e.Event)
		}
	}
	return in, err
}

// readHome returns the user who opened App Home.
func readHome(event json.RawMessage) (kind string, body json.RawMessage, err error) {
	var opened struct {
		User  string `json:"user"`
		Tab   string `json:"tab"`
		BotID string `json:"bot_id"`
	}
	if json.Unmarshal(event, &opened) != nil || opened.User == "" || opened.BotID != "" || opened.Tab == "messages" {
		return kindIgnored, nil, nil
	}
	body, err = json.Marshal(opened.User)
	return kindHome, body, err
}

// withoutToken leaves Slack's verification token, a shared secret, out of a payload.
func withoutToken(body []byte) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, errMalformed
	}
	delete(fields, "token")
	kept, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("keeping the request: %w", err)
	}
	return kept, nil
}

// request is what the bot gets, without By.
func (in *inbound) request(key string) (bot.Request, error) {
	r := bot.Request{Key: key}
	switch in.Kind {
	case kindCommand:
		c := &slack.SlashCommand{}
		if err := json.Unmarshal(in.Body, c); err != nil {
			return r, fmt.Errorf("reading a stored command: %w", err)
		}
		r.Command = c
		r.Reply = bot.Reply{User: c.UserID, Channel: c.ChannelID, ResponseURL: c.ResponseURL, Trigger: c.TriggerID}
	case kindInteraction:
		i := &slack.InteractionCallback{}
		if err := json.Unmarshal(in.Body, i); err != nil {
			return r, fmt.Errorf("reading a stored interaction: %w", err)
		}
		r.Interaction = i
		r.Reply = bot.Reply{User: i.User.ID, Channel: i.Channel.ID, Thread: i.Container.ThreadTs, ResponseURL: i.ResponseURL, Trigger: i.TriggerID}
		if r.Reply.Channel == "" {
			r.Reply.Channel = i.Container.ChannelID
		}
		if i.Message.SubType == slack.MsgSubTypeThreadBroadcast {
			// Most people press the button in the channel; an ephemeral message in the
			// thread would not be seen there.
			r.Reply.Thread = ""
		}
		if i.View.Type == slack.VTModal {
			r.Reply.View = i.View.ID
		}
	case kindHome:
		if err := json.Unmarshal(in.Body, &r.Home); err != nil {
			return r, fmt.Errorf("reading a stored event: %w", err)
		}
		r.Reply.User = r.Home
	case kindLinks:
		var p posted
		if err := json.Unmarshal(in.Body, &p); err != nil {
			return r, fmt.Errorf("reading a stored event: %w", err)
		}
		r.Links = &bot.Links{At: bot.Place{Channel: p.Channel, TS: p.TS}, URLs: p.URLs}
		r.Reply = bot.Reply{User: p.User, Channel: p.Channel}
	default:
		return r, fmt.Errorf("a stored request is of the unknown kind %q", in.Kind)
	}
	return r, nil
}
