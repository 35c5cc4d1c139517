package jira

import (
	"net/http"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/wire/wiretest"
)

// T4, T8: reads and writes, with the account's token and with a personal one.
func TestCredentialsAndMemoryStayAtHome(t *testing.T) {
	for _, user := range []string{"bot@acme.example", ""} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(method+" "+user, func(t *testing.T) {
				wiretest.Bounds(t, func(t *testing.T, base string, tr http.RoundTripper) (bool, error) {
					c, err := newClient(site{url: base, user: user, token: "a-token"}, tr)
					if err != nil {
						t.Fatal(err)
					}
					var out struct{ Key string }
					err = c.call(t.Context(), method, "rest/api/2/issue/OPS-1", nil, &out)
					return !final(err), err
				})
			})
		}
	}
}
