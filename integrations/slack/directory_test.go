package slack_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/workspace"
	"github.com/rollcall-bot/rollcall/workflows"
)

func TestPeopleAreMentionedOrNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		sre := d.AddGroup(workspace.Group{Handle: "sre"})
		guest := d.AddUser(workspace.User{Name: "guest", Email: "guest@x.example", Kind: workspace.Guest})
		who := []string{"Ana@acme.example", "slack-group:" + sre.ID, "slack-group:@sre", "slack-group:@nope", "nobody@acme.example", guest.Email, "group:release <managers>", "github-team:acme/sre", "token:ci", "everyone"}
		want := []string{"<@" + d.ana.ID + ">", "<!subteam^" + sre.ID + ">", "<!subteam^" + sre.ID + ">", "@nope", "nobody@acme.example", guest.Email, "release &lt;managers&gt;", "the GitHub team acme/sre", "the token ci", "everyone"}
		got, err := d.client.People(t.Context(), who)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(err, diff)
		}
		calls := d.Calls("users.lookupByEmail")
		if _, err := d.client.People(t.Context(), who); err != nil || d.Calls("users.lookupByEmail") != calls {
			t.Error("the same people were looked up twice:", err)
		}
		time.Sleep(61 * time.Second)
		d.Fault("users.lookupByEmail", workspace.Fault{Status: 500})
		if _, err := d.client.People(t.Context(), who); err == nil {
			t.Error("a look-up that failed for now is an error")
		}
		d.Fault("users.lookupByEmail", workspace.Fault{Error: "missing_scope", Needed: "users:read.email"})
		if got, err := d.client.People(t.Context(), who); err != nil || got[0] != "Ana@acme.example" {
			t.Error("one that is refused for good gives text:", got, err)
		}
	})
}

func TestMembershipIsFreshOrAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		sre := d.AddGroup(workspace.Group{Handle: "sre", Members: []string{d.ana.ID}})
		ask := func(p workflows.Principal, group string) (bool, error) { return d.client.Member(t.Context(), p, group) }
		ana := workflows.Principal{ID: "slack:" + d.ana.ID, Via: "slack"}
		ben := workflows.Principal{ID: "slack:" + d.ben.ID, Via: "slack"}
		stranger := ana
		stranger.Stranger = "guest"
		for name, c := range map[string]struct {
			p     workflows.Principal
			group string
			is    bool
			fails bool
		}{
			"in it":                 {ana, "slack-group:" + sre.ID, true, false},
			"by handle":             {ana, "slack-group:@sre", true, false},
			"not in it":             {ben, "slack-group:" + sre.ID, false, false},
			"from the console":      {workflows.Principal{ID: "console:ana@acme.example", Email: "ANA@acme.example", Via: "console"}, "slack-group:" + sre.ID, true, false},
			"of nobody here":        {workflows.Principal{ID: "console:x@y.example", Email: "x@y.example", Via: "console"}, "slack-group:" + sre.ID, false, false},
			"without an address":    {workflows.Principal{ID: "github:ana", Via: "github"}, "slack-group:" + sre.ID, false, false},
			"a stranger":            {stranger, "slack-group:" + sre.ID, false, false},
			"a machine":             {workflows.Principal{ID: "token:ci", Via: "api"}, "slack-group:" + sre.ID, false, false},
			"the engine":            {workflows.EnginePrincipal(), "slack-group:" + sre.ID, false, false},
			"no such group":         {ana, "slack-group:S404", false, true},
			"no such handle":        {ana, "slack-group:@nope", false, true},
			"another kind of group": {ana, "github-team:acme/sre", false, true},
		} {
			if is, err := ask(c.p, c.group); is != c.is || (err != nil) != c.fails {
				t.Errorf("%s: %v %v", name, is, err)
			}
		}

		d.AddGroup(workspace.Group{ID: sre.ID, Handle: "sre", Members: []string{d.ben.ID}})
		time.Sleep(5 * time.Second)
		if is, err := ask(ana, "slack-group:"+sre.ID); is || err != nil {
			t.Error("five seconds after leaving, ana still counts:", err)
		}
		time.Sleep(5 * time.Second)
		for name, f := range map[string]workspace.Fault{"500": {Status: 500}, "hang": {Delay: time.Hour}, "too slow to be fresh": {Delay: 6 * time.Second}} {
			d.Fault("usergroups.users.list", f)
			if is, err := ask(ben, "slack-group:"+sre.ID); is || err == nil {
				t.Errorf("%s: %v %v", name, is, err)
			}
		}
	})
}

func TestAPersonIsAtMostAMinuteOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		ask := func() workflows.Principal {
			p, err := d.client.Person(t.Context(), d.ana.ID)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		ask()
		d.AddUser(workspace.User{ID: d.ana.ID, Name: "ana", Email: d.ana.Email, Kind: workspace.Guest})
		ask()
		if d.Calls("users.info") != 1 {
			t.Errorf("%d look-ups", d.Calls("users.info"))
		}
		time.Sleep(61 * time.Second)
		if p := ask(); p.Stranger != "guest" || p.Email != "" {
			t.Errorf("a minute later: %+v", p)
		}
	})
}

func TestSecretsStayOutOfErrorsAndLogs(t *testing.T) {
	calls := map[string]func(*desk, context.Context, bot.Reply) error{
		"identity": func(d *desk, ctx context.Context, _ bot.Reply) error { _, err := d.client.Identity(ctx); return err },
		"post": func(d *desk, ctx context.Context, _ bot.Reply) error {
			_, err := d.client.Post(ctx, cardMessage())
			return err
		},
		"edit": func(d *desk, ctx context.Context, r bot.Reply) error {
			return d.client.Edit(ctx, bot.Place{Channel: r.Channel, TS: "1.1"}, cardMessage())
		},
		"whisper": func(d *desk, ctx context.Context, r bot.Reply) error { return d.client.Whisper(ctx, r, cardMessage()) },
		"open":    func(d *desk, ctx context.Context, r bot.Reply) error { return d.client.Open(ctx, r, reasonForm()) },
		"people": func(d *desk, ctx context.Context, _ bot.Reply) error {
			_, err := d.client.People(ctx, []string{"ana@acme.example", "slack-group:@sre"})
			return err
		},
		"person": func(d *desk, ctx context.Context, r bot.Reply) error {
			_, err := d.client.Person(ctx, r.User)
			return err
		},
		"member": func(d *desk, ctx context.Context, r bot.Reply) error {
			_, err := d.client.Member(ctx, workflows.Principal{ID: "slack:" + r.User}, "slack-group:S1")
			return err
		},
	}
	faults := map[string]workspace.Fault{
		"down": {Down: true}, "lost": {Lost: true}, "500": {Status: 500}, "404": {Status: 404}, "302": {Status: 302}, "429": {RateLimited: time.Minute},
		"hang": {Delay: time.Hour}, "garbage": {Garbage: true}, "auth": {Error: "invalid_auth"}, "scope": {Error: "missing_scope", Needed: "x"},
	}
	for fault, f := range faults {
		for name, call := range calls {
			t.Run(fault+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDesk(t)
					defer d.Close()
					d.Fault("", f)
					url := "http://slack.test/response/SECRETPATH"
					err := call(d, t.Context(), bot.Reply{User: d.ana.ID, Channel: d.deploys.ID, ResponseURL: url, Trigger: "1.trigger"})
					if err == nil && name != "people" && fault+name != "garbagewhisper" {
						t.Fatal("no error")
					}
					text := d.log.String()
					if err != nil {
						text += err.Error()
					}
					for _, secret := range []string{botToken, appToken, signingSecret, "SECRETPATH", "xoxb-very", "very-secret"} {
						if strings.Contains(text, secret) {
							t.Errorf("%q is in: %s", secret, text)
						}
					}
				})
			})
		}
	}
}

func TestAnAddressWithoutASlashAndNothingThere(t *testing.T) {
	c := slack.New(slack.Options{APIURL: "http://127.0.0.1:1/api", BotToken: botToken, Timeout: time.Second, Log: slog.New(slog.DiscardHandler)})
	if _, err := c.Identity(t.Context()); err == nil || strings.Contains(err.Error(), botToken) {
		t.Error(err)
	}
}
