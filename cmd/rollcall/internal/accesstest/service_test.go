package accesstest_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/accesstest"
	"github.com/rollcall-bot/rollcall/workflows"
)

var update = flag.Bool("update", false, "write testdata/table.txt as workflows/access has it")

// each runs a test for every state, with a service of its own.
func each(t *testing.T, test func(t *testing.T, st accesstest.State, s *accesstest.Service)) {
	for i, st := range accesstest.States() {
		if testing.Short() && i%3 != 1 {
			continue
		}
		t.Run(st.Name, func(t *testing.T) {
			t.Parallel()
			bubble(t, st, func(t *testing.T, s *accesstest.Service) { test(t, st, s) })
		})
	}
}

func bubble(t *testing.T, st accesstest.State, test func(t *testing.T, s *accesstest.Service)) {
	synctest.Test(t, func(t *testing.T) { test(t, accesstest.Serve(t, st)) })
}

// service is the service itself, asked as every surface asks it.
type service struct {
	*accesstest.Service
	t *testing.T
}

func (s service) Ask(by workflows.Principal, in workflows.Intent) (bool, error) {
	var err error
	switch in.Verb {
	case workflows.View:
		_, err = s.Execution(s.t.Context(), by, in.Execution)
	case workflows.Logs:
		log, failed := s.Log(s.t.Context(), by, in.Execution, in.Stage, in.Action, 0)
		if err = failed; err == nil {
			err = log.Close()
		}
	default:
		tried := s.Try(s.t.Context(), in, by)
		if _, err = s.Submit(s.t.Context(), in, by); (tried == nil) != (err == nil) {
			s.t.Errorf("%s: a try of %+v says %v, the service %v", by.Name, in, tried, err)
		}
	}
	return true, err
}

// T21: which right an intent needs, and who needs none, is one rule: what the
// service says when it is asked is in the table.
func TestTheServiceAsksAccess(t *testing.T) {
	each(t, func(t *testing.T, st accesstest.State, s *accesstest.Service) {
		accesstest.Run(t, st, func() accesstest.Surface { return service{s.Fresh(), t} })
	})
}

// What somebody is offered is what the service would not refuse them.
func TestOffersAskAccess(t *testing.T) {
	each(t, func(t *testing.T, st accesstest.State, s *accesstest.Service) {
		p := s.Fresh()
		for _, who := range st.Askers() {
			by := st.Principal(who)
			if _, err := p.Pipeline(t.Context(), by, p.Name, 0); err != nil {
				continue // who does not see it is offered nothing
			}
			for i := range offers(t, p, workflows.EnginePrincipal()) {
				o := offers(t, p, workflows.EnginePrincipal())[i]
				is := slices.Contains(offers(t, p, by), o)
				_, err := p.Submit(t.Context(), o.intent(p), by)
				denied, _ := accesstest.Denied(err)
				if frozen := err != nil && strings.Contains(err.Error(), "is frozen"); is == (denied || frozen) {
					t.Errorf("%s: %s is offered %+v: %v; asked for, it says %v", st.Name, who, o, is, err)
				}
				if err == nil {
					p = s.Fresh()
				}
			}
		}
	})
}

// offer is one of an execution, or of a stage. Its target, where it is the
// execution that was started, is "x".
type offer struct {
	workflows.Offer
	of string // the stage; empty: the execution
}

// intent is what somebody asks for who takes it up.
func (o offer) intent(p *accesstest.Service) workflows.Intent {
	in := workflows.Intent{Verb: o.Verb, Pipeline: p.Name, Stage: o.Stage, Action: o.Action, Reason: "it must", As: "failed"}
	x, _, _ := p.Now()
	switch {
	case o.Verb == workflows.RollBack:
		in.Target = x.ID
	case o.Target == "x", o.of == "" && x != nil:
		in.Execution = x.ID
	}
	return in
}

func offers(t *testing.T, p *accesstest.Service, by workflows.Principal) (all []offer) {
	t.Helper()
	x, _, _ := p.Now()
	add := func(some []workflows.Offer, of string) {
		for _, o := range some {
			if x != nil && o.Target == x.ID {
				o.Target = "x"
			}
			all = append(all, offer{o, of})
		}
	}
	if x != nil {
		y, err := p.Execution(t.Context(), by, x.ID)
		if err != nil {
			t.Fatal(err)
		}
		add(y.Offers, "")
	}
	view, err := p.Pipeline(t.Context(), by, p.Name, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range view.Stages {
		add(st.Offers, st.Name)
	}
	return all
}

// The table is what workflows/access says.
func TestTheTableIsWhatAccessSays(t *testing.T) {
	var all strings.Builder
	all.WriteString("Who may ask for what, by how the pipeline stands: yes, any (and any revision), - (refused),\ngate (no right is asked for before a gate is found). go test ./cmd/rollcall/internal/accesstest -update\n")
	for _, st := range accesstest.States() {
		synctest.Test(t, func(t *testing.T) { all.WriteString(st.Print(service{accesstest.Serve(t, st).Fresh(), t})) })
	}
	if *update {
		if err := os.WriteFile("testdata/table.txt", []byte(all.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if kept, err := os.ReadFile("testdata/table.txt"); err != nil || string(kept) != all.String() {
		t.Errorf("testdata/table.txt is not what workflows/access says (%v); with -update it is written. It says\n%s", err, all.String())
	}
}
