package api

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/transport"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// mostInstallations is for how many installations clients are kept. Anybody may
// install a public app; one that was forgotten is made again.
const mostInstallations = 256

// Installations makes the clients of a GitHub App, one for each installation. Each
// signs in with a token of its own installation, which it renews by itself.
type Installations struct {
	api  *url.URL
	app  App
	base http.RoundTripper

	mu      sync.Mutex
	clients map[int64]*github.Client
}

// NewInstallations takes the address of the API (empty: https://api.github.com/) and the app,
// whose InstallationID does not matter here. It asks nothing. The error is a
// *workflows.Problem about the configuration.
func NewInstallations(api string, app App, base http.RoundTripper) (*Installations, error) {
	u, err := Address(api)
	if err != nil {
		return nil, err
	}
	if _, err := installationTransport(base, u, app.ID, 1, app.PrivateKey); err != nil {
		return nil, err
	}
	return &Installations{api: u, app: app, base: transport.Over(base), clients: map[int64]*github.Client{}}, nil
}

// Client is the client of an installation, always the same one for the same ID. An
// ID that GitHub does not know shows at the first call. The error is a *workflows.Problem.
func (i *Installations) Client(id int64) (*github.Client, error) {
	if id <= 0 {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Message: "what GitHub sent names no installation of the app",
			Hint: "set the webhook up in the settings of the GitHub App, not in those of a repository"}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if c := i.clients[id]; c != nil {
		return c, nil
	}
	tr, err := installationTransport(wire.Transport(i.base, wire.Pacing{Timeout: 20 * time.Second, PerSecond: 5, Burst: 10}), i.api, i.app.ID, id, i.app.PrivateKey)
	if err != nil {
		return nil, err
	}
	if len(i.clients) >= mostInstallations {
		clear(i.clients)
	}
	c := libraryClient(tr, i.api)
	i.clients[id] = c
	return c, nil
}

// renewAtMost is how often a refused token is replaced before its hour is over.
const renewAtMost = time.Minute

// installation signs requests with the token of an installation, which the library
// keeps for an hour. One that GitHub refuses is replaced: the app may have been
// installed anew or, what only a new token knows, have been given more permissions.
type installation struct {
	fresh func() (http.RoundTripper, error)

	mu      sync.Mutex
	current http.RoundTripper
	renewed time.Time
}

// installationTransport has an apps transport of its own: the library writes to it
// whenever it renews a token, so one that is shared between installations is a race.
func installationTransport(tr http.RoundTripper, api *url.URL, app, id int64, key []byte) (http.RoundTripper, error) {
	if tr == nil {
		tr = http.DefaultTransport
	}
	fresh := func() (http.RoundTripper, error) {
		own, err := ghinstallation.New(tr, app, id, key)
		if err != nil {
			return nil, badKey()
		}
		own.BaseURL = strings.TrimSuffix(api.String(), "/")
		return own, nil
	}
	current, err := fresh()
	if err != nil {
		return nil, err
	}
	return &installation{fresh: fresh, current: current}, nil
}

// badKey is said in place of the library's error, which may quote the key.
func badKey() error {
	return &workflows.Problem{Code: workflows.CodeValidation, Field: "github.app.privateKey",
		Message: "github.app.privateKey is not a private key in PEM form", Hint: "download one from the app's settings on GitHub"}
}

// RoundTrip implements http.RoundTripper. After 401 and 403 nothing was done, so the
// same may be asked again.
func (i *installation) RoundTrip(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	tr := i.current
	i.mu.Unlock()
	resp, err := tr.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return resp, err
	}
	again := req.Clone(req.Context())
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return resp, nil
		}
		if again.Body, err = req.GetBody(); err != nil {
			return resp, nil
		}
	}
	renewed, ok := i.renew(tr)
	if !ok {
		return resp, nil
	}
	_ = resp.Body.Close()
	return renewed.RoundTrip(again)
}

// renew replaces a transport whose token was refused, unless that has just been done.
func (i *installation) renew(refused http.RoundTripper) (http.RoundTripper, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.current != refused {
		return i.current, true
	}
	if time.Since(i.renewed) < renewAtMost {
		return nil, false
	}
	tr, err := i.fresh()
	if err != nil {
		return nil, false
	}
	i.current, i.renewed = tr, time.Now()
	return tr, true
}

// NewForApp is the client of the app itself, which signs with its key: it knows of
// the app's webhook, and of no repository.
func NewForApp(api string, app *App, base http.RoundTripper) (*github.Client, error) {
	u, err := Address(api)
	if err != nil {
		return nil, err
	}
	tr, err := ghinstallation.NewAppsTransport(wire.Transport(transport.Over(base), wire.Pacing{PerSecond: 5, Burst: 10}), app.ID, app.PrivateKey)
	if err != nil {
		return nil, badKey()
	}
	return libraryClient(tr, u), nil
}
