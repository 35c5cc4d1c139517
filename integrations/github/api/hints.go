package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/transport"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// maxWords is how much of GitHub's own words is shown, in bytes.
const maxWords = 200

// Said is what GitHub answered, in a few words.
func Said(err error) string {
	var later *wire.Later
	resp, message := answerOf(err) //nolint:bodyclose // it is read and closed
	switch {
	case errors.As(err, &later):
		return "GitHub's limit of calls is used up, or it asked to wait; next in " + later.After.Round(time.Second).String()
	case resp == nil && isNotJSON(err):
		return "what answers there does not speak GitHub's API"
	case resp == nil:
		return wire.Scrub(err).Error()
	case message == "":
		return fmt.Sprintf("GitHub answers %d", resp.StatusCode)
	}
	return fmt.Sprintf("GitHub answers %d %s", resp.StatusCode, message)
}

// Advice says what to do about a call that failed. needs names the permission that
// the call takes; it is used where GitHub does not name one itself.
func Advice(err error, needs string) string {
	resp, message := answerOf(err) //nolint:bodyclose // it is read and closed
	var later *wire.Later
	var redirected *wire.Redirected
	var app *ghinstallation.HTTPError
	switch low := strings.ToLower(message); {
	case errors.As(err, &later):
		return "nothing to do: it goes on by itself; if it happens often, give rollcall a token that nothing else uses"
	case isNotJSON(err):
		return apiHint
	case errors.As(err, &redirected):
		return "check github.apiURL"
	case resp == nil:
		return "check that this machine reaches " + defaultAPI + ", or what github.apiURL names"
	case resp.Header.Get("X-GitHub-SSO") != "" && resp.StatusCode == http.StatusForbidden:
		return "the organization demands single sign-on of this token: its owner authorizes it" + ssoAddress(resp.Header.Get("X-GitHub-SSO"))
	case strings.Contains(low, "suspended"):
		return "the installation of the app is suspended: an owner of the organization lifts that under Settings, GitHub Apps"
	case strings.Contains(low, "ip allow list"):
		return "the organization has an IP allow list: add this machine's address to it"
	case strings.Contains(low, "archived"):
		return "the repository is archived and takes no changes"
	case errors.As(err, &app) && resp.StatusCode == http.StatusNotFound:
		return "check github.app.installationID: the app is not installed there, or is another one"
	case resp.StatusCode == http.StatusUnauthorized && strings.Contains(low, "json web token"), strings.Contains(low, "'exp'"), strings.Contains(low, "'iat'"):
		return "check github.app: id, that the private key is one of this app, and this machine's clock"
	case resp.StatusCode == http.StatusUnauthorized:
		return "renew the token or the app's key: it has ended, was withdrawn, or is another than was meant"
	case resp.StatusCode == http.StatusForbidden:
		return "give the token or the app " + demanded(resp, needs)
	case resp.StatusCode == http.StatusNotFound && isBareServer(resp), resp.StatusCode == http.StatusNotAcceptable:
		return apiHint
	case resp.StatusCode == http.StatusNotFound:
		return "check the name, and that the token or the app may see it: it needs " + needs
	}
	return "see what GitHub says of it"
}

const apiHint = "check github.apiURL: the API of an Enterprise Server is at https://HOST/api/v3/, that of an account with data residency at https://api.NAME.ghe.com/"

// demanded is the permission that GitHub says a call takes.
func demanded(resp *http.Response, needs string) string {
	if named := resp.Header.Get("X-Accepted-GitHub-Permissions"); named != "" {
		return "the permission " + clean.Line(words.Cut(named, maxWords))
	}
	has, takes := resp.Header.Values("X-OAuth-Scopes"), resp.Header.Get("X-Accepted-OAuth-Scopes")
	if len(has) > 0 && takes != "" { // a classic token; any one of these would do
		return "one of the scopes " + clean.Line(words.Cut(takes, maxWords))
	}
	return needs
}

// ssoAddress is where a token is authorized, without the request's own secret part.
func ssoAddress(header string) string {
	_, at, ok := strings.Cut(header, "url=")
	if !ok {
		return " on GitHub under Settings, Developer settings, Configure SSO"
	}
	return " at " + wire.Address(strings.TrimSpace(at)) + ", or under Settings, Developer settings, Configure SSO"
}

// isBareServer says whether an answer comes from an address that can hardly be an API's.
func isBareServer(resp *http.Response) bool {
	if resp.Request == nil || resp.Request.URL == nil {
		return false
	}
	u := resp.Request.URL
	return !strings.HasPrefix(u.Host, "api.") && !strings.Contains(u.Path, "/api/v3/") && !strings.Contains(resp.Header.Get("Content-Type"), "json")
}

// isNotJSON says whether an answer was no JSON at all, such as a sign-in page.
func isNotJSON(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax)
}

// answerOf is GitHub's refusal behind an error, and its words, cleaned; nil: there is none.
func answerOf(err error) (*http.Response, string) {
	var answer *github.ErrorResponse
	var app *ghinstallation.HTTPError
	switch {
	case errors.As(err, &answer) && answer.Response != nil:
		return answer.Response, clean.Line(words.Cut(answer.Message, maxWords))
	case errors.As(err, &app) && app.Response != nil:
		return app.Response, clean.Line(words.Cut(refusalText(app.Response), maxWords))
	}
	return nil, ""
}

// refusalText is the message of an answer that the library did not read. [transport.Transport] did.
func refusalText(resp *http.Response) string {
	var body struct {
		Message string `json:"message"`
	}
	if resp.Body == nil {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, transport.MaxRefusal))
	resp.Body = io.NopCloser(bytes.NewReader(text)) // for who asks next
	_ = json.Unmarshal(text, &body)
	return body.Message
}
