package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const public = "https://rollcall.example"

// search is somebody who looks for missed deliveries, and what of it is seen.
type search struct {
	*missed
	hub      *githubfake.Server
	engine   *engine
	notes    *notes
	log      logged
	branches []string
	counted  map[string]int
	repos    []string
}

// searching makes one within a bubble. Its repositories are acme/webshop, with a
// webhook of its own, and what the case adds.
func searching(t *testing.T, o MissedOptions, f func(t *testing.T, s *search)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &search{hub: githubfake.New(githubfake.Options{Token: token, Secret: secret}), engine: &engine{}, notes: &notes{}, counted: map[string]int{}, repos: []string{"acme/webshop"}}
		s.hub.SetAccount(githubfake.Account{Repositories: map[string][]githubfake.Hook{
			"acme/webshop": {{URL: "https://elsewhere.example/github/webhook", Events: []string{"push"}}, {URL: public + webhookPath, Events: []string{"push"}}},
		}})
		log := slog.New(slog.NewTextHandler(&s.log, nil))
		hook, err := NewWebhook(WebhookOptions{Secret: secret, Engine: s.engine, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		if o.App == nil {
			o.Token = token
		}
		o.PublicURL, o.Transport, o.Notes, o.Log = public+"/", wirefake.Direct(s.hub), s.notes, log
		o.Repositories = func(context.Context) ([]string, error) { return s.repos, nil }
		o.Seen = func(_ context.Context, key string) (bool, error) {
			s.engine.mu.Lock()
			defer s.engine.mu.Unlock()
			_, ok := s.engine.receipts[key]
			return ok, nil
		}
		o.Branches = func(r string) { s.branches = append(s.branches, r) }
		o.Counted = func(how string) { s.counted[how]++ }
		if s.missed, err = newMissed(hook, o); err != nil {
			t.Fatal(err)
		}
		f(t, s)
		if strings.Contains(s.log.String(), token) || strings.Contains(s.log.String(), secret) {
			t.Error("a secret is in the log")
		}
	})
}

// failed adds a push to a webhook's list that was answered with a status.
func (s *search) failed(hook string, n, status int, ago time.Duration) (guid string) {
	guid = fmt.Sprintf("%08d-aaaa-bbbb-cccc-000000000000", n)
	s.hub.Log(githubfake.LoggedDelivery{Hook: hook, GUID: guid, Event: "push", Status: status, At: time.Now().Add(-ago),
		Payload: githubfake.Push{Repository: "acme/webshop", Ref: "refs/heads/main", Commit: fmt.Sprintf("%040x", n), Message: "m", Pusher: "ana"}.Payload()})
	return guid
}

// commits are those that arrived, in order.
func (s *search) commits() string {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	var all []string
	for _, c := range s.engine.changes {
		all = append(all, strings.TrimLeft(c.Commit, "0"))
	}
	return strings.Join(all, " ")
}

// What failed is made good by its payload, oldest first and once, over all pages; what
// arrived later under the same ID, or is in the receipts, is not touched.
func TestMissedDeliveriesAreMadeGood(t *testing.T) {
	searching(t, MissedOptions{}, func(t *testing.T, s *search) {
		s.failed("acme/webshop", 1, 502, 80*time.Hour) // no longer of interest
		s.failed("acme/webshop", 2, 0, 50*time.Hour)
		for n := range 250 {
			s.failed("acme/webshop", 100+n, 202, 40*time.Hour)
		}
		s.failed("acme/webshop", 3, 500, 30*time.Hour)
		s.failed("acme/webshop", 4, 0, 29*time.Hour)
		s.failed("acme/webshop", 4, 202, 28*time.Hour) // was delivered again by hand
		lost := s.failed("acme/webshop", 5, 504, 2*time.Hour)
		s.engine.mu.Lock()
		s.engine.keep(work.Receipt{Key: "github/" + lost}) // only our answer was late
		s.engine.mu.Unlock()
		s.failed("acme/webshop", 6, 401, time.Hour)
		if complete, err := s.look(t.Context()); !complete || err != nil {
			t.Fatal(complete, err, s.log.String())
		}
		if got := s.commits(); got != "2 3 6" {
			t.Errorf("arrived: %s", got)
		}
		if want := map[string]int{byPayload: 3}; !maps.Equal(s.counted, want) {
			t.Errorf("counted %v", s.counted)
		}
		calls := s.hub.Calls()
		s.failed("acme/webshop", 7, 502, 0)
		if complete, err := s.look(t.Context()); !complete || err != nil || s.commits() != "2 3 6 7" {
			t.Errorf("the next look: %v, %v, %s", complete, err, s.commits())
		}
		if n := s.hub.Calls() - calls; n > 3 { // hooks, one page, one payload
			t.Errorf("the next look took %d calls", n)
		}
		for _, r := range s.engine.receipts {
			if !strings.HasPrefix(r.Key, "github/0000000") {
				t.Errorf("receipt %s", r.Key)
			}
		}
		if len(s.branches) != 0 {
			t.Errorf("branches were looked at: %v", s.branches)
		}
	})
}

// A redelivery of what was made good is a duplicate.
func TestALaterRedeliveryIsADuplicate(t *testing.T) {
	searching(t, MissedOptions{}, func(t *testing.T, s *search) {
		guid := s.failed("acme/webshop", 1, 0, time.Hour)
		if _, err := s.look(t.Context()); err != nil || s.commits() != "1" {
			t.Fatal(err, s.commits())
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, webhookPath, nil)
		req.Header.Set("X-GitHub-Delivery", guid)
		req.Header.Set("X-GitHub-Event", "push")
		answered := &sink{header: http.Header{}}
		if refused := s.hook.accept(answered, req, s.hub.Logged("acme/webshop")[0].Payload, ""); refused != nil || answered.status != http.StatusOK || s.commits() != "1" {
			t.Errorf("%+v, status %d, arrived %s", refused, answered.status, s.commits())
		}
	})
}

// The webhook of an organization, and of an app, whose list wants the app's signature.
func TestEveryKindOfWebhookIsFound(t *testing.T) {
	hook := []githubfake.Hook{{URL: public + webhookPath}}
	for about, c := range map[string]struct {
		account githubfake.Account
		app     bool
		list    string
		want    string
		blind   []string
	}{
		"organization":                     {githubfake.Account{Repositories: map[string][]githubfake.Hook{"acme/webshop": nil}, Organizations: map[string][]githubfake.Hook{"acme": hook}}, false, "acme", "1", nil},
		"app":                              {githubfake.Account{Repositories: map[string][]githubfake.Hook{"acme/webshop": nil}, AppHook: public + webhookPath}, true, "", "1", nil},
		"an app with another address":      {githubfake.Account{Repositories: map[string][]githubfake.Hook{"acme/webshop": nil}, AppHook: public + ".evil.example/github/webhook", Organizations: map[string][]githubfake.Hook{"acme": nil}}, true, "", "", nil},
		"somebody else's":                  {githubfake.Account{Repositories: map[string][]githubfake.Hook{"acme/webshop": {{URL: public + ".evil.example"}}}, Organizations: map[string][]githubfake.Hook{"acme": nil}}, false, "acme/webshop", "", nil},
		"webhooks may not be read":         {githubfake.Account{NoHooks: true}, false, "acme/webshop", "", []string{"acme/webshop"}},
		"those of the owner are not shown": {githubfake.Account{Repositories: map[string][]githubfake.Hook{"acme/webshop": nil}}, false, "acme", "", []string{"acme/webshop"}},
	} {
		o := MissedOptions{}
		if c.app {
			o.App = &api.App{ID: 1, InstallationID: 2, PrivateKey: githubfake.PrivateKey()}
		}
		searching(t, o, func(t *testing.T, s *search) {
			s.hub.SetAccount(c.account)
			s.failed(c.list, 1, 0, time.Hour)
			complete, err := s.look(t.Context())
			if !complete || err != nil || s.commits() != c.want || !slices.Equal(s.branches, c.blind) {
				t.Errorf("%s: %v, %v, arrived %q, looked at %v\n%s", about, complete, err, s.commits(), s.branches, &s.log)
			}
			if _, noted := s.notes.all[missedMemo]; noted == (len(c.blind) > 0) {
				t.Errorf("%s: noted as complete %v", about, noted)
			}
		})
	}
}

// Where deliveries cannot be listed the branches are looked at, and once they can be,
// what was missed before is made good too.
func TestListsThatCannotBeRead(t *testing.T) {
	for _, status := range []int{403, 404} {
		searching(t, MissedOptions{}, func(t *testing.T, s *search) {
			s.failed("acme/webshop", 1, 0, time.Hour)
			s.hub.Faults.Set(fault.Fault{Match: "GET /repos/acme/webshop/hooks/2/deliveries", Status: status, Body: `{"message":"no"}`})
			for range 3 {
				if complete, err := s.look(t.Context()); !complete || err != nil || s.commits() != "" {
					t.Errorf("%d: %v, %v, %s", status, complete, err, s.commits())
				}
			}
			if len(s.branches) != 3 || strings.Count(s.log.String(), "level=WARN") != 1 || !strings.Contains(s.log.String(), "Webhooks: read") {
				t.Errorf("%d: branches %v, log %s", status, s.branches, &s.log)
			}
			s.hub.Faults.Set()
			if complete, err := s.look(t.Context()); !complete || err != nil || s.commits() != "1" || len(s.branches) != 3 {
				t.Errorf("%d, mended: %v, %v, %s, %v", status, complete, err, s.commits(), s.branches)
			}
		})
	}
}

// Without a token or app there is nothing to list.
func TestWithoutATokenBranchesAreLookedAt(t *testing.T) {
	searching(t, MissedOptions{}, func(t *testing.T, s *search) {
		s.api = nil
		if complete, err := s.look(t.Context()); !complete || err != nil || len(s.branches) != 1 || s.hub.Calls() != 0 {
			t.Errorf("%v, %v, %v in %d calls", complete, err, s.branches, s.hub.Calls())
		}
	})
}

// Trouble of GitHub's or our own leaves a delivery for the next look, which is soon;
// where only the payload is not shown, GitHub is asked to deliver again.
func TestWhatCannotBeMadeGoodNowIsLater(t *testing.T) {
	const base = "/repos/acme/webshop/hooks/2/deliveries"
	for about, spoil := range map[string]func(s *search) func(){
		"the hooks":    func(s *search) func() { return s.fault("GET /repos/acme/webshop/hooks$", 500) },
		"the list":     func(s *search) func() { return s.fault("GET "+base+"$", 502) },
		"the payload":  func(s *search) func() { return s.fault("GET "+base+"/1$", 503) },
		"our database": func(s *search) func() { s.engine.fail(true); return func() { s.engine.fail(false) } },
	} {
		searching(t, MissedOptions{}, func(t *testing.T, s *search) {
			s.failed("acme/webshop", 1, 0, time.Hour)
			mend := spoil(s)
			if complete, err := s.look(t.Context()); complete || err != nil || s.commits() != "" {
				t.Errorf("%s: %v, %v, %s", about, complete, err, s.commits())
			}
			mend()
			if complete, err := s.look(t.Context()); !complete || err != nil || s.commits() != "1" {
				t.Errorf("%s, mended: %v, %v, %s", about, complete, err, s.commits())
			}
		})
	}
	searching(t, MissedOptions{}, func(t *testing.T, s *search) {
		s.failed("acme/webshop", 1, 0, time.Hour)
		s.fault("GET "+base+"/1$", 404)
		for range 3 {
			if complete, err := s.look(t.Context()); !complete || err != nil {
				t.Errorf("%v, %v", complete, err)
			}
			synctest.Wait()
		}
		if again := len(s.hub.Logged("acme/webshop")) - 1; again != 1 || s.counted[byRedelivery] != 1 {
			t.Errorf("it was asked for %d times, counted %v", again, s.counted)
		}
	})
}

// It looks within 30 s of the start, every hour, and a minute after trouble.
func TestWhenMissedDeliveriesAreLookedFor(t *testing.T) {
	searching(t, MissedOptions{}, func(t *testing.T, s *search) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { _ = s.run(ctx); close(ended) }()
		s.failed("acme/webshop", 1, 0, time.Hour)
		after := func(d time.Duration, want string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := s.commits(); got != want {
				t.Errorf("arrived %q, want %q", got, want)
			}
		}
		after(30*time.Second, "1")
		s.failed("acme/webshop", 2, 0, 0)
		after(59*time.Minute, "1")
		s.hub.Faults.Set(fault.Fault{Status: 500})
		after(2*time.Minute, "1")
		s.hub.Faults.Set()
		after(75*time.Second, "1 2")
		stop()
		<-ended
	})
}

func (s *search) fault(match string, status int) (mend func()) {
	s.hub.Faults.Set(fault.Fault{Match: match, Status: status, Body: `{"message":"no"}`})
	return func() { s.hub.Faults.Set() }
}

// fail has the engine refuse everything, or nothing any more.
func (e *engine) fail(on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err = nil; on {
		e.err = errors.New("the disk is full")
	}
}
