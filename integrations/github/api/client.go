package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/transport"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// defaultAPI is the API of github.com.
const defaultAPI = "https://api.github.com/"

// App authenticates as an installation of a GitHub App.
type App struct {
	ID             int64
	InstallationID int64
	PrivateKey     []byte // PEM
}

// New makes the library's client, at five calls a second. Exactly one of token
// and app is set. Clients over the same [transport.Transport] share what it knows.
func New(api, token string, app *App, base http.RoundTripper) (*github.Client, error) {
	return NewPaced(api, token, app, base, wire.Pacing{Timeout: 20 * time.Second, PerSecond: 5, Burst: 10})
}

// NewPaced is New with a pace of its own.
func NewPaced(api, token string, app *App, base http.RoundTripper, pace wire.Pacing) (*github.Client, error) {
	u, err := Address(api)
	if err != nil {
		return nil, err
	}
	tr := wire.Transport(transport.Over(base), pace)
	switch {
	case app == nil && token == "", app != nil && token != "":
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "github.token",
			Message: "github needs exactly one of token and app", Hint: "give the token of a bot account, or the id, installationID and privateKey of a GitHub App"}
	case app != nil:
		own, err := installationTransport(tr, u, app.ID, app.InstallationID, app.PrivateKey)
		if err != nil {
			return nil, err
		}
		return libraryClient(own, u), nil
	}
	c := libraryClient(tr, u).WithAuthToken(token)
	c.BaseURL = u
	return c, nil
}

// Address reads the address of an API; empty: that of github.com. It ends in "/".
func Address(api string) (*url.URL, error) {
	if api == "" {
		api = defaultAPI
	}
	u, err := url.Parse(strings.TrimSuffix(api, "/") + "/")
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "github.apiURL",
			Message: fmt.Sprintf("github.apiURL %q is not an address", wire.Address(api)),
			Hint:    "use " + defaultAPI + " or https://HOST/api/v3/, without a user part"}
	}
	return u, nil
}

func libraryClient(tr http.RoundTripper, api *url.URL) *github.Client {
	c := github.NewClient(&http.Client{Transport: tr})
	c.BaseURL = api
	return c
}

// Kind says what becomes of a failed call if it is made again. No answer at all may pass.
func Kind(err error) wire.Kind {
	var limit *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	status := Status(err)
	switch {
	case errors.As(err, &limit), errors.As(err, &abuse):
		return wire.Transient
	case wire.Final(err):
		return wire.Permanent
	case status == 0:
		return wire.Transient
	}
	return wire.KindOf(status)
}

// Status is the status of GitHub's refusal, also of an app's token; 0: it was none.
func Status(err error) int {
	var answer *github.ErrorResponse
	var app *ghinstallation.HTTPError
	switch {
	case errors.As(err, &answer) && answer.Response != nil:
		return answer.Response.StatusCode
	case errors.As(err, &app) && app.Response != nil:
		return app.Response.StatusCode
	}
	return 0
}
