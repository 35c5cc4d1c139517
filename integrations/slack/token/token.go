// Package token knows Slack's kinds of tokens by the way they begin, and says
// which one is in the wrong place. It never repeats a token.
package token

import "strings"

// What to do about a token that is wrong.
const (
	BotFix = "take the bot token (Bot User OAuth Token, xoxb-…) from the app's page OAuth & Permissions at https://api.slack.com/apps"
	AppFix = "generate one with the scope connections:write at https://api.slack.com/apps, the app, Basic Information, App-Level Tokens; it begins with xapp-"
)

// kindOf says what a token is by the way it begins; empty when nobody can say.
func kindOf(token string) string {
	for _, k := range []struct{ prefix, kind string }{
		{"xoxb-", "a bot token"},
		{"xapp-", "an app-level token"},
		{"xoxp-", "a user token: it would act as the person who installed the app"},
		{"xoxe.xoxb-", "a bot token that expires after twelve hours, because the app has token rotation switched on"},
		{"xoxe.xoxp-", "a user or configuration token that expires"},
		{"xoxe-", "a refresh token"},
		{"xoxa-", "a legacy workspace token"},
		{"xoxr-", "a refresh token"},
		{"xoxc-", "a browser's session token"},
		{"xoxs-", "a browser's session token"},
		{"xoxd-", "a browser's session cookie"},
		{"https://hooks.slack.com/", "the address of an incoming webhook"},
	} {
		if strings.HasPrefix(token, k.prefix) {
			return k.kind
		}
	}
	if len(token) == 32 && strings.Trim(strings.ToLower(token), "0123456789abcdef") == "" {
		return "a signing or client secret"
	}
	return ""
}

// BotFault says what is wrong with a bot token that begins as another kind
// does, and what to do about it. Both are empty when nothing is known to be
// wrong. It never repeats the token.
func BotFault(token string) (fault, fix string) {
	kind := kindOf(token)
	switch {
	case strings.HasPrefix(token, "xoxb-"):
		return "", ""
	case strings.HasPrefix(token, "xapp-"):
		return "is an app-level token", BotFix + "; xapp-… belongs to slack.appToken"
	case strings.HasPrefix(token, "xoxe.xoxb-"):
		return "is " + kind, "token rotation cannot be switched off again: create the app anew from the manifest, then " + BotFix
	case kind != "":
		return "is " + kind, BotFix
	}
	return "", "" // a kind that nobody here knows: Slack will say
}

// AppFault is BotFault for the app-level token of Socket Mode.
func AppFault(token string) (fault, fix string) {
	kind := kindOf(token)
	switch {
	case strings.HasPrefix(token, "xapp-"):
		return "", ""
	case strings.HasPrefix(token, "xoxb-"):
		return "is a bot token", AppFix + "; xoxb-… belongs to slack.botToken"
	case kind != "":
		return "is " + kind, AppFix
	}
	return "", ""
}
