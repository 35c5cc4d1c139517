package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// request is what a service was asked for.
type request struct{ method, uri, kind, token, body string }

// service answers every request with one status and body, and notes what was asked.
func service(t *testing.T, status int, answer string) (*Client, *request) {
	t.Helper()
	got := &request{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = request{r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body)}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(srv.Close)
	return &Client{URL: srv.URL, Token: "a-token-of-ci", HTTP: srv.Client()}, got
}

// Every call goes to its own address, with names that no slash or # takes apart.
func TestWhatIsAskedOfTheService(t *testing.T) {
	for _, c := range []struct {
		about  string
		call   func(context.Context, *Client) error
		method string
		uri    string
		kind   string
		body   string
	}{
		{"an execution by reference", func(ctx context.Context, c *Client) error { _, err := c.Execution(ctx, "webshop#42"); return err },
			"GET", "/api/v1/executions/webshop%2342", "application/json", ""},
		{"a reference with a slash stays one segment", func(ctx context.Context, c *Client) error { _, err := c.Execution(ctx, "../backup"); return err },
			"GET", "/api/v1/executions/..%2Fbackup", "application/json", ""},
		{"executions without limits", func(ctx context.Context, c *Client) error {
			_, err := c.Executions(ctx, record.Query{Pipeline: "webshop"})
			return err
		}, "GET", "/api/v1/pipelines/webshop/executions?", "application/json", ""},
		{"executions with everything", func(ctx context.Context, c *Client) error {
			_, err := c.Executions(ctx, record.Query{Pipeline: "web shop", Limit: 5, Before: 40, Status: workflows.StatusFailed, SucceededInStage: "Prod & Co"})
			return err
		}, "GET", "/api/v1/pipelines/web%20shop/executions?before=40&limit=5&status=Failed&succeededInStage=Prod+%26+Co", "application/json", ""},
		{"all pipelines", func(ctx context.Context, c *Client) error { _, err := c.Pipelines(ctx); return err },
			"GET", "/api/v1/pipelines", "application/json", ""},
		{"the pipeline in force", func(ctx context.Context, c *Client) error { _, err := c.Pipeline(ctx, "webshop"); return err },
			"GET", "/api/v1/pipelines/webshop", "application/json", ""},
		{"an earlier version", func(ctx context.Context, c *Client) error { _, err := c.Version(ctx, "webshop", 3); return err },
			"GET", "/api/v1/pipelines/webshop?version=3", "application/json", ""},
		{"targets of a rollback", func(ctx context.Context, c *Client) error { _, err := c.Targets(ctx, "webshop", "EU/Prod"); return err },
			"GET", "/api/v1/pipelines/webshop/stages/EU%2FProd/targets", "application/json", ""},
		{"start", func(ctx context.Context, c *Client) error { _, err := c.Start(ctx, "webshop"); return err },
			"POST", "/api/v1/pipelines/webshop/executions", "application/json", "{}"},
		{"a declaration goes as it was written", func(ctx context.Context, c *Client) error {
			_, err := c.Put(ctx, "webshop", []byte("name: webshop # mine\n"))
			return err
		}, "PUT", "/api/v1/pipelines/webshop", "application/yaml", "name: webshop # mine\n"},
		{"a body in JSON", func(ctx context.Context, c *Client) error {
			return c.Do(ctx, http.MethodPost, "executions/e/stop", map[string]string{"reason": "wrong <branch>"}, nil)
		}, "POST", "/api/v1/executions/e/stop", "application/json", `{"reason":"wrong \u003cbranch\u003e"}`},
		{"a log from where it was left", func(ctx context.Context, c *Client) error {
			_, err := c.Log(ctx, "webshop#42", "Build", "Unit tests", 2, 1<<40, io.Discard)
			return err
		}, "GET", "/api/v1/executions/webshop%2342/log?action=Unit+tests&attempt=2&offset=1099511627776&stage=Build", "application/json", ""},
		{"the feed after a cursor", func(ctx context.Context, c *Client) error {
			_, err := c.Watch(ctx, "webshop", "a+b/7", func(FeedEvent) error { return nil })
			return err
		}, "GET", "/api/v1/events?after=a%2Bb%2F7&pipeline=webshop", "application/json", ""},
		{"a backup", func(ctx context.Context, c *Client) error { return c.Backup(ctx, io.Discard) },
			"GET", "/api/v1/backup", "application/json", ""},
		{"a trail", func(ctx context.Context, c *Client) error {
			_, err := c.Trail(ctx, "webshop#42")
			return err
		},
			"GET", "/api/v1/audit/webshop%2342", "application/json", ""},
		{"the record", func(ctx context.Context, c *Client) error {
			return c.Records(ctx, RecordQuery{Pipeline: "webshop", After: "webshop@42"}, func([]byte) error { return nil })
		},
			"GET", "/api/v1/audit?after=webshop%4042&pipeline=webshop", "application/json", ""},
	} {
		for _, slash := range []string{"", "/"} {
			client, got := service(t, http.StatusOK, "{}")
			client.URL += slash
			if err := c.call(t.Context(), client); err != nil {
				t.Errorf("%s: %v", c.about, err)
			}
			if want := (request{c.method, c.uri, c.kind, "Bearer a-token-of-ci", c.body}); *got != want {
				t.Errorf("%s (URL ends with %q):\n got %+v\nwant %+v", c.about, slash, *got, want)
			}
		}
	}
}

// No text shows the password of an address, whether it is one or not.
func TestPasswordsOfAddressesAreNotShown(t *testing.T) {
	real, _ := service(t, http.StatusUnauthorized, `{"code":"Unauthorized","detail":"no"}`)
	for _, address := range []string{"http://ana:s3cret@127.0.0.1:1", "http://ana:s3cret@127.0.0.1 1", strings.Replace(real.URL, "http://", "http://ana:s3cret@", 1)} {
		for _, token := range []string{"", "of-ci"} {
			if _, err := (&Client{URL: address, Token: token, HTTP: real.HTTP}).WhoAmI(t.Context()); err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}

// What the service refuses comes back in its words; what is not the service is said to be something else.
// No text of any of them shows the token.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		about   string
		status  int
		answer  string
		token   string
		code    string
		message string
		hint    string
	}{
		{"a refusal in words", 403, `{"code":"Forbidden","detail":"ana may not approve","hint":"ask group:sre"}`, "a-token-of-ci", "Forbidden", "ana may not approve", "ask group:sre"},
		{"a conflict without a hint", 409, `{"code":"Conflict","detail":"webshop#42 has ended"}`, "a-token-of-ci", "Conflict", "webshop#42 has ended", ""},
		{"every fault of a file has its place", 422,
			`{"code":"Validation","detail":"the file has 2 faults","diagnostics":[{"line":3,"column":5,"message":"there is no key nmae"},{"line":12,"column":1,"message":"stages is missing"}]}`,
			"a-token-of-ci", "Validation", "the file has 2 faults", "\n  line 3, column 5: there is no key nmae\n  line 12, column 1: stages is missing"},
		{"faults come behind the hint", 422, `{"code":"Validation","detail":"one fault","hint":"see below","diagnostics":[{"line":1,"column":2,"message":"x"}]}`,
			"a-token-of-ci", "Validation", "one fault", "see below\n  line 1, column 2: x"},
		{"the token is not known", 401, `{"code":"Unauthorized","detail":"no","hint":"no"}`, "a-token-of-ci", "Unauthorized",
			"the API token is not known to URL", "it must be one of the service's api.tokens: check ROLLCALL_TOKEN and ROLLCALL_URL, or sign in with rollcall login URL"},
		{"no token was sent", 401, `{"code":"Unauthorized","detail":"no","hint":"no"}`, "", "Unauthorized",
			"no API token was given", "sign in with rollcall login URL, or set ROLLCALL_TOKEN to a token of the service's api.tokens"},
		{"a proxy's page", 502, "<html>Bad Gateway</html>", "a-token-of-ci", Unreachable, "the service answered 502 Bad Gateway, not as rollcall does", "is ROLLCALL_URL the address of rollcall?"},
		{"JSON of something else", 404, `{"error":"not found"}`, "a-token-of-ci", Unreachable, "the service answered 404 Not Found, not as rollcall does", "is ROLLCALL_URL the address of rollcall?"},
		{"JSON that is no object", 500, `["oops"]`, "a-token-of-ci", Unreachable, "the service answered 500 Internal Server Error, not as rollcall does", "is ROLLCALL_URL the address of rollcall?"},
		{"nothing at all", 503, "", "a-token-of-ci", Unreachable, "the service answered 503 Service Unavailable, not as rollcall does", "is ROLLCALL_URL the address of rollcall?"},
		{"a page without end", 500, `{"detail":"` + strings.Repeat("x", 1<<17) + `"}`, "a-token-of-ci", Unreachable, "the service answered 500 Internal Server Error, not as rollcall does", "is ROLLCALL_URL the address of rollcall?"},
	} {
		client, got := service(t, c.status, c.answer)
		client.Token = c.token
		_, err := client.Execution(t.Context(), "webshop#42")
		var p *workflows.Problem
		if !errors.As(err, &p) {
			t.Errorf("%s: %v", c.about, err)
			continue
		}
		message, hint := strings.ReplaceAll(p.Message, client.URL, "URL"), strings.ReplaceAll(p.Hint, client.URL, "URL")
		if p.Code != c.code || message != c.message || hint != c.hint {
			t.Errorf("%s:\n got %s, %q, %q\nwant %s, %q, %q", c.about, p.Code, message, hint, c.code, c.message, c.hint)
		}
		if strings.Contains(err.Error(), "a-token-of-ci") {
			t.Errorf("%s: the token is shown: %v", c.about, err)
		}
		if (got.token == "") != (c.token == "") {
			t.Errorf("%s: Authorization %q was sent", c.about, got.token)
		}
	}
}

// When nothing answers, the address is said once, and what to do.
func TestNothingAnswers(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, c := range []struct{ about, url, want string }{
		{"nobody listens", gone.URL, "cannot reach rollcall at " + gone.URL},
		{"another protocol", "ftp://127.0.0.1", "unsupported protocol scheme"},
		{"no address", "http://[::1", "ROLLCALL_URL is not an address"},
	} {
		client := &Client{URL: c.url, Token: "a-token-of-ci", HTTP: http.DefaultClient}
		err := client.Do(t.Context(), http.MethodGet, "pipelines", nil, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "a-token-of-ci") || strings.Contains(err.Error(), "/api/v1/") && !strings.Contains(c.about, "no address") {
			t.Errorf("%s: %v", c.about, err)
		}
	}
}

// An answer that breaks off is no success: half a backup must not pass for one.
func TestAnswersThatBreakOff(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "0123456789")
	}))
	t.Cleanup(srv.Close)
	client := &Client{URL: srv.URL, HTTP: srv.Client()}
	var out bytes.Buffer
	if err := client.Backup(t.Context(), &out); err == nil || !strings.Contains(err.Error(), "the backup broke off") {
		t.Errorf("backup: %v", err)
	}
	if err := client.Records(t.Context(), RecordQuery{}, func([]byte) error { return nil }); err == nil || !strings.Contains(err.Error(), "the record broke off") {
		t.Errorf("record: %v", err)
	}
	if offset, err := client.Log(t.Context(), "webshop#42", "Build", "Test", 1, 90, io.Discard); err == nil || offset != 100 {
		t.Errorf("log: offset %d, %v; want 100, so that nothing is read twice, and an error", offset, err)
	}
	if _, err := client.Execution(t.Context(), "webshop#42"); err == nil || !strings.Contains(err.Error(), "read the answer of "+srv.URL) {
		t.Errorf("execution: %v", err)
	}
}

// The feed goes on after the last event that was taken, whatever ended it.
func TestWatchKeepsItsPlace(t *testing.T) {
	full := errors.New("the pipe is closed")
	for _, c := range []struct {
		about, feed string
		seen        []string
		after       string
		err         string
		failAt      string
	}{
		{"nothing yet", ": keep-alive\n\n", nil, "start", "", ""},
		{"comments and names between events", "id: 1\nevent: x\ndata: {\"cursor\":\"c1\"}\n\n: keep-alive\n\ndata: {\"cursor\":\"c2\"}\n\n", []string{"c1", "c2"}, "c2", "", ""},
		{"an event that is cut", "data: {\"cursor\":\"c1\"}\n\ndata: {\"cursor\":\"c", []string{"c1"}, "c1", "read the live feed", ""},
		{"the reader fails", "data: {\"cursor\":\"c1\"}\n\ndata: {\"cursor\":\"c2\"}\n\ndata: {\"cursor\":\"c3\"}\n\n", []string{"c1", "c2"}, "c2", full.Error(), "c2"},
		{"a long line", "data: {\"cursor\":\"c1\",\"text\":\"" + strings.Repeat("x", 1<<20) + "\"}\n\n", []string{"c1"}, "c1", "", ""},
	} {
		client, _ := service(t, http.StatusOK, c.feed)
		var seen []string
		after, err := client.Watch(t.Context(), "", "start", func(e FeedEvent) error {
			seen = append(seen, e.Cursor)
			if e.Cursor == c.failAt {
				return full
			}
			return nil
		})
		if !slices.Equal(seen, c.seen) || after != c.after || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: seen %v, after %s, %v; want %v, %s, %q", c.about, seen, after, err, c.seen, c.after, c.err)
		}
	}
}
