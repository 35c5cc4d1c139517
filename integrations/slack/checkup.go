package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/token"
)

// Fault is something about the Slack app, or its place in the workspace, that
// keeps rollcall from working whole.
type Fault struct {
	Code string // Slack's, where it has one: "missing_scope"
	What string // what does not work, a sentence
	Fix  string // what to do about it
}

const (
	checkAgain = time.Minute // after faults were found; doubles …
	checkLast  = 30 * time.Minute
	manifestIs = "docs/slack-app-manifest.yaml"
)

// Checkup asks Slack whether the app is set up as rollcall needs it: that the
// token is a bot's, that it has every scope, that the default channel can be
// posted to. It changes nothing. An error means that Slack could not be asked.
func (c *Client) Checkup(ctx context.Context) ([]Fault, error) {
	found := map[string]Fault{}
	granted, err := c.scopes(ctx)
	var refused *bot.Refusal
	switch {
	case errors.As(err, &refused):
		found["token"] = c.tokenRefused(refused)
	case err != nil:
		return nil, err
	default:
		c.missScopes(granted, found)
		if err := c.checkChannel(ctx, granted, found); err != nil {
			return nil, err
		}
	}
	return c.faults.replace(found, "token", "scope/", "app/", channelFault(c.o.Channel)), nil
}

// scopes asks Slack what the bot token may do. The list is nil when Slack did not say.
func (c *Client) scopes(ctx context.Context) (granted []string, err error) {
	err = c.do(ctx, "auth.test", "", func(ctx context.Context) error {
		a, err := c.api.AuthTestContext(ctx)
		if err != nil {
			return err
		}
		for s := range strings.SplitSeq(a.Header.Get("X-OAuth-Scopes"), ",") {
			if s = strings.TrimSpace(s); s != "" {
				granted = append(granted, s)
			}
		}
		return nil
	})
	return granted, err
}

// tokenRefused puts it into words that Slack does not take the bot token.
func (c *Client) tokenRefused(no *bot.Refusal) Fault {
	f := Fault{Code: no.Code, What: "Slack does not take slack.botToken (" + no.Code + ").", Fix: no.Hint}
	if what, fix := token.BotFault(c.o.BotToken); what != "" {
		f.What, f.Fix = "slack.botToken "+what+".", fix
	}
	return f
}

// settings is where the app's settings are.
func (c *Client) settings(name string) string {
	if id := c.pinned.Load(); id != nil && id.App != "" {
		return "https://api.slack.com/apps/" + id.App + "/" + name
	}
	return "https://api.slack.com/apps"
}

func (c *Client) missScopes(granted []string, found map[string]Fault) {
	if granted == nil {
		return
	}
	if slices.ContainsFunc(granted, func(s string) bool { return s == "bot" || strings.HasPrefix(s, "bot:") }) {
		found["app/classic"] = Fault{Code: "classic_app", What: "The app is a classic Slack app, which knows no single scopes.", Fix: "create a new app from " + manifestIs + " and take its bot token"}
		return
	}
	for _, s := range Scopes() {
		if !slices.Contains(granted, s.Name) {
			found["scope/"+s.Name] = c.missing(s.Name)
		}
	}
}

// missing is the fault of a scope that the app does not have.
func (c *Client) missing(scope string) Fault {
	f := Fault{Code: "missing_scope", What: "The app has not the scope " + scope + "."}
	for _, s := range Scopes() {
		if s.Name == scope {
			f.What = "The app has not the scope " + scope + " (" + s.Why + ")."
		}
	}
	f.Fix = "add it under Bot Token Scopes at " + c.settings("oauth") + " and install the app again; " + manifestIs + " has all of them"
	return f
}

func channelFault(name string) string { return "channel/" + name }

// checkChannel looks whether the default channel is there and can be posted to.
func (c *Client) checkChannel(ctx context.Context, granted []string, found map[string]Fault) error {
	may := func(scope string) bool { return granted == nil || slices.Contains(granted, scope) }
	name := c.o.Channel
	if name == "" {
		return nil
	}
	id, err := c.channel(ctx, name)
	if err != nil {
		return err
	}
	if strings.HasPrefix(id, "#") {
		if may("channels:read") {
			found[channelFault(name)] = c.cannotPost(name, "channel_not_found")
		}
		return nil
	}
	var ch *slack.Channel
	err = c.do(ctx, "conversations.info", "", func(ctx context.Context) error {
		var err error
		ch, err = c.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
		return err
	})
	var refused *bot.Refusal
	switch {
	case errors.As(err, &refused):
		if refused.Code != "missing_scope" { // that one is found already
			found[channelFault(name)] = c.cannotPost(name, refused.Code)
		}
	case err != nil:
		return err
	case ch.IsArchived:
		found[channelFault(name)] = c.cannotPost(name, "is_archived")
	case !ch.IsMember && (ch.IsPrivate || !may("chat:write.public")):
		found[channelFault(name)] = c.cannotPost(name, "not_in_channel")
	}
	return nil
}

// cannotPost puts it into words why nothing arrives in a channel.
func (c *Client) cannotPost(channel, code string) Fault {
	f := Fault{Code: code}
	switch code {
	case "channel_not_found":
		f.What = "There is no channel " + channel + " that the app can see, so no cards appear there."
		f.Fix = "check its name (slack.channel, or channel: in the pipeline file); when it is private, type /invite @rollcall in it"
	case "not_in_channel":
		f.What = "The app is not in " + channel + " and may not post there, so no cards appear."
		f.Fix = "type /invite @rollcall in " + channel + ", or give the app the scope chat:write.public"
	case "is_archived":
		f.What = "The channel " + channel + " is archived, so no cards appear."
		f.Fix = "unarchive it, or name another one (slack.channel, or channel: in the pipeline file)"
	default:
		f.What = "Slack does not let the app post in " + channel + " (" + code + ")."
		f.Fix = hint("chat.postMessage", slack.SlackErrorResponse{Err: code})
	}
	return f
}

// examine makes the check-up once the workspace is known, and again while it
// finds something, so that the log also says when it is mended.
func (r *Receiver) examine(ctx context.Context) {
	told := map[Fault]bool{}
	for pause := checkAgain; ctx.Err() == nil; pause = min(2*pause, checkLast) {
		faults, err := r.c.Checkup(ctx)
		switch {
		case err != nil:
			r.c.log.Debug("the check-up of the slack app could not be made; trying again", "error", err)
			pause = checkAgain
		case len(faults) == 0:
			r.c.log.Info("the slack app is set up as it should be; type "+r.c.command()+" in slack",
				"hint", "not a valid command: install the app again. Another app answers: it has taken the command, so give this one another name in the app's settings and as slack.command")
			return
		}
		for _, f := range faults {
			if !told[f] {
				r.c.log.Error("slack: "+f.What, "code", f.Code, "fix", f.Fix)
			}
			told[f] = true
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
}

func (c *Client) command() string { return cmp.Or(c.o.Command, "/rollcall") }

// mention tells somebody who used the command what is wrong with the app,
// everybody once per set of faults: who tries the app out hears it where they are.
func (r *Receiver) mention(ctx context.Context, req bot.Request) {
	if req.Command == nil || req.By.Stranger != "" {
		return
	}
	if used := req.Command.Command; used != "" && r.c.o.Command != "" && used != r.c.o.Command {
		r.c.faults.note("app/command", Fault{Code: "other_command", What: "In Slack the command is " + used + ", in the configuration " + r.c.o.Command + ".",
			Fix: "write slack.command: " + used + ", so that help and hints name the right one"})
	}
	faults := r.c.faults.all()
	if len(faults) == 0 || !r.c.faults.untold(req.Reply.User, faults) {
		return
	}
	lines := []string{":warning: Slack is not set up as rollcall needs it:"}
	for _, f := range faults {
		lines = append(lines, fmt.Sprintf("• %s To mend it, %s.", f.What, f.Fix))
	}
	r.tell(ctx, req, strings.Join(lines, "\n"))
}

// standing are the faults that are there now, by what they are about, and who
// was told of them. It forgets with the process: they are found again.
type standing struct {
	mu     sync.Mutex
	faults map[string]Fault
	told   map[string]string // user -> the faults they were told of
}

// note adds a fault.
func (s *standing) note(about string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[about] = f
}

// mended takes a fault away.
func (s *standing) mended(about string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.faults, about)
}

// replace puts found in the place of what was known about these things (or,
// with a slash at the end, about all things of the kind) and returns found in order.
func (s *standing) replace(found map[string]Fault, about ...string) []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.faults, func(key string, _ Fault) bool {
		return slices.ContainsFunc(about, func(a string) bool {
			return key == a || strings.HasSuffix(a, "/") && strings.HasPrefix(key, a)
		})
	})
	maps.Copy(s.faults, found)
	return ordered(found)
}

// all returns what is wrong now, in a steady order.
func (s *standing) all() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ordered(s.faults)
}

func ordered(faults map[string]Fault) []Fault {
	var all []Fault
	for _, key := range slices.Sorted(maps.Keys(faults)) {
		all = append(all, faults[key])
	}
	return all
}

// untold says whether a user has not heard of exactly these faults, and notes that they have.
func (s *standing) untold(user string, faults []Fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := fmt.Sprint(faults)
	if s.told[user] == now {
		return false
	}
	s.told[user] = now
	return true
}

// nag lets one line of a kind through per minute.
type nag struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (n *nag) due(kind string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last, said := n.last[kind]; said && now.Sub(last) < time.Minute {
		return false
	}
	n.last[kind] = now
	return true
}
