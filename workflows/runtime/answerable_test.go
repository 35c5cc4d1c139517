package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// members is a directory that can list its one group.
type members struct {
	in   []workflows.Principal
	down bool
}

func (m *members) Member(_ context.Context, p workflows.Principal, _ string) (bool, error) {
	for _, q := range m.in {
		if q.Is(p) {
			return true, nil
		}
	}
	return false, nil
}

func (m *members) Members(context.Context, string) ([]workflows.Principal, error) {
	if m.down {
		return nil, errors.New("Slack is away")
	}
	return m.in, nil
}

// onlyAsked is a directory that cannot list anybody.
type onlyAsked struct{ in *members }

func (o onlyAsked) Member(ctx context.Context, p workflows.Principal, g string) (bool, error) {
	return o.in.Member(ctx, p, g)
}

// Whether enough people can still approve is what Submit would answer them: who
// has voted, who asked for it and who has left are not among them.
func TestWhetherEnoughPeopleCanApprove(t *testing.T) {
	group := func(in ...workflows.Principal) map[string]runtime.Directory {
		return map[string]runtime.Directory{"slack-group": &members{in: in}}
	}
	for _, c := range []struct {
		name, approval string
		starter        workflows.Principal
		left           string // who is a guest by now
		voted          []workflows.Principal
		directories    map[string]runtime.Directory
		deputies       map[string]string
		want           string
	}{
		{name: "enough", approval: quorum, starter: cho},
		{name: "the requester may not", approval: `approval: {from: [ana@acme.example, cho@acme.example], required: 2}`, starter: ana,
			want: "only 1 person can approve, 2 are required; add somebody to `from`, let the requester approve (`requesterMayApprove`)"},
		{name: "the requester may", approval: `approval: {from: [ana@acme.example, cho@acme.example], required: 2, requesterMayApprove: true}`, starter: ana},
		{name: "one has left", approval: `approval: {from: [ana@acme.example, cho@acme.example], required: 2}`, starter: dan, left: cho.Email,
			want: "only 1 person can approve, 2 are required; add somebody to `from`"},
		{name: "one has voted, the other asked for it", approval: `approval: {from: [ana@acme.example, cho@acme.example], required: 2}`, starter: cho, voted: []workflows.Principal{ana},
			want: "nobody can approve, 1 is required; add somebody to `from`, let the requester approve (`requesterMayApprove`)"},
		{name: "one of a group", approval: `approval: {from: [ana@acme.example, cho@acme.example], required: 2, atLeast: {"slack-group:S1": 1}}`, starter: dan, directories: group(dan),
			want: "nobody of the Slack group S1 can approve, 1 is required; add somebody to the Slack group S1"},
		{name: "a group of two", approval: `approval: {from: ["slack-group:S1"], required: 2}`, starter: dan, directories: group(ana, cho)},
		{name: "a group of one", approval: `approval: {from: ["slack-group:S1"], required: 2}`, starter: dan, directories: group(ana),
			want: "only 1 person can approve, 2 are required; add somebody to the Slack group S1"},
		{name: "a group that nobody can list", approval: `approval: {from: ["slack-group:S1"], required: 2}`, starter: dan,
			directories: map[string]runtime.Directory{"slack-group": onlyAsked{&members{in: []workflows.Principal{ana}}}}},
		{name: "a deputy is no second person", approval: `approval: {from: ["group:rm"], required: 2}`, starter: dan, deputies: map[string]string{ana.Email: cho.Email},
			want: "only 1 person can approve, 2 are required; add somebody to rm"},
		{name: "a token is one", approval: `approval: {from: [ana@acme.example, token:ci], required: 2}`, starter: dan},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(w *world) {
				people := &staff{now: map[string]string{}}
				w.options.People, w.options.Directories = people, c.directories
				w.options.Policy = &access.Policy{Deputies: c.deputies, Groups: map[string][]string{"rm": {ana.Email}},
					Rules: []access.Rule{{Allow: []workflows.Verb{workflows.View, workflows.Start}, To: []string{"everyone"}}}}
				w.boot()
				w.define(gated(c.approval))
				r := w.submit(c.starter, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"})
				synctest.Wait()
				for _, by := range c.voted {
					w.submit(by, workflows.Intent{Verb: workflows.Approve, Execution: r.Execution.ID})
				}
				if c.left != "" {
					people.now[c.left] = "guest"
				}
				g := w.gate(r.Execution.ID)
				before, _ := w.Head(w.t.Context())
				a, err := w.Answerable(w.t.Context(), r.Execution.ID, g.Token)
				if err != nil {
					t.Fatal(err)
				}
				f := &say.Format{}
				got := f.TooFew(a)
				for i, way := range f.WaysOut(a, g.From) {
					got += []string{"; ", ", "}[min(i, 1)] + way
				}
				if got != c.want {
					t.Errorf("it says %q, want %q", got, c.want)
				}
				if after, err := w.Head(w.t.Context()); err != nil || after != before {
					t.Errorf("looking wrote the frames %d to %d, %v", before, after, err)
				}
			})
		})
	}
}

// What cannot be looked up is an error, never "nobody can".
func TestWhoCannotBeListedIsNotMissing(t *testing.T) {
	play(t, func(w *world) {
		m := &members{in: []workflows.Principal{ana}, down: true}
		w.options.Directories = map[string]runtime.Directory{"slack-group": m}
		w.boot()
		w.define(gated(`approval: {from: ["slack-group:S1"], required: 2}`))
		id := w.begin("webshop")
		if a, err := w.Answerable(w.t.Context(), id, w.gate(id).Token); err == nil {
			t.Errorf("it says %+v", a)
		}
		if a, err := w.Answerable(w.t.Context(), id, "another"); err != nil || len(a.Short) > 0 {
			t.Errorf("of no gate it says %+v, %v", a, err)
		}
	})
}

// Groups are opened, deputies stand behind those they stand in for, each once.
func TestLeavesOfGroups(t *testing.T) {
	p := &access.Policy{Deputies: map[string]string{"ana@acme.example": "dan@acme.example"},
		Groups: map[string][]string{"rm": {"ana@acme.example", "group:sec", "slack-group:S1"}, "sec": {"cho@acme.example", "group:rm", "everyone"}}}
	got := fmt.Sprint(p.Leaves("group:rm", "cho@acme.example", "token:ci"))
	if want := "[ana@acme.example dan@acme.example cho@acme.example everyone slack-group:S1 token:ci]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
