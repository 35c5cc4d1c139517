package command_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/bot/command"
)

func TestParse(t *testing.T) {
	tests := []struct {
		text string
		want command.Command
	}{
		{"", command.Command{}},
		{"   ", command.Command{}},
		{"help", command.Command{Name: command.Help}},
		{"PIPELINES", command.Command{Name: command.Pipelines}},
		{"status", command.Command{Name: command.Status}},
		{"status webshop#42", command.Command{Name: command.Status, Subject: "webshop#42"}},
		{"executions webshop", command.Command{Name: command.Executions, Pipeline: "webshop"}},
		{"notes webshop Production", command.Command{Name: command.Notes, Pipeline: "webshop", Stage: "Production"}},
		{"notes webshop prod #41", command.Command{Name: command.Notes, Pipeline: "webshop", Stage: "prod", Execution: "webshop#41"}},
		{"start webshop", command.Command{Name: command.Start, Pipeline: "webshop"}},
		{`start webshop canary="10 percent" App=4f2a x=a=b`, command.Command{Name: command.Start, Pipeline: "webshop",
			Set: []command.Assignment{{Name: "canary", Value: "10 percent"}, {Name: "App", Value: "4f2a"}, {Name: "x", Value: "a=b"}}}},
		{"start webshop x=", command.Command{Name: command.Start, Pipeline: "webshop", Set: []command.Assignment{{Name: "x"}}}},

		{"approve webshop#42", command.Command{Name: command.Approve, Execution: "webshop#42"}},
		{"approve webshop#42 looks good", command.Command{Name: command.Approve, Execution: "webshop#42", Action: "looks", Reason: "good"}},
		{`approve webshop#42 "Sign off" "all fine"`, command.Command{Name: command.Approve, Execution: "webshop#42", Action: "Sign off", Reason: "all fine"}},
		{"approve webshop#42 “Sign off” can't wait", command.Command{Name: command.Approve, Execution: "webshop#42", Action: "Sign off", Reason: "can't wait"}},
		// Quotes as keyboards of other languages write them.
		{"approve webshop#42 „Sign off“ fine", command.Command{Name: command.Approve, Execution: "webshop#42", Action: "Sign off", Reason: "fine"}},
		{"approve webshop#42 „Sign off” fine", command.Command{Name: command.Approve, Execution: "webshop#42", Action: "Sign off", Reason: "fine"}},
		{"approve webshop#42 “Sign off\" fine", command.Command{Name: command.Approve, Execution: "webshop#42", Action: "Sign off", Reason: "fine"}},
		{"reject webshop#42 „the page is blank“", command.Command{Name: command.Reject, Execution: "webshop#42", Reason: "the page is blank"}},
		{"reject webshop#42 „the page is blank”", command.Command{Name: command.Reject, Execution: "webshop#42", Reason: "the page is blank"}},
		{`start webshop a="it”s “10”" b=2`, command.Command{Name: command.Start, Pipeline: "webshop",
			Set: []command.Assignment{{Name: "a", Value: "it”s “10”"}, {Name: "b", Value: "2"}}}},
		{"start webshop note=“a \"", command.Command{Name: command.Start, Pipeline: "webshop", Set: []command.Assignment{{Name: "note", Value: "a "}}}},
		{"reject webshop#42 the login page is blank", command.Command{Name: command.Reject, Execution: "webshop#42", Reason: "the login page is blank"}},
		{`reject webshop#42 "it" is "red"`, command.Command{Name: command.Reject, Execution: "webshop#42", Reason: `"it" is "red"`}},
		{"reject webshop#42", command.Command{Name: command.Reject, Execution: "webshop#42"}},

		{"rollback", command.Command{Name: command.Rollback}},
		{"rollback webshop", command.Command{Name: command.Rollback, Pipeline: "webshop"}},
		{"rollback webshop Production", command.Command{Name: command.Rollback, Pipeline: "webshop", Stage: "Production"}},
		{"rollback webshop Production webshop#42", command.Command{Name: command.Rollback, Pipeline: "webshop", Stage: "Production", Execution: "webshop#42"}},
		{"rollback webshop Production #42 checkout is down", command.Command{Name: command.Rollback, Pipeline: "webshop", Stage: "Production", Execution: "webshop#42", Reason: "checkout is down"}},
		{"rollback webshop Production checkout is down", command.Command{Name: command.Rollback, Pipeline: "webshop", Stage: "Production", Reason: "checkout is down"}},
		{"rollback webshop Production facade is gone", command.Command{Name: command.Rollback, Pipeline: "webshop", Stage: "Production", Reason: "facade is gone"}},
		{"rollback webshop#42", command.Command{Name: command.Rollback, Pipeline: "webshop", Execution: "webshop#42"}},
		{"rollback webshop#42 Production", command.Command{Name: command.Rollback, Pipeline: "webshop", Stage: "Production", Execution: "webshop#42"}},

		{"retry 9f3c21", command.Command{Name: command.Retry, Execution: "9f3c21"}},
		{"retry webshop#42 ALL", command.Command{Name: command.Retry, Execution: "webshop#42", All: true}},
		{"stop webshop#42 wrong branch", command.Command{Name: command.Stop, Execution: "webshop#42", Reason: "wrong branch"}},
		{"stop webshop#42 abandon wrong branch", command.Command{Name: command.Stop, Execution: "webshop#42", Abandon: true, Reason: "wrong branch"}},
		{"lock webshop Production audit this week", command.Command{Name: command.Lock, Pipeline: "webshop", Stage: "Production", Reason: "audit this week"}},
		{"unlock webshop Production", command.Command{Name: command.Unlock, Pipeline: "webshop", Stage: "Production"}},
		{"enable webshop Production only #44", command.Command{Name: command.Unlock, Pipeline: "webshop", Stage: "Production", Execution: "webshop#44"}},
		{"override webshop#42 Production the alarm is false", command.Command{Name: command.Override, Execution: "webshop#42", Stage: "Production", Reason: "the alarm is false"}},
		{"resolve webshop#42 Deploy Succeeded", command.Command{Name: command.Resolve, Execution: "webshop#42", Action: "Deploy", As: "succeeded"}},
		{"logs webshop#42 Deploy", command.Command{Name: command.Logs, Execution: "webshop#42", Action: "Deploy"}},
		{"notify", command.Command{Name: command.Notify}},
		{"notify ON", command.Command{Name: command.Notify, As: "on"}},
		{"who webshop Production", command.Command{Name: command.Who, Subject: "webshop", Stage: "Production"}},

		// What Slack escapes arrives as it was typed.
		{"reject webshop#42 a &lt;b&gt; &amp;lt; c", command.Command{Name: command.Reject, Execution: "webshop#42", Reason: "a <b> &lt; c"}},
		{"reject webshop#42 <@U1|ana> says <https://example.com/x|example.com/x> in <#C1|deploys> <!here> <!subteam^S1|@sre>",
			command.Command{Name: command.Reject, Execution: "webshop#42", Reason: "@ana says https://example.com/x in #deploys @here @sre"}},
		{"reject webshop#42 <mailto:ana@acme.example|ana@acme.example>", command.Command{Name: command.Reject, Execution: "webshop#42", Reason: "ana@acme.example"}},
	}
	for _, tt := range tests {
		got, problem := command.Parse(tt.text)
		if problem != nil {
			t.Errorf("Parse(%q) refuses: %v", tt.text, problem)
			continue
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("Parse(%q): %s", tt.text, d)
		}
	}
}

func TestParseRefusesWithWhatWouldHaveWorked(t *testing.T) {
	tests := []struct{ text, message, hint string }{
		{"aprove webshop#42", "no command “aprove”", "did you mean approve?"},
		{"deploy webshop", "no command “deploy”", "did you mean start?"},
		{"roll back webshop", "no command “roll”", "did you mean rollback?"},
		{"bypass webshop#42", "no command “bypass”", "did you mean override?"},
		{"override webshop#42", "a stage is missing", "usage: override E STAGE reason"},
		{"xyzzy", "no command “xyzzy”", "help lists what there is"},
		{"start", "a pipeline is missing", "usage: start P [VAR=VALUE]"},
		{"start webshop canary", "“canary” is not NAME=VALUE", "usage: start P"},
		{"approve", "an execution is missing", "usage: approve E"},
		{"override webshop#42 Production", "a reason is missing", "usage: override E STAGE reason"},
		{"resolve webshop#42 Deploy perhaps", "none of succeeded, failed and again", "usage: resolve"},
		{"retry webshop#42 everything", "“everything” is too much", "usage: retry E [all]"},
		{"start webshop =x", "“=x” is not NAME=VALUE", "usage: start P"},
		{`lock webshop "" audit`, "a stage is missing", "usage: lock P STAGE"},
		{"unlock webshop Production only", "the execution that may enter is missing", "usage: unlock"},
		{"unlock webshop Production now", "“now” is too much", "usage: unlock"},
		{"approve webshop#42 “Sign off", "a quote is not closed", "both quotes"},
		{"approve webshop#42 „Sign off", "a quote is not closed", "both quotes"},
		{"notify perhaps", "“perhaps” is neither on nor off", "usage: notify [on|off]"},
		{"resolve webshop#42 Deploy", "succeeded, failed or again is missing", "usage: resolve"},
		{`logs webshop#42 "Deploy`, "a quote is not closed", "both quotes"},
	}
	for _, tt := range tests {
		_, problem := command.Parse(tt.text)
		if problem == nil || !strings.Contains(problem.Message, tt.message) || !strings.Contains(problem.Hint, tt.hint) {
			t.Errorf("Parse(%q) refuses with %v, want %q (%q)", tt.text, problem, tt.message, tt.hint)
		}
	}
}

// A word of a sentence that is taken for an execution loses its place in the reason, or aims a rollback elsewhere.
func TestWhatLooksLikeAnExecution(t *testing.T) {
	for word, want := range map[string]bool{
		"webshop#42": true, "#42": true, "9f3c21": true, "9F3C21": true, "0190a1b2-c3d4-7e5f": true, "123456": true,
		"": false, "#": false, "webshop#": false, "webshop#4x": false, "C#": false, "#deploys": false, "9f3c2": false,
		"facade": false, "decade": false, "webshop": false, "v1.2.34": false, "release-42": false,
	} {
		if got := command.IsExecution(word); got != want {
			t.Errorf("%q: %v, want %v", word, got, want)
		}
	}
}

// A candidate that turns out to be no name begins the reason again.
func TestLoose(t *testing.T) {
	for text, want := range map[string]string{
		"approve webshop#42": "", "approve webshop#42 looks": "looks", "approve webshop#42 looks good to me": "looks good to me",
		`approve webshop#42 "Sign off" fine`: "Sign off fine",
	} {
		c, p := command.Parse(text)
		if p != nil || c.Loose(c.Action) != want {
			t.Errorf("%q: %q, want %q (%v)", text, c.Loose(c.Action), want, p)
		}
	}
}

// Every sub-command that help teaches is understood as it is written there.
func TestHelpTeachesWhatParses(t *testing.T) {
	values := strings.NewReplacer("[P|E]", "webshop", "[VAR=VALUE]", "a=b", "[ACTION=REV]", "App=4f2a", "[ACTION]", "SignOff", "[comment]", "fine",
		"[reason]", "because", "[P [STAGE [E]]]", "webshop Production #42", "[all]", "all", "[on|off]", "on", "[abandon]", "abandon", "[only E]", "only #44",
		"succeeded|failed|again", "again", "P [STAGE] | E", "webshop", "STAGE", "Production", "ACTION", "Deploy", "P", "webshop", "E", "webshop#42")
	for _, u := range command.All() {
		text := string(u.Name) + " " + values.Replace(u.Args)
		if _, problem := command.Parse(text); problem != nil {
			t.Errorf("%s: Parse(%q) refuses: %v", u.Line(), text, problem)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "help", `start webshop a="b c" x=1`, "reject webshop#42 <@U1|ana> &lt;b&gt;", "rollback webshop Production #42 it broke",
		"“", "approve \"a\x00b\"", "<", "<|", "<!>", "start \xff=1", strings.Repeat("<@U1|a> ", 50)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, problem := command.Parse(text)
		if problem != nil {
			if problem.Code == "" || problem.Message == "" || problem.Hint == "" {
				t.Fatalf("a refusal of %q without code, sentence or hint: %+v", text, problem)
			}
			if c.Name != "" || c.Set != nil {
				t.Fatalf("a refusal of %q that gives a command as well: %+v", text, c)
			}
			return
		}
		for _, name := range []string{c.Pipeline, c.Execution, c.Stage, c.Action} {
			if strings.TrimSpace(name) == "" && name != "" && !strings.ContainsAny(text, `"“„`) {
				t.Fatalf("%q has a blank name without quotes: %+v", text, c)
			}
		}
		if c.Reason != strings.TrimSpace(c.Reason) {
			t.Fatalf("%q has a reason with spaces around it: %q", text, c.Reason)
		}
	})
}
