package feedback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wiretest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

const token = "ghp_a-token-that-nobody-may-read"

// house is what the follower reads and notes, as the engine would keep it.
type house struct {
	executions map[string]workflows.Execution
	provider   string // of the source action
	repository string
	memos      map[string][]byte
	clock      time.Time
}

func (h *house) Execution(_ context.Context, _ workflows.Principal, ref string) (workflows.Execution, error) {
	e, ok := h.executions[ref]
	if !ok {
		return e, &workflows.Problem{Code: workflows.CodeExecutionNotFound, Message: "there is no execution " + ref}
	}
	return e, nil
}

func (h *house) Pipeline(context.Context, workflows.Principal, string, int) (workflows.PipelineView, error) {
	return workflows.PipelineView{Definition: &workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{{Name: "Source", Actions: []workflows.Action{{
		Name: "App", ActionType: workflows.ActionType{Category: "Source", Provider: h.provider}, Configuration: map[string]string{"FullRepositoryId": h.repository, "ConnectionArn": "arn:" + h.provider},
	}}}}}}, nil
}

func (h *house) Memo(_ context.Context, key string) ([]byte, bool, error) {
	v, ok := h.memos[key]
	return v, ok, nil
}

func (h *house) Note(_ context.Context, key string, value []byte) error {
	if h.memos[key] = value; len(value) == 0 {
		delete(h.memos, key)
	}
	return nil
}

// Submit keeps the note on its execution.
func (h *house) Submit(_ context.Context, in workflows.Intent, _ workflows.Principal) (event.Result, error) {
	e := h.executions[in.Execution]
	e.Notes = []workflows.Note{*in.Note}
	h.executions[e.ID] = e
	return event.Result{}, nil
}

func newHouse() *house {
	return &house{executions: map[string]workflows.Execution{}, provider: "GitHub", repository: "acme/webshop", memos: map[string][]byte{}}
}

// standard is an execution of the commit, under way.
func standard(number int) workflows.Execution {
	return workflows.Execution{ID: fmt.Sprintf("id-%d", number), Number: number, Pipeline: "webshop", Version: 1, Type: workflows.TypeStandard,
		Status: workflows.StatusInProgress, SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: sha}},
		Stages: []workflows.StageExecution{{Name: "Build", Status: workflows.StatusInProgress}}}
}

// mirror returns a follower of a GitHub, with what it reads and what it logs.
func mirror(t *testing.T) (s *Statuses, h *house, hub *githubfake.Server, log *bytes.Buffer) {
	t.Helper()
	hub, h, log = githubfake.New(githubfake.Options{Token: token}), newHouse(), &bytes.Buffer{}
	srv := httptest.NewServer(hub)
	t.Cleanup(srv.Close)
	s, err := NewStatuses(Options{APIURL: srv.URL, Token: token, PublicURL: "https://rollcall.example/", Reader: h, Submitter: h, Notes: h, Now: func() time.Time { return h.clock }, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s, h, hub, log
}

// own are the statuses of the pipeline itself, not those of its stages.
func own(hub *githubfake.Server, sha string) []githubfake.Status {
	return slices.DeleteFunc(hub.Statuses(sha), func(st githubfake.Status) bool { return st.Context != "rollcall/webshop" })
}

// show commits the execution and lets the follower see it, half a minute after the last.
func show(t *testing.T, s *Statuses, h *house, e workflows.Execution) error {
	t.Helper()
	h.clock = h.clock.Add(statusPause)
	e.Notes = h.executions[e.ID].Notes
	h.executions[e.ID] = e
	return s.Follow(t.Context(), event.Batch{Pipeline: e.Pipeline, Frames: []event.Frame{{Events: []event.Event{{Execution: e.ID}, {Execution: e.ID}}}}})
}

func TestStatusFollowsAnExecution(t *testing.T) {
	s, h, hub, log := mirror(t)
	e := standard(42)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(show(t, s, h, e))
	must(show(t, s, h, e)) // nothing visible changed
	e.Stages = append([]workflows.StageExecution(nil), e.Stages...)
	e.Stages[len(e.Stages)-1].Status = workflows.StatusSucceeded
	e.Stages = append(e.Stages, workflows.StageExecution{Name: "Production", Status: workflows.StatusInProgress,
		Actions: []workflows.ActionExecution{{Name: "SignOff", Needs: workflows.NeedsApproval, Approval: &workflows.Approval{}}}})
	must(show(t, s, h, e))
	e.Status = workflows.StatusSucceeded
	must(show(t, s, h, e))

	var got []string
	for _, st := range own(hub, sha) {
		got = append(got, strings.Join([]string{st.Repository, st.Context, st.State, st.Description, st.TargetURL}, " | "))
	}
	const at = " | https://rollcall.example/executions/id-42"
	want := []string{
		"acme/webshop | rollcall/webshop | pending | running in Build" + at,
		"acme/webshop | rollcall/webshop | pending | waiting for approval in Production" + at,
		"acme/webshop | rollcall/webshop | success | succeeded" + at,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if strings.Contains(log.String(), token) {
		t.Error("the token is in the log")
	}
}

func TestDescribe(t *testing.T) {
	failed := func(code string, a workflows.ActionExecution) workflows.Execution {
		a.Status = workflows.StatusFailed
		return workflows.Execution{Status: workflows.StatusFailed, StatusReason: &workflows.Reason{Code: code, Message: "m"},
			Stages: []workflows.StageExecution{{Name: "Production", Status: workflows.StatusFailed, Actions: []workflows.ActionExecution{a}}}}
	}
	gate := func(votes ...workflows.Vote) *workflows.Approval { return &workflows.Approval{Votes: votes} }
	at := func(a workflows.ActionExecution) workflows.Execution {
		return workflows.Execution{Status: workflows.StatusInProgress, Stages: []workflows.StageExecution{{Name: "Production", Status: workflows.StatusInProgress, Actions: []workflows.ActionExecution{a}}}}
	}
	for _, c := range []struct {
		name        string
		e           workflows.Execution
		state, text string
	}{
		{"just begun", workflows.Execution{Status: workflows.StatusInProgress}, "pending", "starting"},
		{"at work", at(workflows.ActionExecution{Name: "Deploy"}), "pending", "running in Production"},
		{"at a gate", at(workflows.ActionExecution{Needs: workflows.NeedsApproval}), "pending", "waiting for approval in Production"},
		{"in doubt", at(workflows.ActionExecution{Name: "Deploy", Needs: workflows.NeedsResolve}), "pending", "result unknown in Production"},
		{"before a busy stage", workflows.Execution{Status: workflows.StatusInProgress, WaitsFor: &workflows.Wait{Stage: "Production", For: "stage"}}, "pending", "waiting for Production"},
		{"before a locked stage", workflows.Execution{Status: workflows.StatusInProgress, WaitsFor: &workflows.Wait{Stage: "Production", For: "transition"}}, "pending", "blocked: Production is locked"},
		{"stopping", workflows.Execution{Status: workflows.StatusStopping}, "pending", "stopping"},
		{"an action failed", failed("ActionFailed", workflows.ActionExecution{Name: "Deploy"}), "failure", "Deploy failed in Production"},
		{"an artifact of work that succeeded", failed("ArtifactNotStored", workflows.ActionExecution{Name: "Deploy"}), "error", "m"}, // C3
		{"rejected", failed("NotApproved", workflows.ActionExecution{Name: "SignOff", Approval: gate(
			workflows.Vote{Answer: "approve", By: workflows.Principal{Name: "Cho"}}, workflows.Vote{Answer: "reject", By: workflows.Principal{Name: "Ben"}})}), "failure", "not approved by Ben"},
		{"expired", failed("ApprovalExpired", workflows.ActionExecution{Name: "SignOff", Approval: gate()}), "failure", "approval expired in Production"},
		{"superseded", workflows.Execution{Status: workflows.StatusSuperseded, StatusReason: &workflows.Reason{Message: "superseded by webshop#44"}}, "error", "superseded by webshop#44"},
		{"stopped", workflows.Execution{Status: workflows.StatusStopped, Stop: &workflows.Stop{Reason: "wrong branch", By: workflows.Principal{Name: "Ana"}}}, "error", "stopped by Ana: wrong branch"},
		{"cancelled", workflows.Execution{Status: workflows.StatusCancelled}, "error", "cancelled"},
		{"too long for GitHub", workflows.Execution{Status: workflows.StatusSuperseded, StatusReason: &workflows.Reason{Message: strings.Repeat("é", 200)}}, "error", "superseded: " + strings.Repeat("é", 127) + "…"},
	} {
		if state, text := describe(&c.e); state != c.state || text != c.text {
			t.Errorf("%s: %s %q, want %s %q", c.name, state, text, c.state, c.text)
		}
	}
}

func TestTheNewestExecutionOfACommitSpeaks(t *testing.T) {
	s, h, hub, _ := mirror(t)
	newer, older := standard(43), standard(42)
	newer.Status, older.Status = workflows.StatusSucceeded, workflows.StatusFailed
	for _, e := range []workflows.Execution{newer, older} {
		if err := show(t, s, h, e); err != nil {
			t.Fatal(err)
		}
	}
	if st, _ := hub.Latest(sha, "rollcall/webshop"); st.State != "success" || len(own(hub, "")) != 1 {
		t.Errorf("statuses %+v, want only the newer execution's success", hub.Statuses(""))
	}
}

func TestCommitsThatGetNoStatus(t *testing.T) {
	for name, spoil := range map[string]func(*house, *workflows.Execution){
		"a rollback brings an old commit back": func(_ *house, e *workflows.Execution) { e.Type = workflows.TypeRollback },
		"a source elsewhere":                   func(h *house, _ *workflows.Execution) { h.provider = "Git" },
		"a connection to another host":         func(h *house, _ *workflows.Execution) { h.provider = "CodeStarSourceConnection" },
		"a repository that leaves its place":   func(h *house, _ *workflows.Execution) { h.repository = "acme/../../user" },
		"no revision yet":                      func(_ *house, e *workflows.Execution) { e.SourceRevisions = nil },
		"a revision that is no commit":         func(_ *house, e *workflows.Execution) { e.SourceRevisions[0].RevisionID = "main" },
	} {
		s, h, hub, _ := mirror(t)
		s.Elsewhere = []string{"arn:CodeStarSourceConnection"}
		e := standard(1)
		spoil(h, &e)
		if err := show(t, s, h, e); err != nil || hub.Calls() > 0 {
			t.Errorf("%s: %v, %d calls", name, err, hub.Calls())
		}
	}
}

func TestStatusCodes(t *testing.T) {
	wiretest.Run(t, func(t *testing.T, status int) error {
		s, h, hub, log := mirror(t)
		hub.Faults.Set(fault.Fault{Status: status, Body: `{"message":"no"}`})
		err := show(t, s, h, standard(1))
		if err != nil && strings.Contains(err.Error(), token) || strings.Contains(log.String(), token) {
			t.Error("the token got out")
		}
		if err != nil {
			// What was not accepted comes again, and all is well then.
			hub.Faults.Set()
			if err := show(t, s, h, standard(1)); err != nil || len(own(hub, sha)) != 1 {
				t.Errorf("afterwards: %v, %d statuses", err, len(own(hub, sha)))
			}
			return err
		}
		if n := strings.Count(log.String(), "GitHub refused"); n != 1 {
			t.Errorf("the log says it %d times", n)
		}
		calls := hub.Calls()
		if err := show(t, s, h, standard(1)); err != nil || hub.Calls() != calls {
			t.Errorf("a refused status was sent again unchanged: %v", err)
		}
		return nil
	})
}

// run is the runtime for a while: the follower is called when it asked to be.
func run(t *testing.T, s *Statuses, h *house, d time.Duration, happened ...string) {
	t.Helper()
	b := event.Batch{Pipeline: "webshop"}
	for _, id := range happened {
		b.Frames = append(b.Frames, event.Frame{Events: []event.Event{{Execution: id}}})
	}
	for end := h.clock.Add(d); ; b.Frames = nil {
		err := s.Follow(t.Context(), b)
		var more *event.Unfinished
		if err != nil && !errors.As(err, &more) {
			t.Fatalf("the batch was not taken: %v", err)
		}
		if err == nil || h.clock.Add(more.After).After(end) {
			h.clock = end
			return
		}
		h.clock = h.clock.Add(more.After)
	}
}

// C6, C19c: what somebody can mend is said on the execution, and set within 40 s
// of the mending, however long that takes; what GitHub will never take
// ends with its answer. Neither keeps up the next commit.
func TestACommitThatGetsNoStatusKeepsUpNoOther(t *testing.T) {
	const other = "ffff2d3e4f5061728394a5b6c7d8e9f001122334"
	for status, want := range map[int]string{401: "renew the token", 403: "Commit statuses: write", 404: "the token or the app may see it", 422: "too many statuses", 500: ""} {
		for _, broken := range []time.Duration{20 * time.Second, 5 * time.Minute} {
			t.Run(fmt.Sprint(status, " for ", broken), func(t *testing.T) {
				if status == 500 && broken > time.Minute {
					t.Skip("its transport waits in real time")
				}
				s, h, hub, _ := mirror(t)
				hub.Faults.Set(fault.Fault{Match: "POST /repos/acme/webshop/statuses/" + sha, Status: status, Body: `{"message":"no"}`})
				one, two := standard(1), standard(2)
				two.SourceRevisions = []workflows.SourceRevision{{ActionName: "App", RevisionID: other}}
				h.executions[one.ID], h.executions[two.ID] = one, two
				run(t, s, h, broken, one.ID)
				run(t, s, h, 2*time.Second, two.ID)
				if len(own(hub, other)) != 1 {
					t.Errorf("the next commit has %d statuses", len(own(hub, other)))
				}
				if said := fmt.Sprint(h.executions[one.ID].Notes); !strings.Contains(said, want) || want == "" && said != "[]" {
					t.Errorf("its execution says %s", said)
				}
				if most := int(broken/statusPause)*3 + 40; hub.Calls() > most {
					t.Errorf("%d calls in %s", hub.Calls(), broken)
				}
				hub.Faults.Set()
				run(t, s, h, 40*time.Second)
				if n := len(own(hub, sha)); status != 422 && n != 1 || status == 422 && n != 0 {
					t.Errorf("40 s after the mending %d statuses", n)
				}
				if said := h.executions[one.ID].Notes; status != 422 && len(said) > 0 && said[0].State != "done" {
					t.Errorf("its execution still says %v", said)
				}
				if _, ok := h.memos["queue/webshop"]; ok {
					t.Error("nothing waits, and the queue is kept")
				}
			})
		}
	}
}

func TestGitHubAway(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"down":              {Cut: true},
		"a lost answer":     {Cut: true, After: true},
		"the hourly limit":  {Status: 403, RetryAfter: time.Minute, Body: `{"message":"You have exceeded a secondary rate limit"}`},
		"429 with a minute": {Status: 429, RetryAfter: time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			hub, h := githubfake.New(githubfake.Options{Token: token}), newHouse()
			s, err := NewStatuses(Options{Token: token, Reader: h, Submitter: h, Notes: h, Now: func() time.Time { return h.clock }, Transport: wirefake.Direct(hub)})
			if err != nil {
				t.Fatal(err)
			}
			hub.Faults.Set(f)
			if err := show(t, s, h, standard(1)); err == nil {
				t.Errorf("%s: the follower accepted what GitHub does not know", name)
			}
			hub.Faults.Set()
			calls := hub.Calls()
			for n := 0; show(t, s, h, standard(1)) != nil; n++ {
				if f.RetryAfter == 0 || n == 3 {
					t.Fatalf("%s: it is not taken again", name)
				}
				time.Sleep(statusPause)
			}
			if n := len(own(hub, sha)); n != 1 && !f.After || hub.Calls() != calls+2 { // its own, and that of its stage
				t.Errorf("%s: %d statuses in %d calls", name, n, hub.Calls()-calls)
			}
		})
	}
}

func TestApp(t *testing.T) {
	hub, h := githubfake.New(githubfake.Options{Token: token}), newHouse()
	srv := httptest.NewServer(hub)
	defer srv.Close()
	s, err := NewStatuses(Options{APIURL: srv.URL + "/", App: &api.App{ID: 1, InstallationID: 2, PrivateKey: githubfake.PrivateKey()}, Reader: h, Notes: h})
	if err != nil {
		t.Fatal(err)
	}
	if err := show(t, s, h, standard(1)); err != nil || len(own(hub, sha)) != 1 {
		t.Errorf("%v, statuses %+v", err, hub.Statuses(sha))
	}
}

func TestOptionsAreRefusedInWords(t *testing.T) {
	for name, o := range map[string]Options{
		"neither token nor app":   {},
		"both":                    {Token: token, App: &api.App{}},
		"a key that is none":      {App: &api.App{PrivateKey: []byte("-----BEGIN " + token)}},
		"an address that is none": {APIURL: "api.github.com", Token: token},
		"a secret in the address": {APIURL: "https://x:" + token + "@api.github.com", Token: token},
	} {
		_, err := NewStatuses(o)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), token) {
			t.Errorf("%s: the secret is in the error: %v", name, err)
		}
	}
}

func TestFakeRefusesWhatGitHubRefuses(t *testing.T) {
	srv := httptest.NewServer(githubfake.New(githubfake.Options{Token: token}))
	defer srv.Close()
	for name, c := range map[string]struct {
		path, bearer, body string
		want               int
	}{
		"without credentials": {"/repos/acme/webshop/statuses/" + sha, "", `{"state":"success"}`, 401},
		"an unknown state":    {"/repos/acme/webshop/statuses/" + sha, token, `{"state":"great"}`, 422},
		"too long":            {"/repos/acme/webshop/statuses/" + sha, token, `{"state":"success","description":"` + strings.Repeat("x", 141) + `"}`, 422},
		"no commit":           {"/repos/acme/webshop/statuses/main", token, `{"state":"success"}`, 422},
		"well formed":         {"/repos/acme/webshop/statuses/" + sha, token, `{"state":"success"}`, 201},
	} {
		req, _ := http.NewRequest("POST", srv.URL+c.path, strings.NewReader(c.body))
		req.Header.Set("Authorization", "Bearer "+c.bearer)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, c.want)
		}
	}
}
