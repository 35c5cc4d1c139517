package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/token"
)

const (
	checkAgain = time.Minute // after faults were found; doubles …
	checkLast  = 30 * time.Minute
	checkNames = 5 * time.Second // how often is looked whether pipelines post elsewhere now
	manifestIs = "docs/slack-app-manifest.yaml"
)

// Checkup asks Slack whether the app is set up as rollcall needs it: that the
// token is a bot's, that it has every scope, that the default channel and those
// of all pipelines in force can be posted to. It changes nothing. An error means
// that Slack could not be asked.
func (c *Client) Checkup(ctx context.Context) ([]Fault, error) {
	found := map[string]Fault{}
	granted, err := c.scopes(ctx)
	var refused *bot.Refusal
	switch {
	case errors.As(err, &refused):
		found["token"] = c.tokenFault(refused)
	case err != nil:
		return nil, err
	default:
		c.checkScopes(granted, found)
		for _, name := range c.postingChannels(ctx) {
			if err := c.checkChannel(ctx, name, granted, found); err != nil {
				return nil, err
			}
		}
	}
	return c.faults.replace(found, "token", "scope/", "app/", channelFault("")), nil
}

// postingChannels are the channels that messages go to, each once.
func (c *Client) postingChannels(ctx context.Context) []string {
	all := []string{c.o.Channel}
	if c.o.Channels != nil {
		all = append(all, c.o.Channels(ctx)...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
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

// tokenFault puts it into words that Slack does not take the bot token.
func (c *Client) tokenFault(no *bot.Refusal) Fault {
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

func (c *Client) checkScopes(granted []string, found map[string]Fault) {
	if granted == nil {
		return
	}
	if slices.ContainsFunc(granted, func(s string) bool { return s == "bot" || strings.HasPrefix(s, "bot:") }) {
		found["app/classic"] = Fault{Code: "classic_app", What: "The app is a classic Slack app, which has no granular scopes.", Fix: "create a new app from " + manifestIs + " and take its bot token"}
		return
	}
	for _, s := range Scopes() {
		if !slices.Contains(granted, s.Name) && !s.Optional {
			found["scope/"+s.Name] = c.scopeFault(s.Name)
		}
	}
}

// scopeFault is the fault of a scope that the app does not have.
func (c *Client) scopeFault(scope string) Fault {
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

// checkChannel looks whether a channel is there and can be posted to.
func (c *Client) checkChannel(ctx context.Context, name string, granted []string, found map[string]Fault) error {
	may := func(scope string) bool { return granted == nil || slices.Contains(granted, scope) }
	id, err := c.channel(ctx, name)
	if err != nil {
		return err
	}
	if strings.HasPrefix(id, "#") {
		if may("channels:read") {
			found[channelFault(name)] = c.postFault(name, "channel_not_found")
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
			found[channelFault(name)] = c.postFault(name, refused.Code)
		}
	case err != nil:
		return err
	case ch.IsArchived:
		found[channelFault(name)] = c.postFault(name, "is_archived")
	case !ch.IsMember && (ch.IsPrivate || !may("chat:write.public")):
		found[channelFault(name)] = c.postFault(name, "not_in_channel")
	}
	return nil
}

// postFault puts it into words why nothing arrives in a channel.
func (c *Client) postFault(channel, code string) Fault {
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

// runCheckups makes the self-test once the workspace is known, again while it finds
// something, so that the log also says when it is mended, and again whenever
// another channel comes into use.
func (r *Receiver) runCheckups(ctx context.Context) {
	told := map[Fault]bool{}
	for pause := checkAgain; ctx.Err() == nil; pause = min(2*pause, checkLast) {
		channels := r.c.postingChannels(ctx)
		faults, err := r.c.Checkup(ctx)
		switch {
		case err != nil:
			r.c.log.Debug("the self-test of the slack app could not be made; trying again", "error", err)
			pause = checkAgain
		case len(faults) == 0:
			r.c.log.Info("the slack app is set up as it should be; type "+r.c.command()+" in slack",
				"hint", "not a valid command: install the app again. Another app answers: it has taken the command, so give this one another name in the app's settings and as slack.command")
			pause, told = checkLast, map[Fault]bool{}
		}
		for _, f := range faults {
			if !told[f] {
				r.c.log.Error("slack: "+f.What, "code", f.Code, "fix", f.Fix)
			}
			told[f] = true
		}
		clean := err == nil && len(faults) == 0
		if r.waitForCheckup(ctx, pause, clean, channels) {
			pause = checkAgain / 2
		}
	}
}

// waitForCheckup waits until it is time for another self-test, for ever after a clean one,
// or until other channels are in use than were looked at, which it says.
func (r *Receiver) waitForCheckup(ctx context.Context, pause time.Duration, clean bool, channels []string) (changed bool) {
	again := time.NewTimer(pause)
	defer again.Stop()
	look := time.NewTicker(checkNames)
	defer look.Stop()
	for ctx.Err() == nil {
		select {
		case <-again.C:
			if !clean {
				return false
			}
		case <-look.C:
			if !slices.Equal(r.c.postingChannels(ctx), channels) {
				return true
			}
		case <-ctx.Done():
		}
	}
	return false
}

func (c *Client) command() string { return cmp.Or(c.o.Command, "/rollcall") }

// reportFaults tells somebody who used the command what is wrong with the app,
// everybody once per set of faults: who tries the app out hears it where they are.
func (r *Receiver) reportFaults(ctx context.Context, req bot.Request) {
	if req.Command == nil || req.By.Stranger != "" {
		return
	}
	if used := req.Command.Command; used != "" && r.c.o.Command != "" && used != r.c.o.Command {
		r.c.faults.add("app/command", Fault{Code: "other_command", What: "In Slack the command is " + used + ", in the configuration " + r.c.o.Command + ".",
			Fix: "write slack.command: " + used + ", so that help and hints name the right one"})
	}
	faults := r.c.faults.all()
	if len(faults) == 0 || !r.c.faults.firstReport(req.Reply.User, faults) {
		return
	}
	lines := []string{":warning: Slack is not set up as rollcall needs it:"}
	for _, f := range faults {
		lines = append(lines, fmt.Sprintf("• %s To mend it, %s.", f.What, f.Fix))
	}
	r.reply(ctx, req, strings.Join(lines, "\n"))
}
