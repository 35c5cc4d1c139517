package slack

import "strings"

const (
	botTokenFix = "take the bot token (Bot User OAuth Token, xoxb-…) from the app's page OAuth & Permissions at https://api.slack.com/apps"
	appTokenFix = "generate one with the scope connections:write at https://api.slack.com/apps, the app, Basic Information, App-Level Tokens; it begins with xapp-"
)

// tokenKind says what a token is by the way it begins; empty when nobody can say.
func tokenKind(token string) string {
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

// BotTokenFault says what is wrong with a bot token that begins as another kind
// does, and what to do about it. Both are empty when nothing is known to be
// wrong. It never repeats the token.
func BotTokenFault(token string) (fault, fix string) {
	kind := tokenKind(token)
	switch {
	case strings.HasPrefix(token, "xoxb-"):
		return "", ""
	case strings.HasPrefix(token, "xapp-"):
		return "is an app-level token", botTokenFix + "; xapp-… belongs to slack.appToken"
	case strings.HasPrefix(token, "xoxe.xoxb-"):
		return "is " + kind, "token rotation cannot be switched off again: create the app anew from the manifest, then " + botTokenFix
	case kind != "":
		return "is " + kind, botTokenFix
	}
	return "", "" // a kind that nobody here knows: Slack will say
}

// AppTokenFault is BotTokenFault for the app-level token of Socket Mode.
func AppTokenFault(token string) (fault, fix string) {
	kind := tokenKind(token)
	switch {
	case strings.HasPrefix(token, "xapp-"):
		return "", ""
	case strings.HasPrefix(token, "xoxb-"):
		return "is a bot token", appTokenFix + "; xoxb-… belongs to slack.botToken"
	case kind != "":
		return "is " + kind, appTokenFix
	}
	return "", ""
}
