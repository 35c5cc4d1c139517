package gate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/gate"
)

func at(clock string) time.Time {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		panic(err)
	}
	return t.AddDate(2026, 2, 1)
}

func vote(id, answer string, in ...string) workflows.Vote {
	return workflows.Vote{By: workflows.Principal{ID: id}, Answer: answer, In: in}
}

func TestWhoIsAskedAndWhoCounts(t *testing.T) {
	for _, c := range []struct {
		pol           workflows.ApprovalPolicy
		asked, counts []string
	}{
		{workflows.ApprovalPolicy{}, nil, nil},
		{workflows.ApprovalPolicy{From: []string{"group:dev"}}, []string{"group:dev"}, []string{"group:dev"}},
		{workflows.ApprovalPolicy{From: []string{"group:dev"}, Ask: []string{"ana@acme.example"}}, []string{"ana@acme.example"}, []string{"group:dev"}},
		{workflows.ApprovalPolicy{From: []string{"group:dev"}, AtLeast: map[string]int{"group:security": 1, "group:dev": 1, "group:ops": 1}},
			[]string{"group:dev"}, []string{"group:dev", "group:ops", "group:security"}},
		{workflows.ApprovalPolicy{AtLeast: map[string]int{"group:security": 1}}, nil, []string{"group:security"}},
	} {
		if got := gate.Asked(&c.pol); !slices.Equal(got, c.asked) {
			t.Errorf("%+v asks %v, want %v", c.pol, got, c.asked)
		}
		from := slices.Clone(c.pol.From)
		if got := gate.AsksFor(&c.pol); !slices.Equal(got, c.counts) || !slices.Equal(c.pol.From, from) {
			t.Errorf("%+v counts %v, want %v", c.pol, got, c.counts)
		}
	}
}

// What the record says was missing when somebody opened a gate by right.
func TestWithout(t *testing.T) {
	two := workflows.ApprovalPolicy{Required: 2}
	secured := workflows.ApprovalPolicy{Required: 2, AtLeast: map[string]int{"group:security": 1, "group:ops": 2}}
	for _, c := range []struct {
		name  string
		pol   workflows.ApprovalPolicy
		votes []workflows.Vote
		want  string
	}{
		{"nobody", two, nil, "2 of 2 approvals"},
		{"one of one", workflows.ApprovalPolicy{Required: 1}, nil, "1 of 1 approval"},
		{"half", two, []workflows.Vote{vote("U1", "approve")}, "1 of 2 approvals"},
		{"a rejection is no approval", two, []workflows.Vote{vote("U1", "approve"), vote("U2", "reject")}, "1 of 2 approvals"},
		{"enough", two, []workflows.Vote{vote("U1", "approve"), vote("U2", "approve")}, ""},
		{"more than enough", two, []workflows.Vote{vote("U1", "approve"), vote("U2", "approve"), vote("U3", "approve")}, ""},
		{"all of it", secured, nil, "2 of 2 approvals, 2 of group:ops and 1 of group:security"},
		{"a group, beside enough approvals", secured, []workflows.Vote{vote("U1", "approve", "group:ops"), vote("U2", "approve", "group:ops")}, "1 of group:security"},
		{"a rejecting member does not count", secured, []workflows.Vote{vote("U1", "approve", "group:ops"), vote("U2", "approve", "group:ops"), vote("U3", "reject", "group:security")}, "1 of group:security"},
		{"one person of two groups", secured, []workflows.Vote{vote("U1", "approve", "group:ops", "group:security")}, "1 of 2 approvals and 1 of group:ops"},
	} {
		if got := gate.Without(&c.pol, c.votes); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestReminders(t *testing.T) {
	g := workflows.Approval{OpenedAt: at("10:00"), ExpiresAt: at("20:00")}
	for _, c := range []struct {
		name   string
		remind []string
		sent   []string
		now    string
		want   string
		next   string // "": none
	}{
		{"too early", []string{"50%", "90%"}, nil, "14:59", "", "15:00"},
		{"on time", []string{"50%", "90%"}, nil, "15:00", "50%", "19:00"},
		{"sent already", []string{"50%", "90%"}, []string{"50%"}, "15:01", "", "19:00"},
		{"after a pause only the newest", []string{"25%", "50%", "90%"}, nil, "16:00", "50%", "19:00"},
		{"all of them late", []string{"25%", "50%", "90%"}, []string{"25%"}, "19:30", "90%", ""},
		{"out of order", []string{"90%", "25%"}, nil, "12:30", "25%", "19:00"},
		{"an older one does not come after a newer one", []string{"25%", "50%"}, []string{"50%"}, "16:00", "", ""},
		{"none is wanted", nil, nil, "19:00", "", ""},
		{"at the end it expires instead", []string{"100%", "150%"}, nil, "20:00", "", ""},
		{"what is no percentage", []string{"soon", "-5%", "0%", " 50 %"}, nil, "10:00", "", ""},
	} {
		g.Reminded = c.sent
		got, next := gate.Reminders(&g, &workflows.ApprovalPolicy{RemindAt: c.remind}, at(c.now))
		want := time.Time{}
		if c.next != "" {
			want = at(c.next)
		}
		if got != c.want || !next.Equal(want) {
			t.Errorf("%s: %q, then %v; want %q, then %v", c.name, got, next, c.want, want)
		}
	}
}

// An answer by token with other names beside it was meant for something else.
func TestMismatch(t *testing.T) {
	e := &workflows.Execution{ID: "e1", Pipeline: "webshop", Number: 42}
	for _, c := range []struct {
		in   workflows.Intent
		code string
	}{
		{workflows.Intent{}, ""},
		{workflows.Intent{Execution: "e1", Stage: "Production", Action: "SignOff"}, ""},
		{workflows.Intent{Execution: "e2"}, workflows.CodeInvalidApprovalToken},
		{workflows.Intent{Execution: "e2", Stage: "Staging"}, workflows.CodeInvalidApprovalToken},
		{workflows.Intent{Stage: "production"}, workflows.CodeStageNotFound},
		{workflows.Intent{Execution: "e1", Action: "Deploy"}, workflows.CodeActionNotFound},
	} {
		err := gate.Mismatch(&c.in, e, "Production", "SignOff")
		var p *workflows.Problem
		if errors.As(err, &p); (err == nil) != (c.code == "") || p != nil && p.Code != c.code {
			t.Errorf("%+v: %v, want %q", c.in, err, c.code)
		}
	}
}

// Who answers too late hears of the newest gate that their names fit.
func TestAnswered(t *testing.T) {
	closed := func(name, how, by string) workflows.ActionExecution {
		a := workflows.ActionExecution{Name: name, Approval: &workflows.Approval{Closed: how}}
		if by != "" {
			a.Approval.Votes = []workflows.Vote{{By: workflows.Principal{Name: "cho"}}, {By: workflows.Principal{Name: by}}}
		}
		return a
	}
	e := &workflows.Execution{ID: "e1", Pipeline: "webshop", Number: 42, UpdatedAt: at("12:00"), Stages: []workflows.StageExecution{
		{Name: "Review", Actions: []workflows.ActionExecution{closed("Check", "approved", "ana")}},
		{Name: "Production", Actions: []workflows.ActionExecution{closed("SignOff", "rejected", "ben"), closed("Late", "expired", ""), closed("Gone", "withdrawn", ""), {Name: "Deploy"}, closed("Now", "", "")}},
	}}
	for _, c := range []struct{ stage, action, code, says, hint string }{
		{"", "", workflows.CodeInvalidApprovalToken, "Gone of webshop#42 was withdrawn", "asks again"},
		{"Review", "", workflows.CodeApprovalCompleted, "Check of webshop#42 was approved by ana", "status webshop#42"},
		{"", "Check", workflows.CodeApprovalCompleted, "Check of webshop#42 was approved by ana", "status webshop#42"},
		{"Production", "SignOff", workflows.CodeApprovalCompleted, "SignOff of webshop#42 was rejected by ben", "status webshop#42"},
		{"", "Late", workflows.CodeInvalidApprovalToken, "Late of webshop#42 expired", "retry webshop#42"},
		{"Review", "SignOff", "", "", ""},
		{"", "Deploy", "", "", ""}, // no gate
		{"", "Now", "", "", ""},    // still open
	} {
		err := gate.Answered(e, &workflows.Intent{Stage: c.stage, Action: c.action})
		var p *workflows.Problem
		if !errors.As(err, &p) {
			if err != nil || c.code != "" {
				t.Errorf("%s/%s: %v, want %s", c.stage, c.action, err, c.code)
			}
			continue
		}
		if p.Code != c.code || !strings.HasPrefix(p.Message, c.says) || !strings.Contains(p.Hint, c.hint) {
			t.Errorf("%s/%s: %+v, want %s: %s (%s)", c.stage, c.action, p, c.code, c.says, c.hint)
		}
	}
}

func TestRefusalsSayWhoCan(t *testing.T) {
	e := &workflows.Execution{Pipeline: "webshop", Number: 42}
	ana := workflows.Principal{ID: "slack:U1", Name: "Ana", Email: "ana@acme.example"}
	asked := &workflows.ApprovalPolicy{From: []string{"Ana@acme.example", "group:dev", "slack:U1"}}
	freeze := workflows.Freeze{Name: "holidays", To: at("12:00")}
	passed := freeze
	passed.MayPass = []string{"group:ops", "ana@acme.example"}
	for _, c := range []struct {
		p                *workflows.Problem
		code, says, hint string
	}{
		{gate.NotAnApprover(ana, e, "Production", asked, "anybody of dev"), workflows.CodeNotAnApprover, "you can't approve webshop#42", "anybody of dev can"},
		{gate.NotAnApprover(ana, e, "Production", &workflows.ApprovalPolicy{}, "nobody"), workflows.CodeAccessDenied, "in Production", "approve on webshop/Production"},
		{gate.NotAnApprover(workflows.Principal{ID: "token:ci"}, e, "Production", &workflows.ApprovalPolicy{}, ""), workflows.CodeNotAnApprover, "the token ci", "token:ci"},
		{gate.SelfApproval(ana, e, asked, "started it"), workflows.CodeSelfApproval, "you cannot approve webshop#42 yourself: you started it", "ask somebody else: group:dev"},
		{gate.Frozen(freeze, "Production"), workflows.CodeStageDisabled, "Production is frozen (holidays) until 2 Mar 12:00 UTC", "nobody may pass it"},
		{gate.Frozen(passed, "Production"), workflows.CodeStageDisabled, "Production is frozen (holidays) until", "group:ops, ana@acme.example; rolling back"},
	} {
		if c.p.Code != c.code || !strings.Contains(c.p.Message, c.says) || !strings.Contains(c.p.Hint, c.hint) {
			t.Errorf("%+v, want %s: %s (%s)", c.p, c.code, c.says, c.hint)
		}
	}
	if got := gate.SelfApproval(ana, e, &workflows.ApprovalPolicy{From: []string{"slack:U1"}}, "started it").Hint; got != "ask somebody else" {
		t.Errorf("who alone is asked is told to %q", got)
	}
}

// A vote is dropped for the person, whichever surface it came from, and the copies of before keep it.
func TestDropTakesOnePersonsVote(t *testing.T) {
	votes := []workflows.Vote{
		{By: workflows.Principal{ID: "slack:U1", Email: "ana@acme.example"}, Answer: "approve"},
		{By: workflows.Principal{ID: "slack:U2", Email: "ben@acme.example"}, Answer: "approve"},
		{By: workflows.Principal{ID: "slack:U3"}, Answer: "approve"},
	}
	for _, c := range []struct {
		by   workflows.Principal
		left []string
	}{
		{workflows.Principal{ID: "oidc:7", Email: "Ana@acme.example"}, []string{"slack:U2", "slack:U3"}},
		{workflows.Principal{ID: "slack:U3"}, []string{"slack:U1", "slack:U2"}},
		{workflows.Principal{ID: "slack:U9"}, []string{"slack:U1", "slack:U2", "slack:U3"}},
	} {
		g := &workflows.Approval{Votes: slices.Clone(votes), Dropped: make([]string, 1, 4)}
		before := *g
		gate.Drop(g, c.by, gate.NoLonger(c.by, "Guest", ""))
		var left []string
		for _, v := range g.Votes {
			left = append(left, v.By.ID)
		}
		if !slices.Equal(left, c.left) {
			t.Errorf("%s: left are %v, want %v", c.by.ID, left, c.left)
		}
		if diff := cmp.Diff(votes, before.Votes); diff != "" || before.Dropped[:2:2][1] != "" {
			t.Errorf("%s: a copy has changed: %s", c.by.ID, diff)
		}
		if want := c.by.Called() + "'s vote no longer counts: they may not answer this gate any more"; len(g.Dropped) != 2 || g.Dropped[1] != want {
			t.Errorf("%q, want %q", g.Dropped, want)
		}
		gate.Drop(g, c.by, nil)
		if len(g.Dropped) != 2 {
			t.Errorf("a drop without a reason left a line: %q", g.Dropped)
		}
	}
}
