package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// desk is a webhook whose pull requests are carried out, beside a GitHub.
type desk struct {
	hook *Webhook
	hub  *githubfake.Server
	e    *engine
	log  *logged
	n    int
}

// play runs a story on its own clock.
func play(t *testing.T, story func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{hub: githubfake.New(githubfake.Options{Token: token}), e: &engine{files: true}, log: &logged{}}
		d.start(t)
		story(t, d)
	})
}

// start begins a process; what an earlier one accepted is still there.
func (d *desk) start(t *testing.T) (stop func()) {
	t.Helper()
	var err error
	d.hook, err = NewWebhook(WebhookOptions{Secret: secret, Engine: d.e, Token: token, Transport: wirefake.Direct(d.hub), Log: slog.New(slog.NewTextHandler(d.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := d.hook.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

// deliver hands an event of a pull request over and returns the answer.
func (d *desk) deliver(t *testing.T, p githubfake.Pull) (status int, answer string) {
	t.Helper()
	_, _ = d.hub.Pull(t.Context(), p) // no webhook is connected: the fake only learns the files
	d.n++
	r := request(string(p.Payload()), "pull_request")
	r.Header.Set("X-GitHub-Delivery", fmt.Sprint("d-", d.n))
	r.URL.Path = webhookPath
	w := httptest.NewRecorder()
	d.hook.Handler().ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func cart() githubfake.Pull {
	return githubfake.Pull{Repository: "acme/webshop", Number: 7, Action: "opened", Base: "main", Head: "cart", Commit: sha, Title: "Cart", Author: "ana-dev",
		Files: []githubfake.File{{Name: "src/cart.go", Status: "modified"}, {Name: "docs/new.md", Previous: "docs/old.md", Status: "renamed"}}}
}

func TestFilesOfAPullRequestAreAskedForAfterTheAnswer(t *testing.T) {
	play(t, func(t *testing.T, d *desk) {
		d.hub.Faults.Set(fault.Fault{Hang: true})
		if status, answer := d.deliver(t, cart()); status != 202 || answer != `{"started":[],"ignored":[]}` {
			t.Errorf("answer %d %s", status, answer)
		}
		if r := d.e.receipts["github/d-1"]; r.Done || len(r.Payload) == 0 {
			t.Errorf("before the files are known the receipt is %+v", r)
		}
		d.hub.Faults.Set()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(d.e.changes) != 1 || !d.e.receipts["github/d-1"].Done {
			t.Fatalf("changes %+v", d.e.changes)
		}
		c := d.e.changes[0]
		if diff := cmp.Diff([]string{"src/cart.go", "docs/new.md", "docs/old.md"}, c.Files); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		if c.Branch != "main" || c.HeadBranch != "cart" || c.Commit != sha || c.Number != 7 || c.Fork {
			t.Errorf("change %+v", c)
		}
	})
}

func TestAtMost100FilesAreAskedFor(t *testing.T) {
	play(t, func(t *testing.T, d *desk) {
		p := cart()
		p.Files = nil
		for i := range 250 {
			p.Files = append(p.Files, githubfake.File{Name: fmt.Sprint("f", i), Status: "added"})
		}
		d.deliver(t, p)
		synctest.Wait()
		if d.hub.Calls() != 1 || len(d.e.changes) != 1 || len(d.e.changes[0].Files) != 100 {
			t.Errorf("%d calls, changes %+v", d.hub.Calls(), d.e.changes)
		}
	})
}

func TestNobodyIsAskedWhereFilesDoNotMatter(t *testing.T) {
	play(t, func(t *testing.T, d *desk) {
		fork := cart()
		fork.HeadOwner = "mallory"
		d.deliver(t, fork)
		d.e.files = false
		d.deliver(t, cart())
		synctest.Wait()
		if d.hub.Calls() != 0 || len(d.e.changes) != 2 || !d.e.changes[0].Fork || d.e.changes[1].Fork {
			t.Errorf("%d calls, changes %+v", d.hub.Calls(), d.e.changes)
		}
	})
}

// While GitHub is away the pull request waits; after a restart it is taken up, and carried out once.
func TestAPullRequestOutlivesGitHubAndTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{hub: githubfake.New(githubfake.Options{Token: token}), e: &engine{files: true}, log: &logged{}}
		stop := d.start(t)
		d.hub.Faults.Set(fault.Fault{Status: http.StatusBadGateway})
		d.deliver(t, cart())
		time.Sleep(2 * time.Minute)
		stop()
		if len(d.e.changes) != 0 || d.e.receipts["github/d-1"].Done {
			t.Fatalf("without its files: changes %+v", d.e.changes)
		}
		d.hub.Faults.Set()
		d.start(t)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(d.e.changes) != 1 || len(d.e.changes[0].Files) != 3 {
			t.Errorf("after a restart: changes %+v", d.e.changes)
		}
		d.n = 0 // the same delivery again
		if status, answer := d.deliver(t, cart()); status != 200 || !strings.Contains(answer, `"duplicate":true,"started":["id-1"]`) || len(d.e.changes) != 1 {
			t.Errorf("again: %d %s, %d changes", status, answer, len(d.e.changes))
		}
		if strings.Contains(d.log.String(), token) {
			t.Error("the token is in the log")
		}
	})
}

// While the store is away the change waits, longer than its files would be asked for.
func TestAPullRequestOutlivesTheStore(t *testing.T) {
	play(t, func(t *testing.T, d *desk) {
		d.hub.Faults.Set(fault.Fault{Hang: true})
		d.deliver(t, cart())
		d.e.mu.Lock()
		d.e.err = errors.New("the store is away")
		d.e.mu.Unlock()
		d.hub.Faults.Set()
		time.Sleep(2 * askFor)
		d.e.mu.Lock()
		d.e.err = nil
		d.e.mu.Unlock()
		time.Sleep(2 * longestPause)
		synctest.Wait()
		if r := d.e.receipts["github/d-1"]; !r.Done || len(d.e.receipts) != 1 || len(d.e.changes) != 1 || len(d.e.changes[0].Files) != 3 {
			t.Errorf("receipts %+v, changes %+v", d.e.receipts, d.e.changes)
		}
	})
}

// What starts without files is not held back for ever by files that cannot be had.
func TestFilesThatCannotBeHadStayUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		fault  fault.Fault
		within time.Duration
	}{
		"refused for good": {fault.Fault{Status: http.StatusNotFound}, 10 * time.Second},
		"away for long":    {fault.Fault{Status: http.StatusBadGateway}, askFor + 2*longestPause},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, d *desk) {
				d.hub.Faults.Set(c.fault)
				d.deliver(t, cart())
				time.Sleep(c.within)
				synctest.Wait()
				if len(d.e.changes) != 1 || d.e.changes[0].Files != nil {
					t.Errorf("changes %+v", d.e.changes)
				}
				if !strings.Contains(d.log.String(), "the changed files of a pull request are not known") {
					t.Error("the log does not say so")
				}
			})
		})
	}
}

// A receipt that is the engine's own business is left to it.
func TestReceiptsOfTheEngineAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{hub: githubfake.New(githubfake.Options{Token: token}), e: &engine{}, log: &logged{}}
		d.e.keep(work.Receipt{Key: "github/half-way", Source: "github"})
		d.start(t)
		time.Sleep(time.Hour)
		if d.e.receipts["github/half-way"].Done {
			t.Error("it was finished")
		}
	})
}
