package slack

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A response URL is a secret: it has one name whatever its path.
func TestCallsAreNamedByTheirMethod(t *testing.T) {
	for path, want := range map[string]string{
		"https://slack.com/api/chat.postMessage": "chat.postMessage", "http://127.0.0.1:1/slack-api/api/views.open": "views.open",
		"https://hooks.slack.com/commands/T1/123/s3cret.token": "response_url", "https://slack.com/api/": "response_url",
	} {
		if got := System().Operation(httptest.NewRequest(http.MethodPost, path, nil)); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

func TestARefusalOfSlackIsSeenAndLeftToBeRead(t *testing.T) {
	for body, want := range map[string]bool{`{"ok":true,"ts":"1.2"}`: false, `{"ok":false,"error":"channel_not_found"}`: true, "ok": false, "": false} {
		resp := &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}
		if got := System().Refused(resp); got != want {
			t.Errorf("%q: %v", body, got)
		}
		if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != body {
			t.Errorf("%q: what is left is %q, %v", body, rest, err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}
