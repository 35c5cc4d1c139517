package jira

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	// renewBefore is how long before its end a token is used no more.
	renewBefore = time.Minute
	// tokenLife is how long a token is used of which the answer does not say how long it is good.
	tokenLife = 10 * time.Minute
)

// AccountOptions are the credentials of a service account.
type AccountOptions struct {
	TokenURL     string // where tokens are given, on Cloud https://auth.atlassian.com/oauth/token
	ClientID     string
	ClientSecret string
	Scope        string            // that tokens are asked for; empty: those of the credential
	Audience     string            // that tokens are for; empty: it is not said
	Transport    http.RoundTripper // nil: http.DefaultTransport
	Now          func() time.Time  // nil: time.Now
}

// Account signs calls with the token of a service account (OAuth 2.0, client
// credentials). All who share one share its token: it is fetched once for all who
// wait for it, used until shortly before its end, and fetched anew once for a call
// that is answered 401.
type Account struct {
	o      AccountOptions
	client *http.Client
	turn   chan struct{} // who holds it fetches a token

	mu    sync.Mutex
	token string
	until time.Time // after this the token is used no more
}

// NewAccount asks for no token yet. The error is a *workflows.Problem about the configuration.
func NewAccount(o AccountOptions) (*Account, error) {
	u, err := url.Parse(o.TokenURL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http"):
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "jira.tokenURL",
			Message: fmt.Sprintf("jira.tokenURL %q is not an address", wire.Address(o.TokenURL)), Hint: "leave it out, or use https://HOST/PATH"}
	case o.ClientID == "":
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "jira.clientID", Message: "jira.clientID is empty", Hint: "it is shown when the credential of the service account is made"}
	case o.ClientSecret == "":
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "jira.clientSecret", Message: "jira.clientSecret is empty", Hint: "make a new OAuth 2.0 credential for the service account"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	transport := wire.Transport(o.Transport, wire.Pacing{Timeout: 20 * time.Second, PerSecond: 1, Burst: 5})
	return &Account{o: o, turn: make(chan struct{}, 1), client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the secret goes nowhere else
	}}, nil
}

// Transport returns base with the account's token on each call.
func (a *Account) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &accountTransport{account: a, base: base}
}

// Token returns a token that is good for some time. refused is one that was
// answered 401, which is not given again; empty: none was. The error is a refusal
// of the credential, or trouble with the connection.
func (a *Account) Token(ctx context.Context, refused string) (string, error) {
	if t, ok := a.usable(refused); ok {
		return t, nil
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if t, ok := a.usable(refused); ok { // somebody else fetched it meanwhile
		return t, nil
	}
	token, life, err := a.fetch(ctx)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token, a.until = token, a.o.Now().Add(life)
	return token, nil
}

// usable returns the token that is at hand, unless it is near its end or is the refused one.
func (a *Account) usable(refused string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.token, a.token != "" && a.token != refused && a.o.Now().Before(a.until)
}

// fetch asks for a token, and says how long it is to be used.
func (a *Account) fetch(ctx context.Context) (token string, life time.Duration, err error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {a.o.ClientID}, "client_secret": {a.o.ClientSecret}}
	if a.o.Scope != "" {
		form.Set("scope", a.o.Scope)
	}
	if a.o.Audience != "" {
		form.Set("audience", a.o.Audience)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.o.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, wire.Scrub(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return "", 0, fmt.Errorf("ask for Jira's access token: %w", wire.Scrub(err))
	}
	defer resp.Body.Close()
	var said struct {
		Token  string  `json:"access_token"`
		Life   float64 `json:"expires_in"` // seconds
		Error  string  `json:"error"`
		Detail string  `json:"error_description"`
	}
	unread := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said)
	switch {
	case resp.StatusCode == http.StatusOK && said.Token != "" && unread == nil:
		return said.Token, useFor(said.Life), nil
	case resp.StatusCode == http.StatusOK:
		return "", 0, errors.New("the answer of jira.tokenURL holds no access token")
	case resp.StatusCode >= 500:
		return "", 0, &refusal{status: http.StatusServiceUnavailable, says: fmt.Sprintf("jira.tokenURL answers %d", resp.StatusCode)}
	}
	why := fmt.Sprintf("jira.tokenURL answers %d", resp.StatusCode)
	if more := words.Cut(clean.Line(strings.TrimSpace(said.Error+" "+said.Detail)), 200); more != "" {
		why += " (" + more + ")"
	}
	return "", 0, &refusal{status: http.StatusUnauthorized, says: why + "; check jira.clientID and jira.clientSecret"}
}

// useFor is how long a token is used that is good for so many seconds.
func useFor(seconds float64) time.Duration {
	life := time.Duration(min(seconds, (24*time.Hour).Seconds()) * float64(time.Second))
	switch {
	case life <= 0:
		return tokenLife
	case life <= 2*renewBefore:
		return life / 2
	}
	return life - renewBefore
}

type accountTransport struct {
	account *Account
	base    http.RoundTripper
}

// RoundTrip makes the call, and once more with a new token where the first is
// refused: a call that is answered 401 has changed nothing. A credential that is
// refused is a 401 of Jira's own.
func (t *accountTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	refused := ""
	for try := 0; ; try++ {
		token, err := t.account.Token(req.Context(), refused)
		if said, ok := errors.AsType[*refusal](err); ok {
			return said.response(req), nil
		}
		if err != nil {
			return nil, err
		}
		signed := req.Clone(req.Context())
		if try > 0 && req.Body != nil {
			if signed.Body, err = req.GetBody(); err != nil {
				return nil, fmt.Errorf("repeat a call to Jira: %w", err)
			}
		}
		signed.Header.Set("Authorization", "Bearer "+token)
		resp, err := t.base.RoundTrip(signed)
		if err != nil || resp.StatusCode != http.StatusUnauthorized || try > 0 || req.Body != nil && req.GetBody == nil {
			return resp, err
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		_ = resp.Body.Close()
		refused = token
	}
}

// response is the refusal as an answer of Jira's.
func (r *refusal) response(req *http.Request) *http.Response {
	if req.Body != nil {
		_ = req.Body.Close()
	}
	body, _ := json.Marshal(map[string]any{"errorMessages": []string{r.says}, "errors": map[string]string{}}) // texts always marshal
	return &http.Response{Status: http.StatusText(r.status), StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req}
}
