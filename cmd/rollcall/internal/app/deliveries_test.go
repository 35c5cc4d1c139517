package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/runtime/simulation/seeds"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// filters are the triggers of the pipelines that a story delivers to, by their name.
var filters = map[string]string{
	"main":     "[]",
	"every":    "[{push: {branches: '**'}}]",
	"paths":    "[{push: {branches: main, filePaths: 'src/**'}}]",
	"tags":     "[{push: {tags: 'v*'}}]",
	"queued":   "[{push: {branches: 'gh-readonly-queue/**'}}]",
	"pulls":    "[{pullRequest: {branches: main}}]",
	"opened":   "[{pullRequest: {events: [OPEN], branches: main, filePaths: 'src/**'}}]",
	"released": "[{release: {tags: 'v*', prerelease: false}, variables: {TAG: $.release.tag_name}}]",
	"tested":   "[{workflowRun: {workflows: CI, branches: main}}]",
	"groups":   "[{mergeGroup: {branches: main}}]",
	"staged":   "[{deployment: {environments: staging}}]",
}

// happening is something that happened on GitHub once, and what it starts.
type happening struct {
	event, commit string
	payload       []byte
	starts        []string
}

// letter is one delivery of it, by one of the hooks that report it.
type letter struct {
	happening
	id string
}

// post is one seed: what happens at GitHub, what of it is delivered when, and the
// processes that hear of it.
type post struct {
	t     *testing.T
	seed  uint64
	dice  *rand.Rand
	db    *store.DB
	hub   *githubfake.Server
	echo  func(string)
	lines []string

	mu       sync.Mutex
	differ   map[string][]string // "BASE HEAD": the files
	all      []happening
	process  *life
	hook     http.Handler
	boots, n int
}

const postSecret = "the secret of the webhook"

func (w *post) logf(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	w.lines = append(w.lines, line)
	if w.echo != nil {
		w.echo(line)
	}
}

func (w *post) commit() string {
	w.n++
	return "a" + fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, w.seed, w.n)))[1:40]
}

func (w *post) happened(event, commit string, payload []byte, starts ...string) {
	w.all = append(w.all, happening{event, commit, payload, starts})
}

// compare answers as GitHub does when it is asked about two commits.
func (w *post) compare(base, head string) (files []githubfake.File) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.differ[base+" "+head] {
		files = append(files, githubfake.File{Name: name, Status: "modified"})
	}
	return files
}

// branches lets people push to main, forced or not, to other branches, and tags.
func (w *post) branches() {
	before := ""
	for range 2 + w.dice.IntN(4) {
		p := githubfake.Push{Repository: "acme/shop", Ref: "refs/heads/main", Commit: w.commit(), Message: "Change", Pusher: "dan", Before: before, Created: before == "", Forced: before != "" && w.dice.IntN(3) == 0}
		starts := []string{"main", "every"}
		p.Files = []string{"docs/a.md"}
		if w.dice.IntN(2) == 0 {
			p.Files = []string{"docs/a.md", "src/a.go"}
			if before != "" {
				starts = append(starts, "paths")
			}
		}
		w.differ[before+" "+p.Commit], w.differ[p.Commit+" "+before] = p.Files, p.Files
		before = p.Commit
		w.happened("push", p.Commit, p.Payload(), starts...)
	}
	dev := githubfake.Push{Repository: "acme/shop", Ref: "refs/heads/dev", Commit: w.commit(), Pusher: "dan", Created: true, Files: []string{"src/a.go"}}
	w.happened("push", dev.Commit, dev.Payload(), "every")
	gone := dev
	gone.Commit, gone.Before = "", dev.Commit
	w.happened("push", dev.Commit, gone.Payload())
	tag := githubfake.Push{Repository: "acme/shop", Ref: "refs/tags/v1", Commit: w.commit(), Pusher: "dan", Created: true}
	w.happened("push", tag.Commit, tag.Payload(), "tags")
	queue := githubfake.Push{Repository: "acme/shop", Ref: "refs/heads/gh-readonly-queue/main/pr-7", Commit: w.commit(), Pusher: "dan", Created: true}
	w.happened("push", queue.Commit, queue.Payload(), "queued")
	w.happened("merge_group", queue.Commit, githubfake.MergeGroup{Repository: "acme/shop", Base: "main", Number: 7, Commit: queue.Commit}.Payload(), "groups")
}

// pulls lets a pull request be opened, pushed to, closed and opened again, and others beside it.
func (w *post) pulls() {
	p := githubfake.Pull{Repository: "acme/shop", Number: 7, Action: "opened", Base: "main", Head: "cart", Commit: w.commit(), Author: "dan", Files: []githubfake.File{{Name: "src/a.go"}}}
	w.hub.Keep(p)
	w.happened("pull_request", p.Commit, p.Payload(), "pulls", "opened")
	twin := p
	twin.Number, twin.Head, twin.Files = 8, "cart-2", []githubfake.File{{Name: "docs/a.md"}}
	w.hub.Keep(twin)
	w.happened("pull_request", p.Commit, twin.Payload(), "pulls")
	fork := p
	fork.Number, fork.HeadOwner = 9, "mallory"
	w.happened("pull_request", p.Commit, fork.Payload())
	for _, action := range []string{"labeled", "synchronize", "closed", "reopened", "closed"} {
		time.Sleep(time.Second) // GitHub dates what happens
		p.Action = action
		starts := []string{"pulls"}
		switch action {
		case "labeled":
			starts = nil
		case "synchronize":
			p.Commit = w.commit()
		case "reopened":
			starts = append(starts, "opened")
		}
		w.happened("pull_request", p.Commit, dated(p), starts...)
	}
	elsewhere := p
	elsewhere.Number, elsewhere.Action, elsewhere.Base, elsewhere.Commit = 10, "opened", "dev", w.commit()
	w.happened("pull_request", elsewhere.Commit, elsewhere.Payload())
}

// dated is the payload of a pull request with the moment at which it was closed.
func dated(p githubfake.Pull) []byte {
	var all map[string]any
	_ = json.Unmarshal(p.Payload(), &all) // the fake wrote it
	if p.Action == "closed" {
		all["pull_request"].(map[string]any)["closed_at"] = time.Now().UTC().Format(time.RFC3339)
	}
	raw, _ := json.Marshal(all)
	return raw
}

// others are releases, workflow runs and deployments.
func (w *post) others() {
	for _, tag := range []string{"v1", "w1"} {
		commit, starts := w.commit(), []string{"released"}
		if tag == "w1" {
			starts = nil
		}
		w.hub.Tag("acme/shop", tag, commit)
		w.happened("release", commit, githubfake.ReleaseEvent{Repository: "acme/shop", Tag: tag, ID: len(w.all), Author: "dan"}.Payload(), starts...)
	}
	run := githubfake.RunEvent{Repository: "acme/shop", Workflow: "CI", Branch: "main", Commit: w.commit(), Conclusion: "success", Event: "push", Actor: "dan", ID: 1}
	again, failed, forked := run, run, run
	again.Attempt, failed.Conclusion, failed.ID, forked.HeadRepository, forked.ID = 2, "failure", 2, "mallory/shop", 3
	w.happened("workflow_run", run.Commit, run.Payload(), "tested")
	w.happened("workflow_run", run.Commit, again.Payload(), "tested")
	w.happened("workflow_run", run.Commit, failed.Payload())
	w.happened("workflow_run", run.Commit, forked.Payload())
	d := githubfake.DeploymentEvent{Repository: "acme/shop", Ref: "main", Commit: w.commit(), Environment: "staging", Creator: "dan", ID: 1}
	ours := d
	ours.ID, ours.Note = 2, map[string]any{"execution": "01890a5d-ac96-774b-bcce-b302099a8057"}
	w.happened("deployment", d.Commit, d.Payload(), "staged")
	w.happened("deployment", d.Commit, ours.Payload())
}

// letters are the deliveries: of each event one to five, by up to three hooks whose
// payloads differ, in any order.
func (w *post) letters() (all []letter) {
	for i, h := range w.all {
		for range 1 + w.dice.IntN(5) {
			hook := w.dice.IntN(3)
			one := letter{h, fmt.Sprintf("%d-%d", i, hook)}
			one.payload = append(bytes.TrimSuffix(bytes.Clone(h.payload), []byte("}")), fmt.Sprintf(`,"hook":{"id":%d}}`, hook)...)
			all = append(all, one)
		}
	}
	w.dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// boot starts a process on what is durable.
func (w *post) boot() {
	w.boots++
	s := &life{after: w.dice.IntN(2) == 0}
	p := port{w.db, s}
	log := slog.New(slog.DiscardHandler)
	e, err := runtime.New(runtime.Options{Store: p, History: p, Inbox: p, Memos: p, Runs: desk{}, Objects: desk{}, Log: log,
		Runners: map[string]runtime.Runner{"GitHub": done{}, "Wait": done{}}, Policy: policy(), Rand: rand.NewChaCha8([32]byte{byte(w.seed), byte(w.seed >> 8), byte(w.boots)})})
	w.must(err)
	s.Engine = e
	hook, err := github.NewWebhook(github.WebhookOptions{Secret: postSecret, Engine: e, Token: "t", APIURL: "http://github.test/", Transport: wirefake.Direct(w.hub), Log: log})
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.running.Go(func() { _ = e.Run(ctx) })
	s.running.Go(func() {
		select {
		case <-e.Ready():
			_ = hook.Run(ctx)
		case <-ctx.Done():
		}
	})
	w.process, w.hook = s, hook.Handler()
	<-e.Ready()
}

// kill ends the process as kill -9 would.
func (w *post) kill() {
	w.logf("kill")
	w.process.dead.Store(true)
	w.process.cancel()
	w.process.running.Wait()
}

func (w *post) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// define puts the pipelines in force.
func (w *post) define() {
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		p, faults := spec.Parse(name+".yaml", fmt.Appendf(nil, `name: %s
executionMode: PARALLEL
variables: [{name: TAG, defaultValue: none}]
triggers: %s
stages:
- name: Source
  actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/shop, BranchName: main}, outputArtifacts: [app]}]
- name: Rest
  actions: [{name: Pause, provider: Wait, configuration: {seconds: "0"}}]
`, name, filters[name]))
		if p == nil {
			w.t.Fatal(faults)
		}
		_, err := w.process.Submit(w.t.Context(), workflows.Intent{Verb: workflows.Edit, Pipeline: name, NewDefinition: p, ManagedBy: "api"}, workflows.EnginePrincipal())
		w.must(err)
	}
}

// deliver hands a letter over, and says whether it was taken.
func (w *post) deliver(l letter) bool {
	r := httptest.NewRequest(http.MethodPost, "/github/webhook", bytes.NewReader(l.payload)).WithContext(w.t.Context())
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", l.event)
	r.Header.Set("X-GitHub-Delivery", l.id)
	r.Header.Set("X-Hub-Signature-256", wire.Sign([]byte(postSecret), l.payload))
	answer := httptest.NewRecorder()
	w.hook.ServeHTTP(answer, r)
	w.logf("%s %s %.7s: %d %s", l.id, l.event, l.commit, answer.Code, strings.TrimSpace(answer.Body.String()))
	return !w.process.dead.Load() && (answer.Code == http.StatusOK || answer.Code == http.StatusAccepted)
}

// run delivers everything, while processes end and GitHub does not always answer.
// What was not taken is delivered again, as people do who look at the hook's page.
func (w *post) run() {
	for open := w.letters(); len(open) > 0; {
		l := open[0]
		open = open[1:]
		switch w.dice.IntN(12) {
		case 0:
			w.kill()
			w.boot()
		case 1:
			w.process.fuse.Store(int32(1 + w.dice.IntN(6)))
		case 2:
			w.hub.Faults.Set(fault.Fault{Status: 502, Times: 1 + w.dice.IntN(3)})
		}
		if !w.deliver(l) {
			open = append(open, l)
		}
		if w.dice.IntN(3) == 0 {
			time.Sleep(time.Duration(w.dice.IntN(8000)) * time.Millisecond)
		}
		if w.process.dead.Load() {
			w.kill()
			w.boot()
		}
	}
}

// judge compares what was started with what the filters say.
func (w *post) judge(when string) (total int) {
	want, got := map[string]int{}, map[string]int{}
	for _, h := range w.all {
		for _, pipeline := range h.starts {
			want[pipeline+" "+h.commit[:7]]++
		}
	}
	for name := range filters {
		all, err := w.process.Executions(w.t.Context(), workflows.EnginePrincipal(), record.Query{Pipeline: name, Limit: 1000})
		w.must(err)
		for _, x := range all {
			total++
			got[name+" "+x.SourceRevisions[0].RevisionID[:7]]++
			if name == "released" && x.Variables["TAG"] != "v1" {
				w.t.Errorf("%s was started with TAG=%s", x.Ref(), x.Variables["TAG"])
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			w.t.Errorf("%s: %s was started %d times, want %d", when, key, got[key], want[key])
		}
		delete(got, key)
	}
	for key, n := range got {
		w.t.Errorf("%s: %s was started %d times, for nothing", when, key, n)
	}
	return total
}

// done is a runner that succeeds at once.
type done struct{}

func (done) Start(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	o := work.Outcome{State: work.Succeeded, Revision: t.Revision}
	for _, a := range t.Action.OutputArtifacts {
		o.Artifacts = append(o.Artifacts, workflows.Artifact{Name: a.Name, Digest: strings.Repeat("ab", 32), Size: 1})
	}
	return o, nil
}

func (done) Poll(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Succeeded}, nil
}

func (done) Cancel(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Cancelled}, nil
}

// posted is what a story came to.
type posted struct{ Executions, Boots int }

// deliveries tells the story of a seed.
func deliveries(t *testing.T, seed uint64, echo func(string)) (c posted) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(filepath.Join(t.TempDir(), "rollcall.db"), store.Options{NoSync: true, MapSize: 32 << 20})
		w := &post{t: t, seed: seed, dice: rand.New(rand.NewPCG(seed, 13)), db: db, echo: echo, differ: map[string][]string{}}
		w.must(err)
		w.hub = githubfake.New(githubfake.Options{Token: "t", Compare: w.compare})
		defer func() {
			w.kill()
			w.must(db.Close())
			if t.Failed() {
				t.Logf("seed %d; replay it with\n\n    ROLLCALL_SEED=%d go test -v ./cmd/rollcall/internal/app -run 'TestDeliveries$'\n\n%s", seed, seed, strings.Join(w.lines, "\n"))
			}
		}()
		w.boot()
		w.define()
		w.branches()
		w.pulls()
		w.others()
		w.run()
		w.hub.Faults.Set()
		w.process.fuse.Store(0)
		time.Sleep(2 * time.Minute)
		w.judge("afterwards")
		w.kill()
		w.boot()
		time.Sleep(24 * time.Hour)
		for _, l := range w.letters() { // a day later somebody delivers it all again
			if l.id = strings.Split(l.id, "-")[0] + "-0"; w.delivered(l) {
				w.deliver(l)
			}
		}
		time.Sleep(time.Minute)
		c = posted{Executions: w.judge("after it was delivered again"), Boots: w.boots}
	})
	return c
}

// delivered says whether a letter of that ID was delivered before.
func (w *post) delivered(l letter) bool {
	return slices.ContainsFunc(w.lines, func(line string) bool { return strings.HasPrefix(line, l.id+" ") })
}

// Whatever GitHub delivers how often, in which order and by which hooks, before and
// after a crash: exactly the executions start that the filters say.
func TestDeliveries(t *testing.T) {
	total := posted{}
	told, _ := seeds.Tell(t, seeds.Plan{Time: 5 * time.Second}, deliveries, func(c posted) {
		total.Executions, total.Boots = total.Executions+c.Executions, total.Boots+c.Boots
	})
	t.Logf("%d seeds: %d executions, %d processes", told, total.Executions, total.Boots)
}
