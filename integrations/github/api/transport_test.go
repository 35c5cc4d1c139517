package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/github/transport"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// scripted is a GitHub that answers as a function says, and remembers what it was asked.
type scripted struct {
	answer func(n int, r *http.Request) *http.Response

	mu    sync.Mutex
	asked []string
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	resp := s.answer(len(s.asked), r)
	resp.Request = r
	return resp, nil
}

func (s *scripted) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// reply is an answer; its headers come in pairs.
func reply(status int, body string, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func at(d time.Duration) string { return fmt.Sprint(time.Now().Add(d).Unix()) }

// The limits of GitHub, and go-github's traps with them. Each case: what the first
// call is answered, how long GitHub is left alone, and that it is asked again then.
func TestGitHubIsLeftAloneAsLongAsItWants(t *testing.T) {
	const secondary = `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.","documentation_url":"https://docs.github.com/enterprise-server@3.14/rest/overview/resources-in-the-rest-api"}`
	for _, c := range []struct {
		about string
		first func() *http.Response
		wait  time.Duration
	}{
		{"primary, 403", func() *http.Response {
			return reply(403, `{"message":"API rate limit exceeded"}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(40*time.Minute))
		}, 40 * time.Minute},
		{"primary, 429, which go-github takes for a refusal", func() *http.Response {
			return reply(429, `{"message":"API rate limit exceeded"}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(40*time.Minute))
		}, 40 * time.Minute},
		{"primary, and our clock is half an hour slow", func() *http.Response {
			return reply(403, `{}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(40*time.Minute), "Date", time.Now().Add(30*time.Minute).UTC().Format(http.TimeFormat))
		}, 10 * time.Minute},
		{"secondary with a time", func() *http.Response { return reply(403, secondary, "Retry-After", "90") }, 90 * time.Second},
		{"secondary as 429 with a time", func() *http.Response { return reply(429, secondary, "Retry-After", "90") }, 90 * time.Second},
		{"secondary without a time, beside the reset of the primary one, which go-github waits for", func() *http.Response {
			return reply(403, secondary, "X-RateLimit-Remaining", "4000", "X-RateLimit-Reset", at(50*time.Minute))
		}, time.Minute},
		{"a clock that is wrong does not block for a day", func() *http.Response {
			return reply(403, `{}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(24*time.Hour))
		}, time.Hour},
	} {
		t.Run(c.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hub := &scripted{}
				hub.answer = func(n int, _ *http.Request) *http.Response {
					if n == 1 {
						return c.first()
					}
					return reply(200, `{}`)
				}
				shared := transport.New(hub)
				one, _ := New("", token, nil, shared)
				other, _ := New("", token, nil, shared)
				stranger, _ := New("", "another-token", nil, shared)
				write := func(c *github.Client) error {
					_, _, err := c.Repositories.CreateStatus(t.Context(), "acme", "webshop", sha, &github.RepoStatus{})
					return err
				}
				var later *wire.Later
				if err := write(one); !errors.As(err, &later) || Kind(err) != wire.Transient || (later.After-c.wait).Abs() > time.Second {
					t.Fatalf("the first call: %v", err)
				}
				if !strings.Contains(Said(later), "next in") || Advice(later, "") == "" {
					t.Errorf("in words: %s; %s", Said(later), Advice(later, ""))
				}
				time.Sleep(c.wait - 10*time.Second)
				for _, client := range []*github.Client{one, other} {
					if err := write(client); !errors.As(err, &later) {
						t.Errorf("too early: %v", err)
					}
				}
				if n := hub.calls(); n != 1 {
					t.Errorf("GitHub was asked %d times before it wanted to be", n)
				}
				if err := write(stranger); err != nil {
					t.Errorf("the limit of one token is not that of another: %v", err)
				}
				time.Sleep(11 * time.Second)
				for _, client := range []*github.Client{one, other} {
					if err := write(client); err != nil {
						t.Errorf("after the wait: %v", err)
					}
				}
			})
		})
	}
}

// A limit of searches does not hold up anything else; go-github is not to remember the
// last call that was allowed as one that was refused.
func TestTheLastAllowedCallBlocksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := &scripted{answer: func(int, *http.Request) *http.Response {
			return reply(200, `{}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(time.Hour))
		}}
		c, _ := New("", token, nil, transport.New(hub))
		for range 2 {
			if _, _, err := c.Repositories.Get(t.Context(), "acme", "webshop"); err != nil {
				t.Fatal(err)
			}
		}
		hub.answer = func(_ int, r *http.Request) *http.Response {
			if strings.HasPrefix(r.URL.Path, "/search/") {
				return reply(403, `{}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(time.Minute))
			}
			return reply(200, `{}`)
		}
		if _, _, err := c.Search.Commits(t.Context(), "x", nil); err == nil {
			t.Fatal("the search was not limited")
		}
		if _, _, err := c.Repositories.Get(t.Context(), "acme", "webshop"); err != nil {
			t.Errorf("beside the limit of searches: %v", err)
		}
	})
}

// A refusal that is no limit stays one, whoever asks next.
func TestARefusalIsNoLimit(t *testing.T) {
	hub := &scripted{answer: func(int, *http.Request) *http.Response {
		return reply(403, `{"message":"Resource not accessible by personal access token"}`, "X-RateLimit-Remaining", "4999", "X-RateLimit-Reset", at(time.Hour))
	}}
	c, _ := New("", token, nil, transport.New(hub))
	for n := range 2 {
		if _, _, err := c.Repositories.Get(t.Context(), "acme", "webshop"); Status(err) != 403 || Kind(err) != wire.Fixable || hub.calls() != n+1 {
			t.Errorf("%v after %d calls", err, hub.calls())
		}
	}
}

// A read is repeated with its ETag: what has not changed costs nothing and looks the same,
// its next page too; what has is new; another token sees nothing of it.
func TestReadsAreRepeatedConditionally(t *testing.T) {
	version, whole, cheap := 1, 0, 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		etag := fmt.Sprintf(`W/"%d-%s"`, version, r.URL.RawQuery)
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			cheap++
			w.WriteHeader(http.StatusNotModified)
			return
		}
		whole++
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Link", `<`+"http://"+r.Host+`/x?page=2>; rel="next"`)
		_, _ = fmt.Fprintf(w, `[{"filename":"%d.go"}]`, version)
	}))
	defer srv.Close()
	shared := transport.New(nil)
	read := func(token, want string, page int) {
		t.Helper()
		c, err := New(srv.URL, token, nil, shared)
		if err != nil {
			t.Fatal(err)
		}
		files, resp, err := c.PullRequests.ListFiles(t.Context(), "acme", "webshop", 1, &github.ListOptions{Page: page})
		if err != nil || len(files) != 1 || files[0].GetFilename() != want || resp.NextPage != 2 {
			t.Errorf("read %v, next page %d, %v; want %s", files, resp.NextPage, err, want)
		}
	}
	read(token, "1.go", 1)
	read(token, "1.go", 1)
	read(token, "1.go", 1)
	if whole != 1 || cheap != 2 {
		t.Errorf("%d whole answers, %d cheap ones", whole, cheap)
	}
	read("another", "1.go", 1)
	read(token, "1.go", 3)
	if whole != 3 || cheap != 2 {
		t.Errorf("another token or page: %d whole answers, %d cheap ones", whole, cheap)
	}
	version = 2
	read(token, "2.go", 1)
	read(token, "2.go", 1)
	if whole != 4 || cheap != 3 {
		t.Errorf("after a change: %d whole answers, %d cheap ones", whole, cheap)
	}
}

// A write that is redirected with 301 or 302 stays a write: net/http would make a GET
// of it, and its answer would look like success.
func TestARedirectedWriteStaysAWrite(t *testing.T) {
	for _, status := range []int{301, 302, 307, 308} {
		var got []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = append(got, fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, len(body)))
			if r.URL.Path == "/repos/acme/old/statuses/main" {
				w.Header().Set("Location", "/repositories/7/statuses/main")
				w.WriteHeader(status)
				return
			}
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{}`))
		}))
		c, err := New(srv.URL, token, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = c.Repositories.CreateStatus(t.Context(), "acme", "old", "main", &github.RepoStatus{State: github.String("success")})
		if srv.Close(); err != nil || len(got) != 2 || got[1] != "POST /repositories/7/statuses/main 20" {
			t.Errorf("%d: %q, %v", status, got, err)
		}
	}
}

// closing says whether an answer was closed.
type closing struct {
	io.Reader
	closed *bool
}

func (c closing) Close() error { *c.closed = true; return nil }

// The library that renews the tokens of an app leaves a refusal open, and loses its words.
func TestARefusedInstallationTokenIsReadAndClosed(t *testing.T) {
	closed := false
	hub := &scripted{answer: func(int, *http.Request) *http.Response {
		resp := reply(404, "")
		resp.Body = closing{bytes.NewReader([]byte(`{"message":"Integration not found"}`)), &closed}
		return resp
	}}
	c, err := New("", "", &App{ID: 1, InstallationID: 2, PrivateKey: githubfake.PrivateKey()}, hub)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Repositories.Get(t.Context(), "acme", "webshop")
	if !closed || !strings.Contains(Said(err), "404 Integration not found") || !strings.Contains(Advice(err, ""), "installationID") {
		t.Errorf("closed %v: %s; %s", closed, Said(err), Advice(err, ""))
	}
}

// An installation's token that GitHub refuses before its hour is over is replaced, and
// the call repeated, body and all; not more than once a minute.
func TestARefusedInstallationTokenIsReplaced(t *testing.T) {
	for _, status := range []int{401, 403} {
		synctest.Test(t, func(t *testing.T) {
			minted, good := 0, 2
			hub := &scripted{}
			hub.answer = func(_ int, r *http.Request) *http.Response {
				switch {
				case strings.HasSuffix(r.URL.Path, "/access_tokens"):
					minted++
					return reply(201, fmt.Sprintf(`{"token":"t%d","expires_at":%q}`, minted, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
				case r.Header.Get("Authorization") != fmt.Sprintf("token t%d", good):
					return reply(status, `{"message":"Resource not accessible by integration"}`)
				}
				if b, _ := io.ReadAll(r.Body); !strings.Contains(string(b), "success") {
					t.Errorf("the repeated call carries %q", b)
				}
				return reply(201, `{}`)
			}
			c, err := New("", "", &App{ID: 1, InstallationID: 2, PrivateKey: githubfake.PrivateKey()}, hub)
			if err != nil {
				t.Fatal(err)
			}
			write := func() error {
				_, _, err := c.Repositories.CreateStatus(t.Context(), "acme", "webshop", sha, &github.RepoStatus{State: github.String("success")})
				return err
			}
			if err := write(); err != nil || minted != 2 {
				t.Errorf("%d: %v with %d tokens", status, err, minted)
			}
			for good = 9; minted < 3; {
				for range 3 {
					if err := write(); Status(err) != status || minted > 3 {
						t.Fatalf("%d: %v with %d tokens", status, err, minted)
					}
				}
				time.Sleep(renewAtMost)
			}
		})
	}
}

// What a person reads of each refusal, and what they can do; no secret is in it.
func TestRefusalsInWords(t *testing.T) {
	for _, c := range []struct {
		about  string
		answer *http.Response
		want   string // parts of the words, between bars
	}{
		{"a token that has ended", reply(401, `{"message":"Bad credentials"}`), "401 Bad credentials|renew the token"},
		{"a key or clock that is wrong", reply(401, `{"message":"'Expiration time' claim ('exp') is too far in the future"}`), "401|clock"},
		{"single sign-on", reply(403, `{"message":"Resource protected by organization SAML enforcement."}`, "X-GitHub-SSO", "required; url=https://github.com/orgs/acme/sso?authorization_request=AZSCKtL4U8yX1H3sCQIVnVgmjmon"), "403|single sign-on|https://github.com/orgs/acme/sso, or"},
		{"single sign-on without an address", reply(403, `{"message":"x"}`, "X-GitHub-SSO", "required"), "Configure SSO"},
		{"a right that GitHub names", reply(403, `{"message":"Resource not accessible by integration"}`, "X-Accepted-GitHub-Permissions", "statuses=write"), "403|the permission statuses=write"},
		{"a scope that GitHub names", reply(403, `{"message":"no"}`, "X-OAuth-Scopes", "read:org", "X-Accepted-OAuth-Scopes", "repo, repo:status"), "one of the scopes repo, repo:status"},
		{"a right that it does not", reply(403, `{"message":"no"}`), "give the token or the app NEEDED"},
		{"suspended", reply(403, `{"message":"This installation has been suspended"}`), "suspended"},
		{"an allow list", reply(403, "{\"message\":\"Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled\"}"), "this machine's address"},
		{"archived", reply(403, `{"message":"Repository was archived so is read-only."}`), "archived"},
		{"not there, or not shown", reply(404, `{"message":"Not Found"}`, "Content-Type", "application/json; charset=utf-8"), "404|the app may see it: it needs NEEDED"},
		{"no API at all", reply(404, `<html>`, "Content-Type", "text/html"), "https://HOST/api/v3/"},
		{"not acceptable", reply(406, `{}`), "https://HOST/api/v3/"},
		{"a page", reply(200, `<!DOCTYPE html>`, "Content-Type", "text/html"), "does not speak|https://HOST/api/v3/"},
		{"a limit", reply(403, `{"message":"API rate limit exceeded"}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(10*time.Minute)), "next in|by itself"},
	} {
		t.Run(c.about, func(t *testing.T) {
			client, err := New("https://ghe.acme.example", token, nil, &scripted{answer: func(int, *http.Request) *http.Response { return c.answer }})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = client.Repositories.Get(t.Context(), "acme", "webshop")
			words := Said(err) + " | " + Advice(err, "NEEDED")
			for part := range strings.SplitSeq(c.want, "|") {
				if !strings.Contains(words, part) {
					t.Errorf("%q is not in %q", part, words)
				}
			}
			for _, secret := range []string{token, "AZSCKt"} {
				if strings.Contains(words, secret) {
					t.Errorf("a secret is in %q", words)
				}
			}
		})
	}
}

// An Enterprise Server is asked below /api/v3/, by token and as an app.
func TestEnterpriseAddresses(t *testing.T) {
	for _, base := range []string{"https://ghe.acme.example/api/v3", "https://ghe.acme.example/api/v3/"} {
		hub := &scripted{answer: func(_ int, r *http.Request) *http.Response {
			return reply(201, fmt.Sprintf(`{"token":"t","expires_at":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
		}}
		byToken, _ := New(base, token, nil, hub)
		byApp, _ := New(base, "", &App{ID: 1, InstallationID: 2, PrivateKey: githubfake.PrivateKey()}, hub)
		own, _ := NewForApp(base, &App{ID: 1, PrivateKey: githubfake.PrivateKey()}, hub)
		for _, c := range []*github.Client{byToken, byApp} {
			if _, _, err := c.Repositories.Get(t.Context(), "acme", "webshop"); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := own.Apps.Get(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		want := "GET /api/v3/repos/acme/webshop POST /api/v3/app/installations/2/access_tokens GET /api/v3/repos/acme/webshop GET /api/v3/app"
		if got := strings.Join(hub.asked, " "); got != want {
			t.Errorf("asked %s, want %s", got, want)
		}
	}
}
