package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func TestNamesOfExecutions(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"), named("other"))
		id := w.begin("web")
		for _, ref := range []string{id, strings.ToUpper(id), " " + id + " ", "web#1", id[len(id)-6:], id[len(id)-12:]} {
			if x := w.execution(ref); x.ID != id {
				t.Errorf("%q is %s", ref, x.ID)
			}
		}
		for _, ref := range []string{"", "web#2", "#1", id[len(id)-5:], "no-such-id"} {
			_, err := w.Execution(w.t.Context(), ana, ref)
			w.problem(err, workflows.CodeExecutionNotFound)
		}
		for ref, want := range map[string]string{"web#2": "the newest one is web#1", "wbe#1": "did you mean web#1?", "web": "the newest one is web#1", "other#1": "start the first one with: start other"} {
			_, err := w.Execution(w.t.Context(), ana, ref)
			if p := w.problem(err, workflows.CodeExecutionNotFound); p.Hint != want {
				t.Errorf("%s: the hint is %q", ref, p.Hint)
			}
		}
		twin := workflows.Execution{ID: "twin-" + id[len(id)-6:], Number: 99, Pipeline: "web"}
		w.disk.rows[twin.ID] = must(encodeRow(twin))
		_, err := w.Execution(w.t.Context(), ana, id[len(id)-6:])
		if p := w.problem(err, workflows.CodeValidation); !strings.Contains(p.Hint, "more characters") {
			t.Errorf("the hint is %q", p.Hint)
		}
		w.refused(ana, workflows.Intent{Verb: workflows.StopExecution, Pipeline: "other", Execution: id}, workflows.CodeExecutionNotFound)
	})
}

func TestListsShowWhatIsTrueNow(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		first := w.begin("webshop")
		w.submit(ana, workflows.Intent{Verb: workflows.Approve, Execution: first})
		synctest.Wait()
		second := w.begin("webshop")
		list := func(q record.Query) string {
			q.Pipeline = "webshop"
			all, err := w.Executions(w.t.Context(), ana, q)
			if err != nil {
				t.Fatal(err)
			}
			var s []string
			for _, x := range all {
				where := "-"
				if st, ok := x.Stage("Production"); ok {
					where = string(st.Status)
				}
				s = append(s, fmt.Sprintf("#%d %s/%s", x.Number, x.Status, where))
			}
			return strings.Join(s, ", ")
		}
		for _, c := range []struct {
			q    record.Query
			want string
		}{
			{record.Query{}, "#2 InProgress/InProgress, #1 Succeeded/Succeeded"}, // the row of #2 is from its start
			{record.Query{Limit: 1}, "#2 InProgress/InProgress"},
			{record.Query{Before: 2}, "#1 Succeeded/Succeeded"},
			{record.Query{Status: workflows.StatusInProgress}, "#2 InProgress/InProgress"},
			{record.Query{Status: workflows.StatusSucceeded}, "#1 Succeeded/Succeeded"},
			{record.Query{Status: workflows.StatusInProgress, Before: 2}, ""},
			{record.Query{SucceededInStage: "Build"}, "#2 InProgress/InProgress, #1 Succeeded/Succeeded"},
			{record.Query{SucceededInStage: "Production"}, "#1 Succeeded/Succeeded"},
		} {
			if got := list(c.q); got != c.want {
				t.Errorf("%+v: got %s, want %s", c.q, got, c.want)
			}
		}
		targets, err := w.Targets(w.t.Context(), ana, "webshop", "Production")
		if err != nil || len(targets) != 1 || !targets[0].Now || targets[0].Execution != first {
			t.Errorf("targets: %+v, %v", targets, err)
		}
		_, err = w.Targets(w.t.Context(), ana, "webshop", "Prodution")
		if p := w.problem(err, workflows.CodeStageNotFound); !strings.Contains(p.Hint, "Production") {
			t.Errorf("the hint is %q", p.Hint)
		}
		x := w.execution(second)
		if len(x.Offers) == 0 || w.execution(first).Offers == nil {
			t.Errorf("offers: %v", x.Offers)
		}
	})
}

// The store has an execution's row a moment before readers have the state of its
// commit: who looks then waits for that state, and for no longer than it takes.
func TestAReaderWaitsForTheStateOfACommit(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		w.stop()
		w.plug = &plug{disk: w.disk, late: 2 * time.Second}
		w.start()
		if _, err := w.Pipeline(w.t.Context(), ana, "web", 0); err != nil { // the state is in memory
			t.Fatal(err)
		}
		go func() { // what becomes of it is looked at below
			_, _ = w.Submit(w.t.Context(), workflows.Intent{Verb: workflows.Start, Pipeline: "web"}, ben)
		}()
		pass(time.Second)
		began := time.Now()
		x := w.execution("web#1")
		if x.Number != 1 || time.Since(began) != time.Second {
			t.Errorf("got %s after %s", x.Ref(), time.Since(began))
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		lost := workflows.Execution{ID: "a-row-that-no-state-has", Number: 99, Pipeline: "web", Status: workflows.StatusInProgress}
		w.disk.mu.Lock()
		w.disk.rows[lost.ID] = must(encodeRow(lost))
		w.disk.mu.Unlock()
		if _, err := w.Execution(ctx, ana, lost.ID); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who gives up hears %v", err)
		}
		began = time.Now()
		_, err := w.Execution(w.t.Context(), ana, lost.ID)
		if w.problem(err, workflows.CodeUnavailable); time.Since(began) > 10*time.Second {
			t.Errorf("it took %s", time.Since(began))
		}
		if !strings.Contains(w.log.String(), "its row and its state do not agree") {
			t.Error("the log does not say why")
		}
	})
}

func TestARollbackTakesItsTargetFromTheArchive(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		first := w.begin("web")
		w.begin("web")
		pass(time.Minute)
		w.reboot()
		r := w.submit(ana, workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: "Deploy", Target: "web#1", Reason: "it was better", Token: "t1"})
		if r.Execution.Type != workflows.TypeRollback || r.Execution.Rollback.Target != first {
			t.Fatalf("got %+v", r.Execution)
		}
		synctest.Wait()
		w.status(r.Execution.ID, workflows.StatusSucceeded)
		again := w.submit(ana, workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: "Deploy", Target: "web#1", Token: "t1"})
		if again.Execution.ID != r.Execution.ID || again.Changed || again.Execution.Status != workflows.StatusSucceeded {
			t.Errorf("the same request again: %+v", again.Execution)
		}
		view, err := w.Pipeline(w.t.Context(), ana, "web", 0)
		if err != nil || view.Stages[1].Running.Execution != first || view.Stages[1].Transition.Enabled {
			t.Errorf("the stage shows %+v, %v", view.Stages[1], err)
		}
		w.refused(ana, workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: "Deploy", Target: "web#77"}, workflows.CodeExecutionNotFound)
	})
}

func TestOldVersionsCanBeRead(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		w.define(strings.Replace(named("web"), `["true"]`, `["false"]`, 1))
		w.reboot()
		for version, want := range map[int]string{0: "false", 1: "true", 2: "false"} {
			view, err := w.Pipeline(w.t.Context(), ana, "web", version)
			if err != nil || view.Definition.Stages[1].Actions[0].Commands[0] != want {
				t.Errorf("version %d: %+v, %v", version, view.Definition, err)
			}
		}
		_, err := w.Pipeline(w.t.Context(), ana, "web", 3)
		w.problem(err, workflows.CodeVersionNotFound)
	})
}

func TestVersionsSayWhoPutThemInForce(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		gate := strings.Replace(shop, "{from: [ana@acme.example]}", "{from: [ana@acme.example, ben@acme.example], required: 2}", 1)
		w.define(gate)
		pass(time.Hour)
		p, _ := spec.Parse("test.yaml", []byte(shop))
		w.submit(ben, workflows.Intent{Verb: workflows.Edit, Pipeline: "webshop", NewDefinition: p})
		pass(time.Hour)
		w.submit(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Edit, Pipeline: "webshop", NewDefinition: p, ManagedBy: "file:/etc/shop.yaml"})
		check := func(about string) {
			t.Helper()
			all, err := w.Versions(w.t.Context(), ana, "webshop")
			if err != nil || len(all) != 2 {
				t.Fatalf("%s: got %+v, %v", about, all, err)
			}
			now, first := all[0], all[1]
			if now.Version != 2 || now.By.ID != ben.ID || now.ManagedBy != "file" || now.File != "/etc/shop.yaml" || now.Digest != p.Digest() || len(now.Weakened) != 1 {
				t.Errorf("%s: the version in force is %+v", about, now)
			}
			if first.Version != 1 || !first.By.IsEngine() || first.ManagedBy != "api" || first.Digest == now.Digest || now.At.Sub(first.At) != time.Hour || len(first.Weakened) != 0 {
				t.Errorf("%s: the first version is %+v", about, first)
			}
		}
		check("as noted")
		for key := range w.disk.memos {
			if strings.Contains(key, "version/webshop/00000001/") {
				delete(w.disk.memos, key)
			}
		}
		check("from before there were notes")
		_, err := w.Versions(w.t.Context(), ana, "webshp")
		w.problem(err, workflows.CodePipelineNotFound)
		_, err = w.Versions(w.t.Context(), eve, "webshop")
		w.problem(err, workflows.CodePipelineNotFound)
	})
}

func TestWhatSomebodyWasToldTheyCanRead(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		for range 40 { // more frames than a checkpoint leaves
			id := w.submit(ana, workflows.Intent{Verb: workflows.Start, Pipeline: "web"}).Execution.ID
			if x := w.execution(id); x.ID != id {
				t.Fatalf("a start that was answered cannot be read")
			}
		}
		synctest.Wait()
		w.status("web#40", workflows.StatusSucceeded)
	})
}

func TestLogs(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		w.outside.acts(func() {
			w.outside.answer = func(t work.Task) (work.Outcome, error) {
				if t.Action.Name == "Lint" {
					return work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ActionFailed", Message: "exit status 1"}}, nil
				}
				return succeeded(t), nil
			}
		})
		var long strings.Builder
		for i := range 20_000 {
			fmt.Fprintf(&long, "line %d\n", i)
		}
		w.desk.logs["Build/Lint/1"] = long.String() + "it is wrong\r\n"
		w.desk.logs["Build/Test/1"] = "ok"
		id := w.begin("webshop")
		last := func(stage, action string, lines int) string {
			got, err := w.Tail(w.t.Context(), id, stage, action, 0, lines)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(got, "|")
		}
		for _, c := range []struct {
			stage, action string
			lines         int
			want          string
		}{
			{"", "", 2, "line 19999|it is wrong"}, // the action that failed
			{"Build", "Test", 5, "ok"},
			{"", "Test", 5, "ok"},
			{"Production", "Deploy", 5, ""}, // has not run
			{"Build", "Lint", 0, ""},
		} {
			if got := last(c.stage, c.action, c.lines); got != c.want {
				t.Errorf("the last %d lines of %s/%s are %q, want %q", c.lines, c.stage, c.action, got, c.want)
			}
		}
		log, err := w.Log(w.t.Context(), ana, id, "Build", "Test", 1)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(log); err != nil || string(text) != "ok" {
			t.Errorf("got %q, %v", text, err)
		}
		_, err = w.Log(w.t.Context(), ana, id, "Build", "Tset", 0)
		w.problem(err, workflows.CodeActionNotFound)
		_, err = w.Log(w.t.Context(), ana, id, "Build", "Test", 7)
		w.problem(err, workflows.CodeValidation)
		_, err = w.Log(w.t.Context(), ben, id, "Build", "Test", 0)
		if err != nil {
			t.Errorf("an admin reads logs: %v", err)
		}
		_, err = w.Log(w.t.Context(), cho, id, "Build", "Test", 0)
		w.problem(err, workflows.CodeAccessDenied)
	})
}

func TestNotesOnAnEndedExecution(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		id := w.begin("web")
		w.submit(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Annotate, Execution: id, Note: &workflows.Note{Name: "ticket", State: "done", Text: "OPS-1"}})
		if x := w.execution(id); len(x.Notes) != 1 || x.Notes[0].Text != "OPS-1" {
			t.Errorf("its notes are %+v", x.Notes)
		}
	})
}
