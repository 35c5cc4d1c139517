package machine

import (
	"errors"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Two people change the same version: the second hears that there is a newer
// one, also when they mean to create what exists by now.
func TestAnEditOfWhatIsNoLongerInForceIsRefused(t *testing.T) {
	w := newWorld()
	edit := func(stage, seen string) error {
		p, err := define([]string{"Source: App", stage + ": Deploy"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.decide(Input{By: person("ana"), Intent: &workflows.Intent{Verb: workflows.Edit, Pipeline: "webshop", NewDefinition: p, ManagedBy: "api", IfCurrent: seen}})
		return err
	}
	for _, c := range []struct {
		stage, seen string
		refused     bool
	}{{"A", "0", false}, {"B", "0", true}, {"B", "1", false}, {"C", "1", true}, {"C", "", false}, {"D", "v3", true}, {"D", "3", false}} {
		var refused *workflows.Problem
		err := edit(c.stage, c.seen)
		if got := errors.As(err, &refused) && refused.Code == workflows.CodeChanged; got != c.refused || err != nil && !c.refused {
			t.Errorf("%s, having seen %q: %v", c.stage, c.seen, err)
		}
	}
}

// An edit that asks fewer people says so, in its event and to who made it; one
// that asks more, or changes nothing, does not.
func TestAnEditSaysWhichGatesAskForLess(t *testing.T) {
	w := newWorld()
	for _, c := range []struct{ gate, want string }{
		{"gate required=2 from=ana,ben", ""},
		{"gate required=2 from=ana,ben", ""},
		{"gate required=1 from=ana,ben", "2 of ana@acme.example, ben@acme.example -> 1 of ana@acme.example, ben@acme.example"},
		{"gate required=2 from=ana,ben", ""},
		{"", "2 of ana@acme.example, ben@acme.example -> removed"},
	} {
		p, err := define([]string{"Source: App", "Prod: SignOff{" + c.gate + "}"})
		if err != nil {
			t.Fatal(err)
		}
		in := workflows.Intent{Verb: workflows.Edit, Pipeline: "webshop", NewDefinition: p, ManagedBy: "api"}
		events, err := w.decide(Input{By: person("ana"), Intent: &in})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, weak := range w.s.Result(in, events).Weakened {
			got += weak.Old + " -> " + weak.New
		}
		if got != c.want {
			t.Errorf("%q: said %q, want %q", c.gate, got, c.want)
		}
	}
}
