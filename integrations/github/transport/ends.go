package transport

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Ends asks a GitHub when a token ends; the zero time: it does not. refused says
// that it is not taken any more. The call counts against no limit.
func Ends(ctx context.Context, base http.RoundTripper, api, token string) (ends time.Time, refused bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(api, "/")+"/rate_limit", nil)
	if err != nil {
		return ends, false, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Transport: wire.Transport(Over(base), wire.Pacing{})}).Do(req)
	if err != nil {
		return ends, false, wire.Scrub(err)
	}
	defer resp.Body.Close()
	return parseEnd(resp.Header.Get("GitHub-Authentication-Token-Expiration")), resp.StatusCode == http.StatusUnauthorized, nil
}

// parseEnd reads GitHub's header, in both of its forms.
func parseEnd(header string) time.Time {
	for _, form := range []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700", time.RFC3339} {
		if at, err := time.Parse(form, header); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
