package bot_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// register is who of the chat has an address. It can fail, and take its time.
type register struct {
	members map[string]workflows.Principal
	err     error
	hangs   bool
	asked   int
}

func (r *register) ByEmail(ctx context.Context, address string) (workflows.Principal, error) {
	r.asked++
	if r.hangs {
		<-ctx.Done()
		return workflows.Principal{}, ctx.Err()
	}
	return r.members[address], r.err
}

func members() *register {
	return &register{members: map[string]workflows.Principal{
		"ana@acme.example": {ID: "slack:U1", Name: "Ana", Email: "ana@acme.example", Via: "slack"},
		"dan@acme.example": {ID: "slack:U4", Name: "Dan", Email: "dan@acme.example", Via: "slack"},
	}}
}

// joined are `people` of the configuration: Lee is not in Slack, and Mo is not any more.
func joined() map[string]string {
	return map[string]string{"github:Dan-Dev": "dan@acme.example", "github:lee": "lee@acme.example", "github:mo": "mo@acme.example", "jira:5b10ac8d": "ana@acme.example"}
}

// pushed is webshop#1 after a push: who pushed, and who wrote it.
func pushed(by workflows.Principal, author *workflows.Author) *snapshot {
	e := steps()[0].execution
	e.Trigger = workflows.StartedBy{Type: workflows.TriggerWebhook, By: by}
	e.SourceRevisions = []workflows.SourceRevision{{RevisionID: "4f2a9c1", RevisionSummary: "Show the total", Branch: "main", Author: author}}
	return &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: e}}
}

// U26: whoever the configuration and Slack join to a member has one name: it is
// posted, where a mention would notify them for nothing, and becomes a mention
// with the first edit. Everybody else keeps the name that they were given.
func TestAPersonHasOneName(t *testing.T) {
	github := func(login string) workflows.Principal {
		return workflows.Principal{ID: "github:" + login, Name: login, Via: "github"}
	}
	for about, c := range map[string]struct {
		by             workflows.Principal
		author         *workflows.Author
		posted, edited []string
	}{
		"a login in people, its address known to Slack": {github("dan-dev"), &workflows.Author{Name: "Daniel", Login: "dan-dev"}, []string{"push from Dan "}, []string{"push from <@U4> "}},
		"an address of a commit, known to Slack":        {github("dan-dev"), &workflows.Author{Name: "Daniel", Email: "dan@acme.example"}, []string{"by Dan ", "push from Dan "}, []string{"by <@U4> ", "push from <@U4> "}},
		"the login goes before the address":             {github("dan-dev"), &workflows.Author{Login: "dan-dev", Email: "ana@acme.example"}, []string{"push from Dan "}, []string{"push from <@U4> "}},
		"an address of the principal":                   {workflows.Principal{ID: "console:dan", Name: "Daniel", Email: "dan@acme.example"}, nil, []string{"push from Dan "}, []string{"push from <@U4> "}},
		"an account at Jira":                            {workflows.Principal{ID: "jira:5b10ac8d", Name: "ana.k", Via: "jira"}, nil, []string{"push from Ana "}, []string{"push from <@U1> "}},
		"somebody of Slack":                             {workflows.Principal{ID: "slack:U9", Name: "Uma", Via: "slack"}, nil, []string{"push from Uma "}, []string{"push from <@U9> "}},
		"a login in people, not known to Slack":         {github("lee"), &workflows.Author{Name: "Lee L", Login: "lee"}, []string{"by Lee L ", "push from lee "}, nil},
		"a login in people, deactivated in Slack":       {github("mo"), &workflows.Author{Name: "Mo", Login: "mo"}, []string{"by Mo ", "push from mo "}, nil},
		"a login not in people":                         {github("zoe"), &workflows.Author{Name: "Zoe", Login: "zoe"}, []string{"by Zoe ", "push from zoe "}, nil},
		"a token":                                       {workflows.Principal{ID: "token:ci", Name: "ci", Via: "api"}, nil, []string{"push from token ci "}, nil},
		"the engine":                                    {workflows.EnginePrincipal(), nil, []string{"push from rollcall "}, nil},
	} {
		t.Run(about, func(t *testing.T) {
			if c.edited == nil {
				c.edited = c.posted
			}
			s, o := pushed(c.by, c.author), newOutside()
			b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Members: members(), Addresses: joined()})
			shows := func(when string, words []string) {
				t.Helper()
				card := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(o.of("rollcall_execution")[0])
				for _, w := range words {
					if !strings.Contains(card, w) {
						t.Errorf("%s it does not say %q:\n%s", when, w, card)
					}
				}
			}
			follow := func(k event.Kind) {
				t.Helper()
				if err := b.Follow(t.Context(), batch(happened(k))); err != nil {
					t.Fatal(err)
				}
			}
			follow(event.ExecutionStarted)
			shows("posted", c.posted)
			follow(event.ExecutionStarted)
			if o.edits[0] != 0 {
				t.Error("it is edited for a name alone")
			}
			e := s.executions[e1]
			e.Status = workflows.StatusSucceeded
			s.executions[e1] = e
			follow(event.ExecutionSucceeded)
			shows("edited", c.edited)
		})
	}
}

// U26: a gate mentions whom it asks, and nobody for what they did; a private
// answer may mention anybody.
func TestNobodyIsCalledForWhatTheyDid(t *testing.T) {
	o := newOutside()
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Members: members(), Addresses: joined()})
	for _, step := range steps() {
		e := step.execution
		e.Trigger = workflows.StartedBy{Type: workflows.TriggerWebhook, By: workflows.Principal{ID: "github:dan-dev", Name: "dan-dev"}}
		e.SourceRevisions = []workflows.SourceRevision{{RevisionID: "4f2a9c1", Author: &workflows.Author{Name: "Daniel", Login: "dan-dev"}}}
		s.executions[e1] = e
		was := len(o.messages)
		if err := b.Follow(t.Context(), batch(step.events...)); err != nil {
			t.Fatal(err)
		}
		for i, m := range o.messages[was:] {
			if text := o.of(m.EventType)[0]; o.edits[was+i] == 0 && strings.Contains(text, "U4") {
				t.Errorf("%s calls the author:\n%s", m.EventType, text)
			}
		}
	}
	ear := &chatFake{}
	b = bot.New(bot.Options{Engine: &clerk{snapshot: *s}, Chat: ear, Memos: newOutside(), Members: members(), Addresses: joined()})
	pressed := click("details", card.Subject{Pipeline: "webshop", Execution: e1})
	pressed.Reply.Trigger = "" // too late for a modal: it is said in a message
	if err := b.Handle(t.Context(), pressed); err != nil || len(ear.heard) != 1 || !strings.Contains(ear.heard[0], "@U4") {
		t.Errorf("details do not mention the author: %v %v", ear.heard, err)
	}
}

// U26: names hold up no message: when Slack does not say who somebody is, they
// keep the name that they were given, and nobody is asked again for a minute.
func TestNamesHoldUpNoMessage(t *testing.T) {
	for about, slack := range map[string]*register{"it fails": {err: errors.New("500")}, "it hangs": {hangs: true}} {
		t.Run(about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, o := pushed(workflows.Principal{ID: "github:dan-dev", Name: "dan-dev", Via: "github"}, &workflows.Author{Name: "Daniel", Email: "daniel@acme.example"}), newOutside()
				b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Members: slack, Addresses: joined()})
				began := time.Now()
				if err := b.Follow(t.Context(), batch(happened(event.ExecutionStarted))); err != nil {
					t.Fatal(err)
				}
				if text := o.of("rollcall_execution")[0]; time.Since(began) > time.Second || !strings.Contains(text, "push from dan-dev ") || !strings.Contains(text, "by Daniel ") || slack.asked != 1 {
					t.Errorf("after %v, and %d questions: %s", time.Since(began), slack.asked, text)
				}
				// Once Slack answers again, the next edit has the names.
				*slack = *members()
				pass(61 * time.Second)
				e := s.executions[e1]
				e.Status = workflows.StatusSucceeded
				s.executions[e1] = e
				if err := b.Follow(t.Context(), batch(happened(event.ExecutionSucceeded))); err != nil {
					t.Fatal(err)
				}
				if text := o.of("rollcall_execution")[0]; !strings.Contains(text, "@U4") {
					t.Errorf("names never come back: %s", text)
				}
			})
		})
	}
}
