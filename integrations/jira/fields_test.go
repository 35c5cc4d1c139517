package jira

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
)

// screens are the fields that a project may want.
func screens(s *jirafake.Server) {
	for n := range 60 { // more than a page
		s.AddField(jirafake.Field{ID: "customfield_9" + strings.Repeat("0", 3) + string(rune('A'+n%26)) + string(rune('A'+n/26)), Name: "Filler", Type: "string"})
	}
	for _, f := range []jirafake.Field{
		{ID: "customfield_10010", Name: "Team", Type: "option", Allowed: []string{"Web", "Shop"}, Required: true},
		{ID: "customfield_10011", Name: "Severity", Type: "number"},
		{ID: "customfield_10012", Name: "On call", Type: "user"},
		{ID: "customfield_10013", Name: "Regions", Type: "array", Items: "option"},
		{ID: "customfield_10014", Name: "Impact", Type: "string", Custom: "com.atlassian.jira.plugin.system.customfieldtypes:textarea"},
		{ID: "customfield_10015", Name: "Code", Type: "string", Custom: "com.atlassian.jira.plugin.system.customfieldtypes:textfield"},
		{ID: "versions", Name: "Affects versions", Type: "array", Items: "version"},
	} {
		s.AddField(f)
	}
	s.SetComponents("Checkout", "Cart")
	s.SetPriorities("High", "Low")
}

// Values get the form that their field has, on Cloud and on servers.
func TestFieldsOfTheDefinition(t *testing.T) {
	given := map[string]json.RawMessage{"Team": json.RawMessage(`"Web"`), "customfield_10011": json.RawMessage(`3`), "on call": json.RawMessage(`"5b10ac"`),
		"Regions": json.RawMessage(`["EU","US"]`), "Impact": json.RawMessage(`"all\nof them"`), "Code": json.RawMessage(`12`), "versions": json.RawMessage(`[{"name":"1.0"}]`)}
	for name, c := range map[string]struct {
		options      jirafake.Options
		user, impact string
	}{
		"Cloud":                 {jirafake.Options{}, `{"accountId":"5b10ac"}`, `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"all"},{"type":"hardBreak"},{"type":"text","text":"of them"}]}]}`},
		"a server of one's own": {jirafake.Options{OnPremise: true}, `{"name":"5b10ac"}`, `"all\nof them"`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, c.options)
			screens(h.jira)
			h.pipeline.Ticket = &workflows.Ticket{Components: []string{"Checkout"}, Priority: "High", Fields: given}
			h.fail(h.start(45), "ActionFailed")
			h.run(time.Second)
			i := h.only()
			got := map[string]string{}
			for id, raw := range i.Fields {
				got[id] = string(raw)
			}
			want := map[string]string{"customfield_10010": `{"value":"Web"}`, "customfield_10011": `3`, "customfield_10012": c.user, "customfield_10013": `[{"value":"EU"},{"value":"US"}]`,
				"customfield_10014": c.impact, "customfield_10015": `"12"`, "versions": `[{"name":"1.0"}]`}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if i.Priority != "High" || len(i.Components) != 1 || i.Components[0] != "Checkout" || h.note(45).State != "done" {
				t.Errorf("issue %+v", i)
			}
		})
	}
}

// A field that Jira refuses is left out, and only that one; the ticket says so. One
// that the project demands keeps the ticket waiting until somebody has mended it.
func TestFieldsThatJiraRefuses(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	screens(h.jira)
	h.pipeline.Ticket = &workflows.Ticket{LogTail: 10, Priority: "Enormous", Components: []string{"Cart"}, Labels: []string{"shop"}, Fields: map[string]json.RawMessage{"Team": json.RawMessage(`"Web"`)}}
	h.fail(h.start(45), "ActionFailed")
	h.run(time.Second)
	if i := h.only(); i.Priority != "" || len(i.Components) != 1 || len(i.Labels) != 3 || i.Fields["customfield_10010"] == nil ||
		!strings.Contains(i.Description, "*Not set:* priority: Jira answers 400: priority: The priority selected is invalid.") || !strings.Contains(i.Description, "{noformat}") {
		t.Errorf("issue %+v", i)
	}

	h = newHouse(t, jirafake.Options{})
	screens(h.jira)
	h.pipeline.Ticket = &workflows.Ticket{Fields: map[string]json.RawMessage{"Team": json.RawMessage(`"Nobody"`)}}
	h.fail(h.start(45), "ActionFailed")
	h.run(time.Hour)
	if n := h.note(45); n.State != "waiting" || !strings.Contains(n.Text, "Option value 'Nobody' is not valid") || !strings.Contains(n.Text, "Team is required.") {
		t.Errorf("the card says %+v", n)
	}
	h.pipeline.Ticket.Fields["Team"] = json.RawMessage(`"Shop"`)
	h.run(40 * time.Second)
	if i := h.only(); string(i.Fields["customfield_10010"]) != `{"value":"Shop"}` || len(i.Labels) == 0 || strings.Contains(i.Description, "Not set") {
		t.Errorf("issue %+v", i)
	}
}

// Where Jira does not say which fields there are, values go as they were given.
func TestFieldsWithoutTheirForm(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	screens(h.jira)
	h.jira.Faults.Set(fault.Fault{Match: "GET /rest/api/2/issue/createmeta/", Status: 404, Body: `{"errorMessages":["no"]}`})
	h.pipeline.Ticket.Fields = map[string]json.RawMessage{"customfield_10010": json.RawMessage(`{"value":"Web"}`), "customfield_10011": json.RawMessage(`2`)}
	h.fail(h.start(45), "ActionFailed")
	h.run(time.Second)
	if i := h.only(); string(i.Fields["customfield_10010"]) != `{"value":"Web"}` || string(i.Fields["customfield_10011"]) != `2` {
		t.Errorf("issue %+v", i)
	}
}

// Transitions are chosen by where they lead, and get the fields that they have.
func TestTransitionsByTheirStatus(t *testing.T) {
	statuses := []jirafake.Status{{Name: "Offen", Category: "new"}, {Name: "In Arbeit", Category: "indeterminate"}, {Name: "Fertig", Category: "done"}, {Name: "Verworfen", Category: "done"}}
	resolution := map[string]jirafake.ScreenField{"resolution": {Required: true, Allowed: []string{"Won't do", "Fixed"}}}
	for name, c := range map[string]struct {
		to          string
		transitions []jirafake.Transition
		status      string
		resolution  string
	}{
		"by the status's name":               {"fertig", []jirafake.Transition{{Name: "Weg", To: "Verworfen"}, {Name: "Los", To: "Fertig"}}, "Fertig", ""},
		"the transition's name counts last":  {"Fertig", []jirafake.Transition{{Name: "Fertig", To: "Verworfen"}, {Name: "Los", To: "Fertig"}}, "Fertig", ""},
		"by the transition's name":           {"Los", []jirafake.Transition{{Name: "Los", To: "Fertig"}}, "Fertig", ""},
		"by the category":                    {"Done", []jirafake.Transition{{Name: "Anfangen", To: "In Arbeit"}, {Name: "Los", To: "Fertig"}}, "Fertig", ""},
		"with a resolution":                  {"done", []jirafake.Transition{{Name: "Los", To: "Fertig", Screen: resolution}}, "Fertig", "Fixed"},
		"not with what only people can fill": {"done", []jirafake.Transition{{Name: "Los", To: "Fertig", Screen: map[string]jirafake.ScreenField{"customfield_1": {Required: true}}}, {Name: "Weg", To: "Verworfen"}}, "Verworfen", ""},
		"not at all":                         {"done", []jirafake.Transition{{Name: "Los", To: "Fertig", Screen: map[string]jirafake.ScreenField{"customfield_1": {Required: true}}}}, "Offen", ""},
		"an optional field is left alone":    {"done", []jirafake.Transition{{Name: "Los", To: "Fertig", Screen: map[string]jirafake.ScreenField{"assignee": {}, "resolution": {Allowed: []string{"Done"}}}}}, "Fertig", "Done"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, jirafake.Options{})
			h.jira.SetWorkflow(jirafake.Workflow{Statuses: statuses, Transitions: c.transitions})
			h.pipeline.Ticket.CloseOnSuccess = c.to
			h.fail(h.start(45), "ActionFailed")
			h.succeed(h.start(46))
			h.run(time.Minute)
			if i := h.only(); i.Status != c.status || i.Resolution != c.resolution || len(i.Comments) != 1 {
				t.Errorf("issue %+v", i)
			}
		})
	}
}
