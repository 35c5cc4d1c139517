package runtime_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What retention asks of a disk.

func (d *disk) row(id string) (e workflows.Execution) {
	if row, ok := d.rows[id]; ok {
		if err := json.Unmarshal(row, &e); err != nil {
			panic(err)
		}
	}
	return e
}

// all are the rows that fit, in the order of their IDs.
func (p *plug) all(fits func(*workflows.Execution) bool) (all []workflows.Execution) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(p.rows)) {
		if e := p.row(id); fits(&e) {
			all = append(all, e)
		}
	}
	return all
}

func (p *plug) Numbers(_ context.Context, pipeline string, from, limit int) (all []record.Numbered, err error) {
	for _, e := range p.all(func(e *workflows.Execution) bool { return e.Pipeline == pipeline && e.Number >= from }) {
		all = append(all, record.Numbered{Number: e.Number, Execution: e.ID, Ended: e.Status.Final()})
	}
	slices.SortFunc(all, func(a, b record.Numbered) int { return cmp.Compare(a.Number, b.Number) })
	return all[:min(len(all), limit)], nil
}

func (p *plug) Successes(ctx context.Context, pipeline, stage string, limit int) (ids []string, err error) {
	rows, err := p.Executions(ctx, record.Query{Pipeline: pipeline, SucceededInStage: stage, Limit: limit})
	for _, e := range rows {
		ids = append(ids, e.ID)
	}
	return ids, err
}

func (p *plug) Ended(_ context.Context, after string, limit int) ([]workflows.Execution, error) {
	all := p.all(func(e *workflows.Execution) bool { return e.ID > after && e.Status.Final() })
	return all[:min(len(all), limit)], nil
}

func (p *plug) Live(_ context.Context, after string, limit int) ([]workflows.Execution, error) {
	all := p.all(func(e *workflows.Execution) bool { return e.ID > after && !e.Status.Final() })
	return all[:min(len(all), limit)], nil
}

// shelf is where logs and artifacts lie.
type shelf struct {
	mu        sync.Mutex
	logs      map[string]time.Time // by execution
	artifacts map[string]time.Time // by digest
	looks     int
	elsewhere bool // artifacts are kept in a bucket, by place
}

func (s *shelf) stored(of map[string]time.Time) (all []work.Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, work.Stored{Name: name, At: of[name]})
	}
	return all
}

func (s *shelf) Logs(context.Context) ([]work.Stored, error)      { return s.stored(s.logs), nil }
func (s *shelf) Artifacts(context.Context) ([]work.Stored, error) { return s.stored(s.artifacts), nil }

func (s *shelf) RemoveLogs(execution string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.logs, execution)
	return nil
}

func (s *shelf) RemoveArtifact(digest string, before time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.artifacts[digest]
	if ok = ok && at.Before(before); ok {
		delete(s.artifacts, digest)
	}
	return ok, nil
}

func (s *shelf) HasArtifact(digest string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.artifacts[digest]
	return ok
}

// listings is how often the files were listed.
func (s *shelf) listings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looks
}

func (s *shelf) count() (logs, artifacts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.logs), len(s.artifacts)
}

const days = 24 * time.Hour

// keeping tells a story on a disk from which things are removed.
func keeping(t *testing.T, ages retention.Policy, story func(w *world, s *shelf)) {
	t.Helper()
	play(t, func(w *world) {
		s := &shelf{logs: map[string]time.Time{}, artifacts: map[string]time.Time{}}
		w.outside.answer = func(t work.Task) (work.Outcome, error) {
			if strings.Contains(t.Configuration["BranchName"], "broken") {
				return work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ActionFailed", Message: "it broke"}}, nil
			}
			o := succeeded(t)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.logs[t.Execution] = time.Now()
			for i := range o.Artifacts {
				a := &o.Artifacts[i]
				if s.artifacts[a.Digest] = time.Now(); s.elsewhere {
					a.At = "s3://acme-art/web/" + a.Digest + ".zip?versionId=1"
					s.artifacts[a.Place()] = time.Now()
				}
			}
			return o, nil
		}
		w.options.Retention, w.options.Files = ages, s
		w.boot()
		story(w, s)
	})
}

func (w *world) left(pipeline string) (numbers []int) {
	w.t.Helper()
	all, err := w.Executions(w.t.Context(), ana, record.Query{Pipeline: pipeline, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, x := range all {
		numbers = append(numbers, x.Number)
	}
	slices.Reverse(numbers)
	return numbers
}

func span(from, to int) (all []int) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

var thirtyDays = retention.Policy{Executions: retention.Age(30 * days), Logs: retention.Age(10 * days), Artifacts: retention.Age(20 * days)}

// Executions, logs and artifacts go within a minute after they are old enough,
// and not before; the last 20 successes and the record stay.
func TestRetention(t *testing.T) {
	keeping(t, thirtyDays, func(w *world, s *shelf) {
		w.define(named("web"))
		for range 25 {
			w.begin("web")
		}
		frames := len(w.disk.frames)
		check := func(when string, executions []int, logs, artifacts int) {
			t.Helper()
			l, a := s.count()
			if got := w.left("web"); !slices.Equal(got, executions) || l != logs || a != artifacts {
				t.Errorf("%s there are the executions %v, %d logs and %d artifacts; want %v, %d and %d", when, got, l, a, executions, logs, artifacts)
			}
		}
		pass(10*days - time.Second)
		check("before anything is old", span(1, 25), 25, 25)
		pass(time.Minute)
		check("after 10 days", span(1, 25), 0, 25)
		pass(10*days - 2*time.Minute)
		check("before 20 days", span(1, 25), 0, 25)
		pass(2 * time.Minute)
		check("after 20 days", span(1, 25), 0, 20)
		pass(10*days - 2*time.Minute)
		check("before 30 days", span(1, 25), 0, 20)
		pass(2 * time.Minute)
		check("after 30 days", span(6, 25), 0, 20)
		if len(w.disk.frames) < frames {
			t.Errorf("the record had %d frames and has %d", frames, len(w.disk.frames))
		}
		// The next success makes the oldest one go, and what was left is found by a new process too.
		w.begin("web")
		pass(time.Minute)
		check("after the next success", span(7, 26), 1, 20)
		w.crash()
		pass(100 * days)
		w.boot()
		pass(time.Minute)
		check("after a restart", span(7, 26), 0, 20)
	})
}

// While nothing can be due nothing is looked at.
func TestRetentionSleeps(t *testing.T) {
	keeping(t, thirtyDays, func(w *world, s *shelf) {
		w.define(named("web"))
		w.begin("web")
		pass(time.Hour)
		before := s.listings()
		pass(9 * days)
		if n := s.listings(); n != before {
			t.Errorf("files were listed %d times in 9 days in which nothing was due", n-before)
		}
		pass(300 * days)
		if n := s.listings(); n > before+20 {
			t.Errorf("files were listed %d times though almost nothing was ever due", n-before)
		}
	})
}

// Failed executions go though they were the last ones, and what was removed is
// told from what never was, for those who may see it.
func TestWhatWasRemovedIsSaid(t *testing.T) {
	keeping(t, thirtyDays, func(w *world, s *shelf) {
		w.define(strings.ReplaceAll(named("web"), "BranchName: main", "BranchName: broken"))
		id := w.begin("web")
		w.status(id, workflows.StatusFailed)
		if _, err := w.Log(w.t.Context(), ana, id, "Source", "App", 0); err != nil {
			t.Errorf("an empty log that is young: %v", err)
		}
		pass(11 * days)
		_, err := w.Log(w.t.Context(), ana, id, "Source", "App", 0)
		if p := w.problem(err, workflows.CodeLogNotFound); !strings.Contains(p.Message, "removed by retention (logs: 10d)") {
			t.Errorf("of a log that was removed: %v", p)
		}
		pass(20 * days)
		for _, ref := range []string{id, "web#1", " web#1", strings.ToUpper(id)} {
			_, err := w.Execution(w.t.Context(), ana, ref)
			if p := w.problem(err, workflows.CodeExecutionNotFound); !strings.HasPrefix(p.Message, "web#1 ended before 2000-01-02 and was removed by retention (executions: 30d)") {
				t.Errorf("%s: %v", ref, p)
			}
			if _, err = w.Execution(w.t.Context(), eve, ref); strings.Contains(w.problem(err, workflows.CodeExecutionNotFound).Message, "removed") {
				t.Errorf("a stranger hears of %s: %v", ref, err)
			}
		}
		for _, ref := range []string{"0195a000-0001-7000-8000-00000000beef", "00dc6acf-ac00-7000-8000-00000000beef", "eadbeef", "gone#1"} {
			_, err := w.Execution(w.t.Context(), ana, ref)
			if p := w.problem(err, workflows.CodeExecutionNotFound); !strings.HasPrefix(p.Message, "there is no execution") || !strings.Contains(p.Hint, "retention (executions: 30d)") {
				t.Errorf("%s, which never was: %v", ref, p)
			}
		}
		for _, ref := range []string{"web#2", "web#0"} { // retention is not to blame for those
			_, err := w.Execution(w.t.Context(), ana, ref)
			if p := w.problem(err, workflows.CodeExecutionNotFound); !strings.HasPrefix(p.Message, "there is no execution") || p.Hint != "the newest one is web#1" {
				t.Errorf("%s, which never was: %v", ref, p)
			}
		}
		w.refused(ana, workflows.Intent{Verb: workflows.Retry, Pipeline: "web", Execution: "web#1", Stage: "Source"}, workflows.CodeExecutionNotFound)
		if next := w.execution(w.begin("web")); next.Number != 2 {
			t.Errorf("the next one is %s", next.Ref())
		}
	})
}

// What a stage runs stays, whatever its age, and so does what a rollback has
// brought back: it can be gone back to for good.
func TestRetentionKeepsWhatRuns(t *testing.T) {
	keeping(t, retention.Policy{Executions: retention.Age(days), Logs: retention.Age(days), Artifacts: retention.Age(days)}, func(w *world, s *shelf) {
		w.define(named("web"))
		first := w.begin("web")
		for range 19 {
			w.begin("web")
		}
		w.submit(ana, workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: "Deploy", Target: first})
		pass(time.Minute)
		w.submit(ana, workflows.Intent{Verb: workflows.Unlock, Pipeline: "web", Stage: "Deploy"})
		pass(2 * days)
		if got := w.left("web"); !slices.Equal(got, span(1, 21)) {
			t.Errorf("left are %v: of 20 successes, what runs and what brought it none may go", got)
		}
		targets, err := w.Targets(w.t.Context(), ana, "web", "Deploy")
		if err != nil || len(targets) != 20 {
			t.Fatalf("%d targets, %v", len(targets), err)
		}
		for _, one := range targets {
			if !one.Eligible && !one.Now {
				t.Errorf("#%d cannot be gone back to: %s", one.Number, one.Why)
			}
		}
		// An artifact that somebody has deleted is said, at the choice and at the click.
		second := w.execution("web#2")
		delete(s.artifacts, second.Artifacts["app"].Digest)
		targets, _ = w.Targets(w.t.Context(), ana, "web", "Deploy")
		i := slices.IndexFunc(targets, func(one ledger.Target) bool { return one.Number == 2 })
		if i < 0 || targets[i].Eligible || targets[i].Why != "the artifact app of web#2 was removed by retention (artifacts: 1d)" {
			t.Errorf("without its artifact: %+v", targets[i])
		}
		p := w.refused(ana, workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: "Deploy", Target: second.ID}, workflows.CodeUnableToRollback)
		if !strings.Contains(p.Message, "removed by retention") || p.ID == "" {
			t.Errorf("refused in words and on record: %+v", p)
		}
	})
}

// What is kept in a bucket goes by its place, when nothing needs it any more.
func TestRetentionOfArtifactsElsewhere(t *testing.T) {
	keeping(t, retention.Policy{Artifacts: retention.Age(days), Successes: 1}, func(w *world, s *shelf) {
		s.elsewhere = true
		w.define(named("web"))
		first, second := w.begin("web"), w.begin("web")
		s.mu.Lock()
		s.artifacts["s3://acme-art/web/orphan.zip"] = time.Now()
		s.mu.Unlock()
		pass(3 * days)
		needed, old := w.execution(second).Artifacts["app"], w.execution(first).Artifacts["app"]
		if !s.HasArtifact(needed.Place()) || !s.HasArtifact(needed.Digest) {
			t.Errorf("what the last success needs has gone from %s", needed.Place())
		}
		if _, artifacts := s.count(); artifacts != 2 || s.HasArtifact(old.Place()) {
			t.Errorf("%d are left: %v", artifacts, s.artifacts)
		}
	})
}

// What somebody takes up again stays while that is being decided, however long it takes.
func TestRetentionWaitsForWhoIsAboutToUseIt(t *testing.T) {
	keeping(t, retention.Policy{Executions: retention.Age(days), Artifacts: retention.Age(days), Successes: 1}, func(w *world, s *shelf) {
		w.define(named("web"))
		first, second := w.begin("web"), w.begin("web")
		pass(days - time.Second)
		w.plug.slower(10 * time.Minute)
		done := make(chan error, 1)
		go func() {
			_, err := w.Submit(w.t.Context(), workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: "Deploy", Target: first}, ana)
			done <- err
		}()
		pass(5 * time.Minute)
		if got := w.left("web"); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("while a rollback to #1 is being decided: %v", got)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		w.plug.slower(0)
		pass(2 * days)
		if x := w.execution(first); !s.HasArtifact(x.Artifacts["app"].Digest) {
			t.Error("the artifact of what runs has gone")
		}
		w.status(second, workflows.StatusSucceeded) // people rolled back from it
		// A question alone keeps nothing, once it is answered.
		w.submit(ana, workflows.Intent{Verb: workflows.Unlock, Pipeline: "web", Stage: "Deploy"})
		if err := w.Try(w.t.Context(), workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: "Deploy", Target: first}, ana); err != nil {
			t.Fatal(err)
		}
		w.begin("web")
		pass(time.Minute)
		if _, err := w.Execution(w.t.Context(), ana, first); !strings.Contains(fmt.Sprint(err), "removed by retention") {
			t.Errorf("after a question about it: %v", err)
		}
	})
}

// What another execution has started stays until that one has heard of its end.
func TestRetentionKeepsWhatAnExecutionWaitsFor(t *testing.T) {
	keeping(t, retention.Policy{Executions: retention.Age(time.Second)}, func(w *world, s *shelf) {
		w.define(strings.ReplaceAll(named("child"), "BranchName: main", "BranchName: broken"), `
name: parent
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Ask
    actions:
      - {name: Child, provider: CodePipeline, configuration: {PipelineName: child}}
      - {name: Ok, provider: Manual, approval: {from: [ana@acme.example]}, timeoutInMinutes: 60}
`)
		w.begin("parent")
		pass(30 * time.Minute)
		if got := w.left("child"); !slices.Equal(got, []int{1}) {
			t.Fatalf("while its parent has not ended: %v", got)
		}
		pass(35 * time.Minute)
		w.begin("child") // something ends, or the pipeline is looked at by the clock
		pass(2 * time.Minute)
		if got := w.left("child"); len(got) != 0 {
			t.Errorf("after its parent has ended: %v", got)
		}
	})
}

// Rows go in small commits, in the order of their IDs over all pipelines, and
// with the memos of followers.
func TestRetentionIsPaced(t *testing.T) {
	keeping(t, retention.Policy{}, func(w *world, s *shelf) {
		w.define(strings.ReplaceAll(named("web"), "BranchName: main", "BranchName: broken"), strings.ReplaceAll(named("api"), "BranchName: main", "BranchName: broken"))
		for n := range 200 {
			id := w.begin([]string{"web", "api"}[n%2])
			if err := w.MemosOf("chat").Note(w.t.Context(), "execution/"+id, []byte("posted")); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
		}
		pass(2 * days)
		if len(w.left("web")) != 100 {
			t.Fatal("without ages something was removed")
		}
		w.stop()
		w.options.Retention = retention.Policy{Executions: retention.Age(days)}
		w.options.Followers = []runtime.Follower{remembering{}}
		w.plug = &plug{disk: w.disk}
		most, held := 0, w.disk.commits
		w.disk.watch = func(c *record.Commit) { most = max(most, len(c.Removed)) }
		w.start()
		pass(time.Minute)
		if most > 64 || w.disk.commits-held < 4 || len(w.disk.removed) != 200 {
			t.Errorf("%d rows in %d commits, at most %d in one", len(w.disk.removed), w.disk.commits-held, most)
		}
		for n, ref := range w.disk.removed {
			if want := fmt.Sprintf("%s#%d", []string{"web", "api"}[n%2], n/2+1); ref != want {
				t.Fatalf("%dth is %s, want %s: the order of IDs", n, ref, want)
			}
		}
		if memos, _ := w.plug.List(w.t.Context(), "chat", ""); len(memos) != 0 {
			t.Errorf("%d memos of executions that are gone", len(memos))
		}
	})
}

// A commit of unknown end, a store that cannot be read: what is due goes when that is over.
func TestRetentionGoesOnAfterTrouble(t *testing.T) {
	keeping(t, retention.Policy{Executions: retention.Age(days)}, func(w *world, s *shelf) {
		w.define(strings.ReplaceAll(named("web"), "BranchName: main", "BranchName: broken"))
		for range 3 {
			w.begin("web")
		}
		w.plug.fail(func(n int) string { return map[bool]string{true: "before"}[n < 4] })
		pass(days + time.Minute)
		w.plug.work()
		pass(2 * time.Minute)
		if got := w.left("web"); len(got) != 0 {
			t.Errorf("left are %v", got)
		}
	})
}

type remembering struct{}

func (remembering) Name() string                              { return "chat" }
func (remembering) Follow(context.Context, event.Batch) error { return nil }
func (remembering) ExecutionMemos(x *workflows.Execution) (keys []string) {
	return []string{"execution/" + x.ID}
}
