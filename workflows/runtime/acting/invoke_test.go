package acting_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/acting"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// pipelines are all that an invoker knows: other pipelines, their executions, and
// what was noted in the commits of their starts.
type pipelines struct {
	exist  []string
	rows   map[string]workflows.Execution
	memos  map[string][]byte
	asked  []workflows.Intent
	refuse *workflows.Problem
	err    error // of what is asked for; it is not known whether it was done
	loses  bool  // it was
	woken  []string
}

func newPipelines(names ...string) *pipelines {
	return &pipelines{exist: names, rows: map[string]workflows.Execution{"parent": {ID: "parent", Pipeline: "web", Number: 7, Trigger: workflows.StartedBy{By: workflows.Principal{ID: "slack:U1"}},
		SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "aaaaaaa", AnyBranch: true}, {ActionName: "Conf", RevisionID: "bbbbbbb"}}}}, memos: map[string][]byte{}}
}

func (p *pipelines) invoker() *acting.Invoker {
	return acting.NewInvoker(p, p, p, func(tasks ...string) { p.woken = append(p.woken, tasks...) })
}

func (p *pipelines) Exists(name string) bool {
	return strings.Contains(strings.Join(p.exist, " "), name)
}

func (p *pipelines) Submit(_ context.Context, in workflows.Intent, with record.Attachment) (r event.Result, refused *workflows.Problem, err error) {
	p.asked = append(p.asked, in)
	if p.refuse != nil || p.err != nil && !p.loses {
		return r, p.refuse, p.err
	}
	x := workflows.Execution{ID: "child", Pipeline: in.Pipeline, Number: 3, Status: workflows.StatusInProgress}
	if in.Verb == workflows.StopExecution {
		x = p.rows[in.Execution]
		x.Stop = &workflows.Stop{}
	}
	p.rows[x.ID] = x
	for _, m := range with.Rows(in.Pipeline, x.StartedAt, &x, nil).Memos {
		p.memos[m.Owner+" "+m.Key] = m.Value
	}
	return event.Result{Execution: &x}, nil, p.err
}

func (p *pipelines) Execution(_ context.Context, id string) (workflows.Execution, bool, error) {
	x, ok := p.rows[id]
	return x, ok, nil
}

func (p *pipelines) Current(ctx context.Context, _, id string) (workflows.Execution, bool, error) {
	return p.Execution(ctx, id)
}

func (p *pipelines) Memo(_ context.Context, owner, key string) ([]byte, bool, error) {
	value, ok := p.memos[owner+" "+key]
	return value, ok, nil
}

// ends sets how the child stands.
func (p *pipelines) ends(status workflows.Status, why string) {
	x := p.rows["child"]
	x.Status = status
	if why != "" {
		x.StatusReason = &workflows.Reason{Message: why}
	}
	p.rows["child"] = x
}

// call is a task that starts another pipeline.
func call(configuration ...string) work.Task {
	t := work.Task{ID: "parent/Prod/Call/1", Kind: work.Start, Pipeline: "web", Number: 7, Execution: "parent", Stage: "Prod", Action: workflows.Action{Name: "Call"}, Configuration: map[string]string{}}
	for i := 0; i < len(configuration); i += 2 {
		t.Configuration[configuration[i]] = configuration[i+1]
	}
	return t
}

// A task starts the other pipeline once, with its token, and ends as that one does.
func TestAnActionEndsAsTheOtherPipelineDoes(t *testing.T) {
	for status, c := range map[workflows.Status]struct{ state, why, says string }{
		workflows.StatusInProgress: {work.Running, "", "waits for api#3"},
		workflows.StatusSucceeded:  {work.Succeeded, "", "api#3 succeeded"},
		workflows.StatusFailed:     {work.Failed, "Test failed", "api#3 failed: Test failed"},
		workflows.StatusStopped:    {work.Failed, "", "api#3 was stopped"},
		workflows.StatusSuperseded: {work.Failed, "", "api#3 was superseded"},
		workflows.StatusCancelled:  {work.Failed, "", "api#3 was cancelled"},
	} {
		p := newPipelines("api")
		v := p.invoker()
		task := call("PipelineName", " api ", "Variables", `[{"name": "canary", "value": "10"}]`)
		o, err := v.Start(t.Context(), task, nil)
		if err != nil || o.State != work.Running || o.Handle != "child" || o.ExternalID != "child" {
			t.Fatalf("%+v, %v", o, err)
		}
		in := p.asked[0]
		if in.Verb != workflows.Start || in.Pipeline != "api" || in.Variables["canary"] != "10" || !strings.HasPrefix(in.Token, "invoke-") ||
			in.Trigger.Detail != "web#7 Prod/Call" || in.Trigger.Execution != "parent" || in.Trigger.By.ID != "slack:U1" {
			t.Fatalf("asked for %+v by %+v", in, in.Trigger)
		}
		p.ends(status, c.why)
		task.Handle = o.Handle
		o, err = v.Poll(t.Context(), task, nil)
		if err != nil || o.State != c.state || o.Summary != c.says {
			t.Errorf("%s: %+v, %v", status, o, err)
		}
	}
}

// What a task has started is noted in the commit of the start: it is found
// again by another process, also when the answer was lost.
func TestWhatATaskStartedIsFound(t *testing.T) {
	p := newPipelines("api")
	if _, found, err := p.invoker().Find(t.Context(), call("PipelineName", "api"), nil); found || err != nil {
		t.Fatalf("found before it was started: %v, %v", found, err)
	}
	p.err, p.loses = errors.New("unknown"), true
	if _, err := p.invoker().Start(t.Context(), call("PipelineName", "api"), nil); err == nil {
		t.Fatal("a start of unknown end is certain")
	}
	p.err = nil
	o, found, err := p.invoker().Find(t.Context(), call("PipelineName", "api"), nil)
	if err != nil || !found || o.Handle != "child" {
		t.Errorf("%+v, %v, %v", o, found, err)
	}
	var note record.Started
	if err := json.Unmarshal(p.memos["runtime invoked/parent/Prod/Call/1"], &note); err != nil || note.Pipeline != "api" || note.Execution != "child" {
		t.Errorf("noted %+v, %v", note, err)
	}
}

// The task that waits is woken when the other execution ends, once, and not by
// anything else that happens there.
func TestTheEndWakesTheTaskThatWaits(t *testing.T) {
	for _, kind := range []event.Kind{event.ExecutionSucceeded, event.ExecutionFailed, event.ExecutionStopped, event.ExecutionSuperseded, event.ExecutionCancelled} {
		p := newPipelines("api")
		v := p.invoker()
		if _, err := v.Start(t.Context(), call("PipelineName", "api"), nil); err != nil {
			t.Fatal(err)
		}
		v.OnCommit(event.Frame{Events: []event.Event{{Kind: event.StageSucceeded, Execution: "child"}, {Kind: kind, Execution: "other"}}})
		if len(p.woken) != 0 {
			t.Errorf("woken by something else: %q", p.woken)
		}
		for range 2 {
			v.OnCommit(event.Frame{Events: []event.Event{{Kind: kind, Execution: "child"}}})
		}
		if len(p.woken) != 1 || p.woken[0] != "parent/Prod/Call/1" {
			t.Errorf("%s: woken %q", kind, p.woken)
		}
	}
}

// What cannot be meant fails the action in words; what is refused there too.
func TestAStartThatCannotBeMeant(t *testing.T) {
	chain := func(p *pipelines, names ...string) { // each started by the one before; the last is the parent
		above := ""
		for i, name := range names {
			id := fmt.Sprint("x", i)
			if i == len(names)-1 {
				id = "parent"
			}
			p.rows[id] = workflows.Execution{ID: id, Pipeline: name, Number: i + 1, Trigger: workflows.StartedBy{Execution: above}}
			above = id
		}
	}
	for name, c := range map[string]struct {
		configuration []string
		chain         []string
		refuse        *workflows.Problem
		says          string // what the failure holds
	}{
		"no such pipeline":      {configuration: []string{"PipelineName", "none"}, says: `there is no pipeline "none" to start`},
		"no list of variables":  {configuration: []string{"PipelineName", "api", "Variables", "{"}, says: "Variables is not the JSON text of a list"},
		"no list of revisions":  {configuration: []string{"PipelineName", "api", "SourceRevisions", "x"}, says: "SourceRevisions is not the JSON text of a list"},
		"itself":                {configuration: []string{"PipelineName", "web"}, chain: []string{"web"}, says: "web would start itself: web -> web"},
		"itself by way of one":  {configuration: []string{"PipelineName", "api"}, chain: []string{"api", "web"}, says: "api would start itself: api -> web -> api"},
		"a chain that is long":  {configuration: []string{"PipelineName", "api"}, chain: []string{"a", "b", "c", "d", "e", "web"}, says: "more than 5 pipelines would start one another: a -> b -> c -> d -> e -> web -> api"},
		"refused there":         {configuration: []string{"PipelineName", "api"}, refuse: workflows.Refuse(workflows.CodeConflict, "wait", "api is archived"), says: "api was not started: api is archived (wait)"},
		"as long as is allowed": {configuration: []string{"PipelineName", "api"}, chain: []string{"a", "b", "c", "d", "web"}},
	} {
		p := newPipelines("api", "web")
		if c.chain != nil {
			chain(p, c.chain...)
		}
		p.refuse = c.refuse
		o, err := p.invoker().Start(t.Context(), call(c.configuration...), nil)
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says == "" && o.State != work.Running:
			t.Errorf("%s: %+v, %v", name, o, o.Error)
		case c.says != "" && (o.State != work.Failed || !strings.Contains(o.Error.Message, c.says)):
			t.Errorf("%s: %+v, %v", name, o, o.Error)
		}
	}
}

// The revisions that are handed on may be of any branch only where the caller's are.
func TestHandingRevisionsOn(t *testing.T) {
	for revision, any := range map[string]bool{"aaaaaaa": true, "bbbbbbb": false, "ccccccc": false} {
		p := newPipelines("api")
		list := fmt.Sprintf(`[{"actionName": "App", "revisionType": "COMMIT_ID", "revisionValue": %q}]`, revision)
		if _, err := p.invoker().Start(t.Context(), call("PipelineName", "api", "SourceRevisions", list), nil); err != nil {
			t.Fatal(err)
		}
		if in := p.asked[0]; len(in.Revisions) != 1 || in.AnyRevision != any {
			t.Errorf("%s: of any branch %v, %+v", revision, in.AnyRevision, in.Revisions)
		}
	}
}

// A cancel stops the other execution, and asks for that once; what has ended or
// was never started is no work.
func TestACancelStopsTheOtherExecution(t *testing.T) {
	p := newPipelines("api")
	v := p.invoker()
	task := call("PipelineName", "api")
	o, err := v.Cancel(t.Context(), task, nil)
	if err != nil || o.State != work.Cancelled || len(p.asked) != 0 {
		t.Fatalf("nothing was started: %+v, %v", o, err)
	}
	if _, err := v.Start(t.Context(), task, nil); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if o, err = v.Cancel(t.Context(), task, nil); err != nil || o.State != work.Running {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	if len(p.asked) != 2 || p.asked[1].Verb != workflows.StopExecution || p.asked[1].Execution != "child" || p.asked[1].Reason != "given up by web#7 Prod/Call" {
		t.Errorf("asked for %+v", p.asked[1:])
	}
	p.ends(workflows.StatusStopped, "")
	if o, err = v.Cancel(t.Context(), task, nil); err != nil || o.State != work.Cancelled {
		t.Errorf("%+v, %v", o, err)
	}
	p.ends(workflows.StatusSucceeded, "")
	if o, err = v.Cancel(t.Context(), task, nil); err != nil || o.State != work.Succeeded {
		t.Errorf("what succeeded before the cancel: %+v, %v", o, err)
	}
}
