package github

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// DefaultAPI is the API of github.com.
const DefaultAPI = "https://api.github.com/"

// App authenticates as an installation of a GitHub App.
type App struct {
	ID             int64
	InstallationID int64
	PrivateKey     []byte // PEM
}

// newClient makes the library's client. Exactly one of token and app is set.
// Writes are paced at one a second, as GitHub asks for.
func newClient(api, token string, app *App, base http.RoundTripper) (*github.Client, error) {
	return newPacedClient(api, token, app, base, wire.Pacing{Timeout: 20 * time.Second, PerSecond: 5, Burst: 10})
}

// newPacedClient is newClient with a pace of its own.
func newPacedClient(api, token string, app *App, base http.RoundTripper, pace wire.Pacing) (*github.Client, error) {
	if api == "" {
		api = DefaultAPI
	}
	u, err := url.Parse(strings.TrimSuffix(api, "/") + "/")
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "github.apiURL",
			Message: fmt.Sprintf("github.apiURL %q is not an address", wire.Address(api)),
			Hint:    "use " + DefaultAPI + " or https://HOST/api/v3/, without a user part"}
	}
	hc := &http.Client{Transport: wire.Transport(base, pace)}
	switch {
	case app == nil && token == "", app != nil && token != "":
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "github.token",
			Message: "github needs exactly one of token and app", Hint: "give the token of a bot account, or the id, installationID and privateKey of a GitHub App"}
	case app != nil:
		tr, err := ghinstallation.New(hc.Transport, app.ID, app.InstallationID, app.PrivateKey)
		if err != nil {
			// The library's error may quote the key.
			return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "github.app.privateKey",
				Message: "github.app.privateKey is not a private key in PEM form", Hint: "download one from the app's settings on GitHub"}
		}
		tr.BaseURL = strings.TrimSuffix(u.String(), "/")
		hc = &http.Client{Transport: tr}
	}
	c := github.NewClient(hc)
	if token != "" {
		c = c.WithAuthToken(token)
	}
	c.BaseURL = u
	return c, nil
}

// kindOf says what becomes of a failed call if it is made again. No answer at all may pass.
func kindOf(err error) wire.Kind {
	var limit *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	status := answered(err)
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

// answered is the status of GitHub's refusal, also of an app's token; 0: it was none.
func answered(err error) int {
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
