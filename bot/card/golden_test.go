package card_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// drawing is what a golden file holds: a message or a form.
type drawing struct {
	name    string
	message *card.Message
	form    *slack.ModalViewRequest
}

func (d drawing) blocks() []slack.Block {
	if d.form != nil {
		return d.form.Blocks.BlockSet
	}
	return d.message.Blocks
}

func message(name string, m card.Message) drawing { return drawing{name: name, message: &m} }

func modal(name string, f slack.ModalViewRequest) drawing { return drawing{name: name, form: &f} }

// gallery is every card there is, in the states that people meet.
func gallery() []drawing {
	return slices.Concat(executions(), gates(), forms(), lists(), checks())
}

func executions() []drawing {
	door := ended(workflows.StatusInProgress, "", "")
	door.EndedAt, door.WaitsFor = nil, &workflows.Wait{Stage: "Production", For: "transition", Since: at(12)}
	door.Offers = []workflows.Offer{{Verb: workflows.Enable, Stage: "Production"}, {Verb: workflows.Enable, Stage: "Production", Target: id43}, {Verb: workflows.StopIt}}
	taken := door
	taken.WaitsFor = &workflows.Wait{Stage: "Production", For: "stage", Since: at(12)}
	taken.Offers = nil
	stopped := ended(workflows.StatusStopped, "Stopped", "stopped by Ana")
	stopped.Stop = &workflows.Stop{Abandon: true, Reason: "wrong branch", By: ana(), At: at(20)}
	stopped.Orphans = []string{"webshop/43/Production/Deploy/1"}
	doubt := waiting()
	deploy := action("Deploy", workflows.StatusInProgress)
	deploy.Needs, deploy.Error = workflows.NeedsResolve, &workflows.Reason{Code: "InDoubt", Message: "the service was killed after it began"}
	doubt.Stages[2] = stage("Production", workflows.StatusInProgress, deploy)
	doubt.Offers = []workflows.Offer{{Verb: workflows.Resolve, Stage: "Production", Action: "Deploy"}, {Verb: workflows.StopIt}}
	ticket := broken()
	ticket.Notes = []workflows.Note{{Name: "ticket", State: "done", Text: "OPS-12", URL: "https://acme.example/browse/OPS-12"}, {Name: "status", State: "done", Text: "failure"}}
	away := broken()
	away.Notes = []workflows.Note{{Name: "ticket", State: "waiting", Text: "Jira is away, trying again"}}
	wants := broken()
	wants.Notes = []workflows.Note{{Name: "ticket", State: "refused", Text: "Jira wants: the field Team is required"}}
	planned := uncertain()
	planned.Stages[2].Planned = &workflows.PlannedReturn{Stage: "Production", Target: id42, Reason: "slow", By: ana(), At: at(20)}
	left := view(ended(workflows.StatusSucceeded, "", ""), held())
	left.Execution.Stages[2] = stage("Production", workflows.StatusSucceeded, action("Deploy", workflows.StatusSucceeded))
	by := back(workflows.StatusSucceeded, workflows.TriggerRollback)
	left.LeftBy = &by
	evil := fresh()
	evil.SourceRevisions[0].RevisionSummary, evil.SourceRevisions[0].Author.Name, evil.Trigger.By.Name = hostile, hostile, hostile
	evil.SourceRevisions[0].RevisionURL, evil.Variables = "javascript://evil.example/%0aalert(1)", map[string]string{"x": hostile}
	byHand := fresh()
	byHand.Trigger, byHand.Variables = workflows.StartedBy{Type: workflows.TriggerStart, By: cho()}, map[string]string{"canaryPercent": "25", "ticket": "OPS-9"}
	return []drawing{
		message("execution-running", card.Execution(view(fresh(), shop()))),
		message("execution-by-hand", card.Execution(view(byHand, shop()))),
		message("execution-gate", card.Execution(view(waiting(yes(ana(), 10)), shop()))),
		message("execution-held", card.Execution(view(door, held()))),
		message("execution-door", card.Execution(view(taken, uncertain()))),
		message("execution-succeeded", card.Execution(view(ended(workflows.StatusSucceeded, "", ""), shop()))),
		message("execution-failed", card.Execution(view(ticket, uncertain()))),
		message("execution-failed-jira-away", card.Execution(view(away, uncertain()))),
		message("execution-failed-jira-wants", card.Execution(view(wants, planned))),
		message("execution-not-approved", card.Execution(view(notApproved("NotApproved", "not approved by Cho: the login page is blank"), shop()))),
		message("execution-expired", card.Execution(view(notApproved("ApprovalExpired", "nobody decided within 24 hours"), shop()))),
		message("execution-superseded", card.Execution(view(ended(workflows.StatusSuperseded, "Superseded", "superseded by webshop#44"), shop()))),
		message("execution-stopped", card.Execution(view(stopped, shop()))),
		message("execution-in-doubt", card.Execution(view(doubt, shop()))),
		message("execution-left", card.Execution(left)),
		message("execution-hostile", card.Execution(view(evil, shop()))),
		message("rollback-running", card.Execution(view(back(workflows.StatusInProgress, workflows.TriggerRollback), shop()))),
		message("rollback-done", card.Execution(view(back(workflows.StatusSucceeded, workflows.TriggerRollback), held()))),
		message("rollback-automatic", card.Execution(view(back(workflows.StatusInProgress, workflows.TriggerAutomated), uncertain()))),
		message("rollback-failed", card.Execution(view(back(workflows.StatusFailed, workflows.TriggerAutomated), uncertain()))),
		message("details", card.Details(view(ticket, uncertain()))),
	}
}

func notApproved(code, text string) workflows.Execution {
	e := ended(workflows.StatusFailed, code, text)
	gate := signOff(workflows.Vote{By: cho(), Answer: "reject", Comment: "the login page is blank", At: at(30), Via: "console"})
	gate.Needs, gate.Status, gate.EndedAt, gate.Error = "", workflows.StatusFailed, when(30), &workflows.Reason{Code: code, Message: text}
	gate.Approval.Closed = "rejected"
	if code == "ApprovalExpired" {
		gate.Approval.Votes, gate.Approval.Closed = nil, "expired"
	}
	e.Stages[2] = stage("Production", workflows.StatusFailed, gate)
	return e
}

func gates() []drawing {
	superseded := ended(workflows.StatusSuperseded, "Superseded", "superseded by webshop#44")
	no := workflows.Vote{By: cho(), Answer: "reject", Comment: "the login page is blank", At: at(30), Via: "console"}
	unsure := asking(waiting(), signOff())
	unsure.View.Pipeline, unsure.From = uncertain(), []string{"group:release-managers", "cho@acme.example"}
	unsure.Approval.Comment = "required"
	evil := asking(waiting(), signOff())
	evil.Approval.Text, evil.Approval.Link, evil.Ask = hostile, "https://x.example/<!channel>|y", nil
	evil.Approval.Votes = []workflows.Vote{{By: workflows.Principal{Name: hostile}, Answer: "approve", Comment: hostile, At: at(10), Via: hostile}}
	return []drawing{
		message("gate-open", card.Gate(asking(waiting(), signOff()))),
		message("gate-one-of-two", card.Gate(asking(waiting(yes(ana(), 10)), signOff(yes(ana(), 10))))),
		message("gate-uncertain", card.Gate(unsure)),
		message("gate-hostile", card.Gate(evil)),
		message("gate-approved", card.Gate(asking(waiting(), closed("approved", yes(ana(), 10), yes(cho(), 40))))),
		message("gate-rejected", card.Gate(asking(waiting(), closed("rejected", yes(ana(), 10), no)))),
		message("gate-expired", card.Gate(asking(waiting(), closed("expired", yes(ana(), 10))))),
		message("gate-superseded", card.Gate(asking(superseded, closed("withdrawn")))),
		message("gate-stepped-back", card.Gate(asking(waiting(), closed("withdrawn", yes(ana(), 10))))),
		message("reminder", card.Reminder(asking(waiting(), signOff()))),
		message("announcement", card.Announcement(view(succeeded(), shop()), "Production")),
		message("announcement-rollback", card.Announcement(view(back(workflows.StatusSucceeded, workflows.TriggerRollback), held()), "Production")),
		message("failure", card.Failure(view(broken(), uncertain()))),
	}
}

func succeeded() workflows.Execution {
	e := ended(workflows.StatusSucceeded, "", "")
	gate := closed("approved", yes(ana(), 10), yes(cho(), 12))
	gate.Status = workflows.StatusSucceeded
	e.Stages[2] = stage("Production", workflows.StatusSucceeded, gate, action("Deploy", workflows.StatusSucceeded))
	return e
}

func forms() []drawing {
	about := card.Subject{Pipeline: "webshop", Stage: "Production", Seen: id43, Channel: "C1", Thread: "1.2"}
	answer := card.Subject{Pipeline: "webshop", Stage: "Production", Action: "SignOff", Execution: id43, Gate: "5c3d"}
	places := []card.Place{{Pipeline: "api", Stage: "Production"}, {Pipeline: "webshop", Stage: "Staging"}, {Pipeline: "webshop", Stage: "Production"}}
	simple := targets()[:2]
	return []drawing{
		modal("form-rollback", card.RollbackForm(card.Return{About: about, Targets: simple})),
		modal("form-rollback-busy-changed", card.RollbackForm(card.Return{About: about, Targets: targets(), Busy: "webshop#44", Reason: "checkout is down"})),
		modal("form-rollback-place", card.RollbackForm(card.Return{Places: places})),
		modal("form-rollback-place-chosen", card.RollbackForm(card.Return{About: about, Places: places, Targets: simple})),
		modal("form-rollback-nothing", card.RollbackForm(card.Return{About: about, Targets: targets()[:1]})),
		modal("form-reject", card.RejectForm(view(waiting(), shop()), answer)),
		modal("form-approve", card.ApproveForm(view(waiting(), shop()), answer)),
		modal("form-start", card.StartForm(shop(), card.Subject{Pipeline: "webshop"}, map[string]string{"ticket": "OPS-9"})),
	}
}

func lists() []drawing {
	open := []workflows.OpenApproval{{Pipeline: "webshop", Execution: id43, Number: 43, Stage: "Production", Action: "SignOff", Approval: *signOff().Approval, SourceRevisions: []workflows.SourceRevision{revision()}}}
	all := []workflows.PipelineView{shop(), held()}
	all[1].Name = "api"
	help := []card.HelpLine{{Name: "status", Usage: "status [P|E]", Does: "a pipeline, or one execution", Possible: true}, {Name: "start", Usage: "start P", Does: "start an execution"}}
	problem := &workflows.Problem{Code: workflows.CodeAccessDenied, Message: "Ben does not have the right approve on webshop/Production", Hint: "ask one of them", ID: "9f3c21"}
	e := broken()
	return []drawing{
		message("overview", card.Overview(open, all, at(0), url)),
		message("overview-empty", card.Overview(nil, nil, at(0), "")),
		modal("home", card.Home(open, all, []string{"access.allowAll is on: every member may do everything"}, at(0), url)),
		modal("home-refused", card.HomeRefused("rollcall answers only full members of this workspace, not guests of the workspace.")),
		message("pipelines", card.Pipelines("Pipelines", all, at(0), url)),
		message("status", card.Status(shop(), nil, at(0), url)),
		message("status-held", card.Status(held(), nil, at(0), url)),
		message("executions", card.Executions("webshop", []workflows.Execution{back(workflows.StatusInProgress, workflows.TriggerAutomated), broken(), waiting()}, url)),
		message("help", card.Help("/rollcall", help)),
		message("refusal", card.Refusal(problem, []string{"<@U1>", "<!subteam^S1>"})),
		message("done", card.Done("Your approval counts: webshop#43, 1 of 2, missing 1 more approval.", &e, url)),
		message("say", card.Say("The console is at "+url)),
		message("log", card.Log(&e, "Production", "Deploy", []string{"+ dist/deploy production", "web-3: health check timed out <after 30 s> ```", "exit status 1"})),
		message("log-empty", card.Log(&e, "Production", "Deploy", nil)),
		message("who", card.Who("webshop", []card.Right{{What: "start", You: true, Holders: []string{"everyone"}}, {What: "approve in Production"}})),
	}
}

func TestGolden(t *testing.T) {
	known := map[string]bool{}
	for _, d := range gallery() {
		known[d.name+".json"], known[d.name+".txt"] = true, true
		t.Run(d.name, func(t *testing.T) {
			golden(t, d.name+".json", asJSON(t, d))
			golden(t, d.name+".txt", []byte(rendered(d)))
		})
	}
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !known[filepath.Base(f)] {
			t.Errorf("%s belongs to no card", f)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is drawn differently; look at it, then run with -update:\n%s", name, got)
	}
}

func asJSON(t *testing.T, d drawing) []byte {
	t.Helper()
	var v any = d.form
	if d.message != nil {
		v = map[string]any{"text": d.message.Text, "blocks": d.message.Blocks}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rendered is a drawing as a person might see it, for reading a change.
func rendered(d drawing) string {
	var b strings.Builder
	if d.form != nil {
		if d.form.Title != nil {
			fmt.Fprintf(&b, "╔ %s\n", d.form.Title.Text)
		}
	} else {
		fmt.Fprintf(&b, "(text: %s)\n", d.message.Text)
	}
	for _, block := range d.blocks() {
		renderBlock(&b, block)
	}
	if d.form != nil && d.form.Submit != nil {
		fmt.Fprintf(&b, "╚ [%s]\n", d.form.Submit.Text)
	}
	return b.String()
}

func renderBlock(b *strings.Builder, block slack.Block) {
	switch x := block.(type) {
	case *slack.HeaderBlock:
		fmt.Fprintf(b, "# %s\n", x.Text.Text)
	case *slack.SectionBlock:
		fmt.Fprintf(b, "%s\n", x.Text.Text)
	case *slack.ContextBlock:
		for _, e := range x.ContextElements.Elements {
			fmt.Fprintf(b, "    (%s)\n", e.(*slack.TextBlockObject).Text)
		}
	case *slack.ActionBlock:
		for _, e := range x.Elements.ElementSet {
			button := e.(*slack.ButtonBlockElement)
			fmt.Fprintf(b, "  [%s] %s %s\n", button.Text.Text, button.ActionID, button.Style)
			if c := button.Confirm; c != nil {
				fmt.Fprintf(b, "      ? %s — %s [%s]\n", c.Title.Text, c.Text.Text, c.Confirm.Text)
			}
		}
	case *slack.InputBlock:
		renderInput(b, x)
	default:
		fmt.Fprintf(b, "--- %s\n", block.BlockType())
	}
}

func renderInput(b *strings.Builder, x *slack.InputBlock) {
	optional := ""
	if x.Optional {
		optional = " (optional)"
	}
	fmt.Fprintf(b, "%s%s: {%s}\n", x.Label.Text, optional, x.BlockID)
	show := func(options []*slack.OptionBlockObject, initial *slack.OptionBlockObject) {
		for _, o := range options {
			mark := " "
			if initial != nil && initial.Value == o.Value {
				mark = "*"
			}
			description := ""
			if o.Description != nil {
				description = " — " + o.Description.Text
			}
			fmt.Fprintf(b, "  (%s) %s%s\n", mark, o.Text.Text, description)
		}
	}
	switch el := x.Element.(type) {
	case *slack.PlainTextInputBlockElement:
		fmt.Fprintf(b, "  |%s|\n", el.InitialValue)
	case *slack.SelectBlockElement:
		show(el.Options, el.InitialOption)
		for _, g := range el.OptionGroups {
			fmt.Fprintf(b, "  %s\n", g.Label.Text)
			show(g.Options, el.InitialOption)
		}
	case *slack.RadioButtonsBlockElement:
		show(el.Options, el.InitialOption)
	}
}
