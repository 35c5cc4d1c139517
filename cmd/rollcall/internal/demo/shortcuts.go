package demo

import (
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// shortcuts are those of the app, as its manifest asks for them.
func shortcuts() (all []slackfake.Shortcut) {
	for _, s := range slack.Shortcuts() {
		all = append(all, slackfake.Shortcut{Name: s.Name, CallbackID: s.Callback, Message: s.OnMessage})
	}
	return all
}
