package github

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

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

// NewInstallations takes the address of the API (empty: DefaultAPI) and the app,
// whose InstallationID does not matter here. It asks nothing. The error is a
// *workflows.Problem about the configuration.
func NewInstallations(api string, app App, base http.RoundTripper) (*Installations, error) {
	u, err := apiAddress(api)
	if err != nil {
		return nil, err
	}
	if _, err := installationTransport(base, u, app.ID, 1, app.PrivateKey); err != nil {
		return nil, err
	}
	return &Installations{api: u, app: app, base: base, clients: map[int64]*github.Client{}}, nil
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

// installationTransport signs requests with the token of an installation. Each has
// an apps transport of its own: the library writes to it whenever it renews a
// token, so one that is shared between installations is a race.
func installationTransport(tr http.RoundTripper, api *url.URL, app, installation int64, key []byte) (http.RoundTripper, error) {
	if tr == nil {
		tr = http.DefaultTransport
	}
	own, err := ghinstallation.New(tr, app, installation, key)
	if err != nil {
		// The library's error may quote the key.
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "github.app.privateKey",
			Message: "github.app.privateKey is not a private key in PEM form", Hint: "download one from the app's settings on GitHub"}
	}
	own.BaseURL = strings.TrimSuffix(api.String(), "/")
	return own, nil
}
