package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// C1: one push comes under 2, 3 and 8 delivery IDs at once to the real service,
// which is killed in the middle of every third round and then told again, as
// GitHub's "Redeliver" does. Every push is one execution and one deployment.
// ROLLCALL_ROUNDS says how many rounds there are with each number of IDs.
func TestOnePushUnderManyDeliveryIDsDeploysOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real processes")
	}
	rounds := 4
	if n := os.Getenv("ROLLCALL_ROUNDS"); n != "" {
		if _, err := fmt.Sscan(n, &rounds); err != nil {
			t.Fatal(err)
		}
	}
	for _, deliveries := range []int{2, 3, 8} {
		t.Run(fmt.Sprintf("%d deliveries", deliveries), func(t *testing.T) {
			w := hookedWorld(t)
			commits := w.history(rounds)
			kills := 0
			for round, sha := range commits {
				if round%3 == 2 {
					kills++
					w.deliverThroughAKill(sha, deliveries)
				} else {
					w.deliverOnce(sha, deliveries, round%2 == 0)
				}
				w.until("push "+sha+" is deployed", func() bool { return strings.Contains(w.read("ledger"), sha) })
				w.until("its execution ends", func() bool { e := w.execution(round + 1); return e.Status.Final() })
			}
			w.deployedOnce(commits)
			t.Logf("%d rounds with %d deliveries each, %d kills: one execution and one deployment each", rounds, deliveries, kills)
		})
	}
}

// hookedWorld is a service that hears a webhook and deploys without a gate.
func hookedWorld(t *testing.T) *fixture {
	w := smallWorld(t, "")
	w.write("rollcall.yaml", w.read("rollcall.yaml")+fmt.Sprintf(`
admins: [ana@acme.example]
github: {cloneURL: "file://%s/", webhookSecret: %s}
runners: {commands: {enabled: true}}
api: {tokens: [{name: story, token: %s, may: [view]}]}
`, w.path("git"), hook, token)[1:])
	w.write("pipelines/webshop.yaml", fmt.Sprintf(`
name: webshop
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, namespace: App, configuration: {FullRepositoryId: acme/webshop, BranchName: main}, outputArtifacts: [app]}]
  - name: Production
    environment: production
    actions: [{name: Deploy, provider: Commands, commands: ["echo #{App.CommitId} >> $LEDGER"], environmentVariables: [{name: LEDGER, value: %q}], inputArtifacts: [app]}]
`, w.path("ledger"))[1:])
	return w.begins()
}

// history is so many commits on main, oldest first, of which nobody has heard.
func (w *fixture) history(n int) (commits []string) {
	for i := range n {
		w.write("work/page", fmt.Sprintln(i))
		w.git("work", "add", ".")
		w.git("work", "commit", "-qm", fmt.Sprint("Ship ", i))
		commits = append(commits, w.git("work", "rev-parse", "HEAD"))
	}
	w.git("work", "push", "-q", w.path("git/acme/webshop.git"), "HEAD:main")
	return commits
}

// hookAnswer is what a delivery was told.
type hookAnswer struct {
	status    int
	again     bool // the service was too slow to say, and the delivery came again
	Duplicate bool
	Started   []string
}

// deliver sends one push under so many IDs behind a barrier. The bodies are the
// same to the byte, or those of different hooks.
func (w *fixture) deliver(sha string, deliveries int, same bool) []hookAnswer {
	answers := make([]hookAnswer, deliveries)
	barrier := make(chan struct{})
	var all sync.WaitGroup
	for i := range answers {
		hookID := i
		if same {
			hookID = 0
		}
		body := fmt.Sprintf(`{"ref":"refs/heads/main","after":%q,"commits":[],"head_commit":{"id":%q,"message":"Ship","author":{"name":"Dan"}},"repository":{"full_name":"acme/webshop"},"sender":{"login":"dan-dev"},"hook":%d}`, sha, sha, hookID)
		all.Go(func() {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+w.addr+"/github/webhook", strings.NewReader(body))
			if err != nil {
				w.t.Error(err)
				return
			}
			req.Header.Set("X-GitHub-Event", "push")
			req.Header.Set("X-GitHub-Delivery", fmt.Sprintf("%s-%d", sha, i))
			req.Header.Set("X-Hub-Signature-256", wire.Sign([]byte(hook), []byte(body)))
			<-barrier
			for range 20 {
				res, err := http.DefaultClient.Do(req.Clone(req.Context()))
				if err != nil {
					return // it was killed
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err == nil && json.Unmarshal(text, &answers[i]) == nil {
					answers[i].status = res.StatusCode
				}
				if err != nil || res.StatusCode != http.StatusServiceUnavailable {
					return
				}
				answers[i].again = true // it says: deliver it again
				if req.Body, err = req.GetBody(); err != nil {
					w.t.Error(err)
					return
				}
			}
		})
	}
	close(barrier)
	all.Wait()
	return answers
}

// deliverOnce delivers a push to a service that is well: one is new, the others
// are repeats of it, as is one whose first answer did not come in time.
func (w *fixture) deliverOnce(sha string, deliveries int, same bool) {
	w.t.Helper()
	answers, fresh, again := w.deliver(sha, deliveries, same), 0, false
	for _, a := range answers {
		again = again || a.again
		if a.status == http.StatusAccepted && !a.Duplicate {
			fresh++
		} else if a.status != http.StatusOK || !a.Duplicate {
			w.t.Fatalf("a delivery was answered %+v", a)
		}
		if len(a.Started) != 1 || a.Started[0] != answers[0].Started[0] {
			w.t.Fatalf("the deliveries were told different things: %+v", answers)
		}
	}
	if fresh > 1 || fresh == 0 && !again {
		w.t.Fatalf("%d of %d deliveries were new: %+v", fresh, deliveries, answers)
	}
}

// deliverThroughAKill delivers a push to a service that is killed meanwhile, and again until all were heard.
func (w *fixture) deliverThroughAKill(sha string, deliveries int) {
	w.t.Helper()
	heard := make(chan []hookAnswer, 1)
	go func() { heard <- w.deliver(sha, deliveries, false) }()
	<-time.After(time.Duration(rand.Int64N(int64(30 * time.Millisecond))))
	w.kill()
	<-heard
	w.start()
	for _, a := range w.deliver(sha, deliveries, false) {
		if a.status != http.StatusAccepted && a.status != http.StatusOK || len(a.Started) > 1 {
			w.t.Fatalf("after the restart a delivery was answered %+v", a)
		}
	}
}

// deployedOnce checks that every commit had one execution and one deployment.
func (w *fixture) deployedOnce(commits []string) {
	w.t.Helper()
	ledger := strings.Fields(w.read("ledger"))
	slices.Sort(ledger)
	want := slices.Sorted(slices.Values(commits))
	if !slices.Equal(ledger, want) {
		w.t.Errorf("%d deployments of %d pushes:\n%s", len(ledger), len(want), strings.Join(ledger, "\n"))
	}
	started := map[string]int{}
	for before := 0; ; {
		page, err := w.api.Executions(w.t.Context(), record.Query{Pipeline: "webshop", Limit: 100, Before: before})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range page {
			before = e.Number
			if len(e.SourceRevisions) > 0 {
				started[e.SourceRevisions[0].RevisionID]++
			}
			if e.Status != workflows.StatusSucceeded {
				w.t.Errorf("%s is %s", e.Ref(), e.Status)
			}
		}
		if before <= 1 {
			break
		}
	}
	for _, sha := range commits {
		if started[sha] != 1 {
			w.t.Errorf("%d executions of %s", started[sha], sha)
		}
	}
	if len(started) != len(commits) {
		w.t.Errorf("%d commits were started, want %d", len(started), len(commits))
	}
}
