package wire

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// tally notes calls.
type tally struct {
	mu    sync.Mutex
	heard []string
}

func (c *tally) Called(system, operation, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, system+" "+operation+" "+result)
}

func (c *tally) Remaining(system string, calls int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, fmt.Sprint(system, " has ", calls))
}

func TestCallsAreCountedByWhatBecameOfThem(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply reply
		want  []string
	}{
		{"done", answers(200), []string{"jira POST issue ok"}},
		{"moved", answers(302), []string{"jira POST issue ok"}},
		{"said no", answers(404), []string{"jira POST issue refused"}},
		{"said no with 200", answers(200, "X-Refused", "yes"), []string{"jira POST issue refused"}},
		{"not now", answers(429), []string{"jira POST issue limited"}},
		{"not now, with a time", answers(503, "Retry-After", "1"), []string{"jira POST issue limited"}},
		{"no calls left", answers(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1"), []string{"jira POST issue limited", "jira has 0"}},
		{"calls left", answers(200, "X-RateLimit-Remaining", "41"), []string{"jira POST issue ok", "jira has 41"}},
		{"a fault", answers(502), []string{"jira POST issue failed"}},
		{"no answer", breaks, []string{"jira POST issue failed"}},
	} {
		seen := &tally{}
		s := System{Name: "jira", Operation: ByPath("issue"), Refused: func(r *http.Response) bool { return r.Header.Get("X-Refused") != "" }}
		resp, err := Counted(&script{answers: []func(*http.Request) (*http.Response, error){c.reply}}, s, seen).RoundTrip(httptest.NewRequest(http.MethodPost, "https://jira.example/rest/api/2/issue", nil))
		if err == nil {
			resp.Body.Close()
		}
		if !slices.Equal(seen.heard, c.want) {
			t.Errorf("%s: %q, want %q", c.name, seen.heard, c.want)
		}
	}
}

// An operation never holds what it is done to.
func TestOperationsAreOfAFewWords(t *testing.T) {
	name := ByPath("issue", "comment", "search")
	for path, want := range map[string]string{
		"/rest/api/2/issue/OPS-1/comment": "GET comment", "/rest/api/2/issue/OPS-1": "GET issue", "/rest/api/2/search/jql": "GET search",
		"/jira/rest/api/2/search": "GET search", "/rest/api/2/myself": "GET other", "/": "GET other", "/OPS-1": "GET other",
	} {
		if got := name(httptest.NewRequest(http.MethodGet, "https://jira.example"+path, nil)); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}
