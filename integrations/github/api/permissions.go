package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/rollcall-bot/rollcall/integrations/github/transport"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Permissions is a question for the permissions of an app's installation, by
// GitHub's names ("pull_requests": "write"). Each time a new token is made,
// because only that knows what was granted since.
func Permissions(api string, app App, base http.RoundTripper) (func(ctx context.Context) (map[string]string, error), error) {
	u, err := Address(api)
	if err != nil {
		return nil, err
	}
	tr := wire.Transport(transport.Over(base), wire.Pacing{Timeout: 20 * time.Second})
	signIn := func() (*ghinstallation.Transport, error) {
		own, err := ghinstallation.New(tr, app.ID, app.InstallationID, app.PrivateKey)
		if err != nil {
			return nil, badKey()
		}
		own.BaseURL = strings.TrimSuffix(u.String(), "/")
		return own, nil
	}
	if _, err := signIn(); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (map[string]string, error) {
		own, err := signIn()
		if err != nil {
			return nil, err
		}
		if _, err := own.Token(ctx); err != nil {
			return nil, wire.Scrub(err)
		}
		p, err := own.Permissions()
		if err != nil {
			return nil, err
		}
		raw, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		granted := map[string]string{}
		return granted, json.Unmarshal(raw, &granted)
	}, nil
}
