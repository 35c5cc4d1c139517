package trigger

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/document"
)

// The first trigger that an event fits starts the pipeline, with variables that are
// texts or stand in the event.
func TestEventsThatStart(t *testing.T) {
	on := func(pattern string, variables ...string) workflows.Trigger {
		t := workflows.Trigger{Event: json.RawMessage(pattern), Variables: map[string]string{}}
		for i := 0; i < len(variables); i += 2 {
			t.Variables[variables[i]] = variables[i+1]
		}
		return t
	}
	p := &workflows.Pipeline{Name: "web", Triggers: []workflows.Trigger{
		{Schedule: &workflows.Schedule{Cron: "0 6 * * *", Timezone: "UTC"}},
		on(`{"source":["acme.registry"],"detail":{"tag":[{"prefix":"v"}]}}`, "TAG", "$.detail.tag", "SIZE", "$.detail.sizes[0]", "ZONE", "eu"),
		on(`{"source":["acme.registry","acme.night"]}`),
		on(`no pattern`),
	}}
	for text, want := range map[string]string{
		`{"source":"acme.registry","detail":{"tag":"v1","sizes":[1.50,2]}}`: "map[SIZE:1.50 TAG:v1 ZONE:eu] true ",
		`{"source":"acme.registry","detail":{"tag":"v1"}}`:                  "map[] true for the variable SIZE the event has nothing at $.detail.sizes[0]",
		`{"source":"acme.registry","detail":{"tag":"v1","sizes":[[]]}}`:     "map[] true for the variable SIZE the event has no text, number or truth value at $.detail.sizes[0]",
		`{"source":"acme.registry","detail":{"tag":"rc"}}`:                  "map[] true ",
		`{"source":"acme.night"}`:                                           "map[] true ",
		`{"source":"acme.day"}`:                                             "map[] false ",
		`[]`:                                                                "map[] false ",
	} {
		doc, err := document.Read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		variables, fits, why := ByEvent(p, doc)
		if got := fmt.Sprint(variables, fits, " ", why); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
