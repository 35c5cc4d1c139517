package app

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/gates"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

const (
	gatesHub      = "http://hub.test/"
	gatesPipeline = "github-acme.webshop.production"
	gatesSecret   = "the secret of the app's webhook"
)

// gatesFixture is a store, a GitHub, and a process that lets an environment ask people.
type gatesFixture struct {
	t       *testing.T
	db      *store.DB
	hub     *githubfake.Server
	clients func(base http.RoundTripper) *api.Installations
	process *life
	hook    http.Handler
	boots   int
	minutes int
	freezes []workflows.Freeze
}

// cutOff is the network of a process: it ends with it.
type cutOff struct {
	s  *life
	to http.RoundTripper
}

func (c cutOff) RoundTrip(req *http.Request) (*http.Response, error) {
	if c.s.dead.Load() {
		return nil, errCut
	}
	resp, err := c.to.RoundTrip(req)
	if err == nil && c.s.dead.Load() {
		return nil, errCut
	}
	return resp, err
}

// overGates runs a story in a bubble. The key is made outside: that takes long.
func overGates(t *testing.T, key []byte, story func(w *gatesFixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(filepath.Join(t.TempDir(), "rollcall.db"), store.Options{NoSync: true, MapSize: 32 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		w := &gatesFixture{t: t, db: db, hub: githubfake.New(githubfake.Options{}), minutes: 60}
		w.clients = func(base http.RoundTripper) *api.Installations {
			all, err := api.NewInstallations(gatesHub, api.App{ID: 7, PrivateKey: key}, base)
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		defer w.kill()
		story(w)
	})
}

func appKey(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(crand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

// boot starts a process; fuse: how many commits it lives, 0: all; after: the last is written.
func (w *gatesFixture) boot(fuse int, after bool) {
	w.t.Helper()
	w.boots++
	s := &life{after: after}
	s.fuse.Store(int32(fuse))
	p, quiet := port{w.db, s}, slog.New(slog.DiscardHandler)
	gates, err := gates.New(gates.Options{APIURL: gatesHub, Installations: w.clients(cutOff{s, wirefake.Direct(w.hub)}), Usual: 1, PublicURL: "http://rollcall.test", Log: quiet,
		InForce: func(ctx context.Context) (map[string]string, error) {
			all, err := s.InForce(ctx)
			by := map[string]string{}
			for name := range all {
				by[name] = all[name].ManagedBy
			}
			return by, err
		},
		Rows: []gates.Row{{Repository: "acme/*", Environment: "production", Minutes: w.minutes, Approval: &workflows.ApprovalPolicy{From: []string{"ben@acme.example", "cho@acme.example"}, Required: 2, Comment: "optional"}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := runtime.New(runtime.Options{Store: p, History: p, Inbox: p, Memos: p, Runs: desk{}, Objects: desk{}, Log: quiet, Policy: policy(), Freezes: w.freezes,
		Sources: map[string]runtime.Source{gates.Provider(): gates}, Rand: rand.NewChaCha8([32]byte{byte(w.boots)})})
	if err != nil {
		w.t.Fatal(err)
	}
	s.Engine = e
	gates.Connect(e, e, e.MemosOf(gates.Name()))
	e.AddFollower(gates)
	hook, err := github.NewWebhook(github.WebhookOptions{Secret: gatesSecret, Engine: e, Gates: gates, Log: quiet})
	if err != nil {
		w.t.Fatal(err)
	}
	w.hook = hook.Handler()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, w.process = cancel, s
	s.running.Go(func() { _ = e.Run(ctx) })
	s.running.Go(func() {
		select {
		case <-e.Ready():
			_ = gates.Run(ctx)
		case <-ctx.Done():
		}
	})
}

// kill ends the process as kill -9 would.
func (w *gatesFixture) kill() {
	if w.process != nil {
		w.process.dead.Store(true)
		w.process.cancel()
		w.process.running.Wait()
	}
}

// until does something again and again until it holds; who died is started again.
func (w *gatesFixture) until(what string, holds func() bool) {
	w.t.Helper()
	for began := time.Now(); !holds(); {
		if w.process.dead.Load() {
			w.kill()
			w.boot(0, false)
			continue
		}
		if time.Since(began) > 3*time.Minute {
			one, _ := w.hub.Waiting(7000)
			w.t.Fatalf("waited three minutes in vain: %s; GitHub has %+v", what, one)
		}
		time.Sleep(time.Second)
	}
}

// deliver has GitHub deliver something until it is taken, as people do who redeliver.
func (w *gatesFixture) deliver(event, id string, payload []byte) {
	w.t.Helper()
	w.until("the delivery is taken", func() bool {
		r := httptest.NewRequest(http.MethodPost, "/github/webhook", bytes.NewReader(payload))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-GitHub-Event", event)
		r.Header.Set("X-GitHub-Delivery", id)
		r.Header.Set("X-Hub-Signature-256", wire.Sign([]byte(gatesSecret), payload))
		rec := httptest.NewRecorder()
		w.hook.ServeHTTP(rec, r)
		return rec.Code < 300 && !w.process.dead.Load()
	})
}

// executions are those of the pipeline, oldest first; none while that is not known.
func (w *gatesFixture) executions() []workflows.Execution {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	all, _ := w.process.Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: gatesPipeline, Limit: 100})
	return all
}

// vote has somebody answer until their answer counts.
func (w *gatesFixture) vote(name string, verb workflows.Verb) {
	w.t.Helper()
	by := workflows.Principal{ID: "slack:U" + strings.ToUpper(name), Name: name, Email: name + "@acme.example", Via: "slack"}
	w.until(name+" has voted", func() bool {
		all := w.executions()
		if len(all) == 0 {
			return false
		}
		if g := all[0].Stages[0].Actions[0].Approval; g != nil {
			for _, v := range g.Votes {
				if v.By.Is(by) {
					return true
				}
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = w.process.Submit(ctx, workflows.Intent{Verb: verb, Pipeline: gatesPipeline, Execution: all[0].ID, Reason: "because"}, by)
		return false
	})
}

// noted waits until it is on record that GitHub has the answer.
func (w *gatesFixture) noted() workflows.Execution {
	w.t.Helper()
	var x workflows.Execution
	w.until("it is noted that GitHub knows", func() bool {
		for _, x = range w.executions() {
			for _, n := range x.Notes {
				if n.Name == "answer" && n.State == "done" {
					return true
				}
			}
		}
		return false
	})
	return x
}

// Wherever the process dies, before or after a commit, and whether or not GitHub's answer
// to the decision arrives: one execution, every vote once, one answer, few reports (none
// where it was decided before the new process could report).
func TestAGateOfGitHubIsAnsweredOnceWhereverTheProcessDies(t *testing.T) {
	key := appKey(t)
	for _, how := range []struct {
		verb        workflows.Verb
		after, lost bool
	}{{workflows.Approve, false, false}, {workflows.Approve, true, true}, {workflows.Reject, true, false}, {workflows.Reject, false, true}} {
		for fuse, died := 1, true; died; fuse++ {
			name := fmt.Sprintf("%s, after %v, lost %v, %d", how.verb, how.after, how.lost, fuse)
			overGates(t, key, func(w *gatesFixture) {
				w.boot(fuse, how.after)
				id, payload, err := w.hub.Wait(gatesHub, githubfake.Waiting{Repository: "acme/webshop", Environment: "production", Run: 41, SHA: strings.Repeat("a", 40), Ref: "main", Sender: "dan", Installation: 9})
				if err != nil {
					t.Fatal(err)
				}
				w.deliver("deployment_protection_rule", "a-delivery", payload)
				w.vote("ben", workflows.Approve)
				if how.lost {
					w.hub.Faults.Add(fault.Fault{Match: "POST /repos/acme/webshop/actions/runs/", Cut: true, After: true, Times: 2})
				}
				w.vote("cho", how.verb)
				x := w.noted()
				one, _ := w.hub.Waiting(id)
				votes := len(x.Stages[0].Actions[0].Approval.Votes)
				if len(one.Answers) != 1 || len(w.executions()) != 1 || votes != 2 || len(one.Reports) > 6 || !strings.Contains(one.Answers[0].Comment, x.ID) {
					t.Errorf("%s: GitHub has %+v; %d executions, %d votes", name, one, len(w.executions()), votes)
				}
				died = w.boots > 1
			})
			if t.Failed() || fuse > 60 {
				t.Fatalf("%s: the process died in every story", name)
			}
		}
	}
}

// When GitHub is away for an hour the answer comes soon after; what it refuses for want
// of a right is on record, and comes when that is mended. Nobody decides: it expires, and
// is rejected.
func TestAnAnswerComesWhenGitHubIsBack(t *testing.T) {
	key := appKey(t)
	for _, status := range []int{500, 502, 403, 404, 422, 429} {
		overGates(t, key, func(w *gatesFixture) {
			w.boot(0, false)
			id, payload, err := w.hub.Wait(gatesHub, githubfake.Waiting{Repository: "acme/webshop", Environment: "production", Run: 41, SHA: strings.Repeat("a", 40), Ref: "main", Sender: "dan", Installation: 9})
			if err != nil {
				t.Fatal(err)
			}
			w.deliver("deployment_protection_rule", "a-delivery", payload)
			times := 0
			if status == 422 {
				times = 1 // a second one counts as taken
			}
			w.until("the first report", func() bool { one, _ := w.hub.Waiting(id); return len(one.Reports) == 1 })
			time.Sleep(time.Minute - time.Second)
			w.hub.Faults.Add(fault.Fault{Match: "POST /repos/acme/webshop/actions/runs/", Status: status, Body: `{"message":"no"}`, Times: times})
			time.Sleep(2 * time.Hour) // it expires after one
			x := w.executions()[0]
			if status != 422 && (x.StatusReason == nil || x.StatusReason.Code != "ApprovalExpired" || len(x.Notes) != 1 || x.Notes[0].State != "waiting") {
				t.Errorf("%d: %+v, noted %+v", status, x.StatusReason, x.Notes)
			}
			w.hub.Faults.Set()
			back := time.Now()
			w.noted()
			one, _ := w.hub.Waiting(id)
			if took := time.Since(back); took > 75*time.Second || len(one.Answers) != 1 || one.Answers[0].State != "rejected" || !strings.HasPrefix(one.Answers[0].Comment, "Expired: nobody decided within 1 hour") || len(one.Reports) != 1 {
				t.Errorf("%d: after %s GitHub has %+v", status, took, one)
			}
		})
	}
}

// In a freeze nobody lets a deployment pass, and GitHub's page says so; it is decided when the freeze is over.
func TestAGateOfGitHubKeepsFreezes(t *testing.T) {
	overGates(t, appKey(t), func(w *gatesFixture) {
		w.freezes = []workflows.Freeze{{Name: "year-end", From: time.Now().Add(-time.Hour), To: time.Now().Add(2 * time.Hour)}}
		w.boot(0, false)
		ask := func(id string, run int64) int64 {
			deployment, payload, err := w.hub.Wait(gatesHub, githubfake.Waiting{Repository: "acme/webshop", Environment: "production", Run: run, SHA: strings.Repeat("a", 40), Ref: "main", Sender: "dan", Installation: 9})
			if err != nil {
				t.Fatal(err)
			}
			w.deliver("deployment_protection_rule", id, payload)
			return deployment
		}
		ask("first", 41) // makes the pipeline
		time.Sleep(time.Minute)
		frozen := ask("second", 42)
		time.Sleep(time.Minute)
		x := w.executions()[0]
		one, _ := w.hub.Waiting(frozen)
		if x.WaitsFor == nil || x.WaitsFor.For != workflows.WaitsForFreeze || len(one.Reports) != 1 || !strings.Contains(one.Reports[0], "frozen (year-end)") {
			t.Fatalf("in the freeze: %+v; GitHub has %q", x.WaitsFor, one.Reports)
		}
		time.Sleep(2 * time.Hour)
		w.vote("ben", workflows.Approve)
		w.vote("cho", workflows.Approve)
		w.noted()
		if one, _ := w.hub.Waiting(frozen); len(one.Answers) != 1 || one.Answers[0].State != "approved" {
			t.Errorf("after it: %+v", one)
		}
	})
}

// What a delivery says of a bypass counts, also while GitHub does not answer who looks at all that waits.
func TestABypassIsSeenWhileLooksFail(t *testing.T) {
	overGates(t, appKey(t), func(w *gatesFixture) {
		w.hub.Faults.Set(fault.Fault{Match: "GET /repos/acme/webshop/", Status: 502})
		var payloads [2][]byte
		var err error
		for i := range payloads {
			if _, payloads[i], err = w.hub.Wait(gatesHub, githubfake.Waiting{Repository: "acme/webshop", Environment: "production", Run: int64(41 + i), SHA: strings.Repeat("a", 40), Ref: "main", Sender: "dan", Installation: 9}); err != nil {
				t.Fatal(err)
			}
		}
		w.boot(0, false)
		w.deliver("deployment_protection_rule", "one", payloads[0])
		w.deliver("deployment_protection_rule", "two", payloads[1])
		w.kill()
		w.boot(0, false)
		time.Sleep(time.Minute) // the look at the start has failed
		w.deliver("deployment_status", "three", []byte(`{"action":"created","deployment_status":{"state":"in_progress","creator":{"login":"github-actions[bot]"}},"deployment":{"id":7000,"environment":"production"},
			"workflow_run":{"id":41},"repository":{"full_name":"acme/webshop"},"sender":{"login":"boss"}}`))
		time.Sleep(20 * time.Second)
		x := w.executions()
		if len(x) != 2 || x[1].StatusReason == nil || x[1].StatusReason.Code != "Bypassed" || !strings.Contains(x[1].StatusReason.Message, "by boss") || x[0].Status.Final() {
			t.Fatalf("%+v and %+v", x[1].StatusReason, x[0].Status)
		}
	})
}

// A request that says no more than it must asks people too.
func TestABareRequestAsksPeople(t *testing.T) {
	overGates(t, appKey(t), func(w *gatesFixture) {
		w.boot(0, false)
		w.deliver("deployment_protection_rule", "one", []byte(`{"action":"requested","environment":"production","deployment_callback_url":"http://hub.test/repos/acme/webshop/actions/runs/41/deployment_protection_rule",
			"deployment":{"sha":"`+strings.Repeat("a", 40)+`"},"repository":{"full_name":"acme/webshop"},"installation":{"id":9}}`))
		if x := w.executions(); len(x) != 1 || x[0].Stages[0].Actions[0].Approval == nil {
			t.Fatalf("%+v", x)
		}
	})
}

// A GitHub that takes answers and no reports has the answer as soon as it is decided.
func TestAnAnswerDoesNotWaitForReports(t *testing.T) {
	overGates(t, appKey(t), func(w *gatesFixture) {
		w.boot(0, false)
		id, payload, err := w.hub.Wait(gatesHub, githubfake.Waiting{Repository: "acme/webshop", Environment: "production", Run: 41, SHA: strings.Repeat("a", 40), Ref: "main", Sender: "dan", Installation: 9})
		if err != nil {
			t.Fatal(err)
		}
		w.hub.Faults.Set(fault.Fault{Match: "POST /repos/acme/webshop/actions/runs/", Status: 400, Body: `{"message":"state is missing"}`})
		w.deliver("deployment_protection_rule", "one", payload)
		w.vote("ben", workflows.Approve)
		time.Sleep(2*time.Minute + time.Second) // a try has just failed
		w.hub.Faults.Set()
		w.vote("cho", workflows.Approve)
		time.Sleep(time.Second)
		if one, _ := w.hub.Waiting(id); len(one.Answers) != 1 {
			t.Errorf("GitHub has %+v", one)
		}
	})
}
