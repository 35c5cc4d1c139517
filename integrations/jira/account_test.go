package jira

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
)

// inProcess makes calls without a network, so that time is a bubble's.
type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// signedIn is a Jira, and a client with the service account that it knows.
func signedIn(t *testing.T, secret string) (*jirafake.Server, *Account, *client) {
	t.Helper()
	fake := jirafake.New(jirafake.Options{})
	fake.ServiceAccount("id", "right", time.Hour)
	a, err := NewAccount(AccountOptions{TokenURL: "http://auth.test/oauth/token", ClientID: "id", ClientSecret: secret, Transport: inProcess{fake}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(site{url: "https://acme.test", apiURL: "http://api.test/ex/jira/cloud-1", account: a}, inProcess{fake})
	if err != nil {
		t.Fatal(err)
	}
	return fake, a, c
}

func TestATokenOfAServiceAccountIsFetchedOnceForAllAndBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, _, c := signedIn(t, "right")
		key := fake.Open("OPS", "Bug", "x")
		all := func() {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if s, err := c.state(t.Context(), key); err != nil || !s.there {
						t.Errorf("a call ended with %v", err)
					}
				})
			}
			wg.Wait()
		}
		all()
		if n := fake.Tokens(); n != 1 {
			t.Errorf("%d tokens for 8 calls at once", n)
		}
		time.Sleep(58 * time.Minute)
		all()
		if n := fake.Tokens(); n != 1 {
			t.Errorf("a token that is good was given up: %d", n)
		}
		time.Sleep(time.Minute + time.Second) // a minute less a second of it is left
		all()
		if n := fake.Tokens(); n != 2 {
			t.Errorf("%d tokens after the first was nearly over, want 2", n)
		}
		if got := c.link(key); got != "https://acme.test/browse/"+key {
			t.Errorf("people are sent to %s", got)
		}
		if calls := fake.Calls(); !strings.Contains(strings.Join(calls, "\n"), "GET /ex/jira/cloud-1/rest/api/2/issue/") {
			t.Errorf("calls go to %q", calls)
		}
	})
}

func TestATokenThatIsRefusedIsFetchedAnewOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, _, c := signedIn(t, "right")
		key := fake.Open("OPS", "Bug", "x")
		say := func(text string) error {
			var d markup.Doc
			d.Line(markup.Text(text))
			_, err := c.addComment(t.Context(), key, &d)
			return err
		}
		if err := say("first"); err != nil {
			t.Fatal(err)
		}
		fake.RevokeTokens()
		if err := say("second"); err != nil {
			t.Fatal(err)
		}
		if i, _ := fake.Issue(key); len(i.Comments) != 2 || i.Comments[1] != "second\n" || fake.Tokens() != 2 {
			t.Errorf("comments %q with %d tokens", i.Comments, fake.Tokens())
		}
		fake.Faults.Set(fault.Fault{Match: "/ex/jira/", Status: http.StatusUnauthorized})
		before := len(fake.Calls())
		if err := say("third"); answered(err) != http.StatusUnauthorized {
			t.Errorf("the refusal is %v", err)
		}
		if n := len(fake.Calls()) - before; n != 3 { // refused, a token, refused
			t.Errorf("%d calls for one that is refused", n)
		}
	})
}

func TestACredentialThatIsRefusedIsARefusalOfJira(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, _, c := signedIn(t, "a-wrong-secret")
		err := c.call(t.Context(), http.MethodGet, "rest/api/2/issue/"+fake.Open("OPS", "Bug", "x"), nil, nil)
		if answered(err) != http.StatusUnauthorized || !strings.Contains(err.Error(), "jira.clientSecret") || strings.Contains(err.Error(), "a-wrong-secret") {
			t.Errorf("the refusal is %v", err)
		}
	})
}

func TestACallerWhoGivesUpLeavesTheTokenToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := signedIn(t, "right")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := a.Token(gone, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled call ended with %v", err)
		}
		if token, err := a.Token(t.Context(), ""); err != nil || token == "" {
			t.Errorf("the next got %q, %v", token, err)
		}
	})
}

func TestAnAccountThatCannotWorkIsRefused(t *testing.T) {
	for field, o := range map[string]AccountOptions{
		"jira.tokenURL":     {TokenURL: "nowhere", ClientID: "id", ClientSecret: "s"},
		"jira.clientID":     {TokenURL: "https://auth.test/t", ClientSecret: "s"},
		"jira.clientSecret": {TokenURL: "https://auth.test/t", ClientID: "id"},
	} {
		_, err := NewAccount(o)
		if p, ok := errors.AsType[*workflows.Problem](err); !ok || p.Field != field {
			t.Errorf("%+v: %v, want a problem of %s", o, err, field)
		}
	}
}
