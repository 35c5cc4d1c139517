package slack_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
)

func TestPeopleAreMentionedOrNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		sre := d.AddGroup(slackfake.Group{Handle: "sre"})
		guest := d.AddUser(slackfake.User{Name: "guest", Email: "guest@x.example", Kind: slackfake.Guest})
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
		d.Faults.Add(slackfake.On("users.lookupByEmail", fault.Fault{Status: 500}))
		if _, err := d.client.People(t.Context(), who); err == nil {
			t.Error("a look-up that failed for now is an error")
		}
		d.Faults.Add(slackfake.On("users.lookupByEmail", slackfake.Refusal("missing_scope", "users:read.email")))
		if got, err := d.client.People(t.Context(), who); err != nil || got[0] != "Ana@acme.example" {
			t.Error("one that is refused for good gives text:", got, err)
		}
	})
}

// U26: an address is a member's name in chat, or nobody's; names may be older
// than what rights rest on.
func TestAMemberIsKnownByTheirAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		guest := d.AddUser(slackfake.User{Name: "guest", Email: "guest@x.example", Kind: slackfake.Guest})
		gone := d.AddUser(slackfake.User{Name: "gone", Email: "gone@acme.example", Kind: slackfake.Deactivated})
		for name, c := range map[string]struct{ address, id, shown string }{
			"a member":              {"ANA@acme.example", "slack:" + d.ana.ID, "ana"},
			"nobody":                {"nobody@acme.example", "", ""},
			"a guest":               {guest.Email, "", ""},
			"somebody who has left": {gone.Email, "", ""},
		} {
			if p, err := d.client.ByEmail(t.Context(), c.address); err != nil || p.ID != c.id || p.Name != c.shown {
				t.Errorf("%s: %+v %v", name, p, err)
			}
		}
		calls := d.Calls("users.lookupByEmail")
		time.Sleep(9 * time.Minute)
		if p, err := d.client.ByEmail(t.Context(), "ana@acme.example"); err != nil || p.Name != "ana" || d.Calls("users.lookupByEmail") != calls {
			t.Error("a name is asked for again:", p, err)
		}
		if p, err := d.client.Now(t.Context(), workflows.Principal{ID: "mail:ana@acme.example", Email: "ana@acme.example"}); err != nil || p.Stranger != "" || d.Calls("users.lookupByEmail") == calls {
			t.Error("who somebody is now rests on an old name:", p, err)
		}
		for address, stranger := range map[string]string{"ana@acme.example": "", gone.Email: "unknown", guest.Email: "unknown"} {
			if p, err := d.client.Now(t.Context(), workflows.Principal{ID: "jira:5b1", Email: address, Via: "jira"}); err != nil || p.Stranger != stranger || p.ID != "jira:5b1" || p.Via != "jira" {
				t.Errorf("whoever answers in Jira as %s: %+v %v", address, p, err)
			}
		}
		time.Sleep(11 * time.Minute)
		d.Faults.Add(slackfake.On("users.lookupByEmail", fault.Fault{Status: 500}))
		if p, err := d.client.ByEmail(t.Context(), "ana@acme.example"); err == nil {
			t.Error("a look-up that failed is no answer:", p)
		}
	})
}

func TestMembershipIsFreshOrAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		sre := d.AddGroup(slackfake.Group{Handle: "sre", Members: []string{d.ana.ID}})
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

		d.AddGroup(slackfake.Group{ID: sre.ID, Handle: "sre", Members: []string{d.ben.ID}})
		time.Sleep(5 * time.Second)
		if is, err := ask(ana, "slack-group:"+sre.ID); is || err != nil {
			t.Error("five seconds after leaving, ana still counts:", err)
		}
		time.Sleep(5 * time.Second)
		for name, f := range map[string]fault.Fault{"500": {Status: 500}, "hang": {Delay: time.Hour}, "too slow to be fresh": {Delay: 6 * time.Second}} {
			d.Faults.Add(slackfake.On("usergroups.users.list", f))
			if is, err := ask(ben, "slack-group:"+sre.ID); is || err == nil {
				t.Errorf("%s: %v %v", name, is, err)
			}
		}
	})
}

// T3: who somebody is is asked anew after 4 s.
func TestAPersonIsAtMostFiveSecondsOld(t *testing.T) {
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
		d.AddUser(slackfake.User{ID: d.ana.ID, Name: "ana", Email: d.ana.Email, Kind: slackfake.Guest})
		ask()
		if d.Calls("users.info") != 1 {
			t.Errorf("%d look-ups", d.Calls("users.info"))
		}
		time.Sleep(5 * time.Second)
		if p := ask(); p.Stranger != "guest" || p.Email != "" {
			t.Errorf("five seconds later: %+v", p)
		}
	})
}

// T3: the directory says who somebody is now, for every kind of stranger, also
// of those of whom only the address is known; a failed look-up is no answer.
func TestWhoSomebodyIsNow(t *testing.T) {
	kinds := map[slackfake.Kind]string{slackfake.Guest: "guest", slackfake.Deactivated: "deactivated", slackfake.Bot: "bot", slackfake.Connect: "connect", slackfake.Member: ""}
	for kind, want := range kinds {
		synctest.Test(t, func(t *testing.T) {
			d, leave := office(t)
			defer leave()
			ana := workflows.Principal{ID: "slack:" + d.ana.ID, Name: "Ana of yore", Email: d.ana.Email, Via: "slack"}
			mail := workflows.Principal{ID: "mail:" + d.ana.Email, Name: d.ana.Email, Email: d.ana.Email, Via: "slack"}
			for _, p := range []workflows.Principal{ana, mail} {
				if now, err := d.client.Now(t.Context(), p); err != nil || now.Stranger != "" || now.ID != p.ID || now.Email != d.ana.Email || now.Name != "ana" {
					t.Errorf("%s: %+v %v", p.ID, now, err)
				}
			}
			d.AddUser(slackfake.User{ID: d.ana.ID, Name: "ana", Email: d.ana.Email, Kind: kind})
			time.Sleep(5 * time.Second)
			for _, p := range []workflows.Principal{ana, mail} {
				now, err := d.client.Now(t.Context(), p)
				if err != nil || (now.Stranger == "") != (want == "") || p == ana && now.Stranger != want {
					t.Errorf("%s has become %q, not %q: %v", p.ID, now.Stranger, want, err)
				}
				if want != "" && p == ana && now.Email != "" {
					t.Error("a stranger keeps their address")
				}
			}
			for _, p := range []workflows.Principal{{ID: "token:ci", Name: "ci"}, workflows.EnginePrincipal(), {ID: "console:x@y.example", Email: "x@y.example"}} {
				if now, err := d.client.Now(t.Context(), p); now != p || err != nil {
					t.Errorf("%+v has become %+v: %v", p, now, err)
				}
			}
			time.Sleep(5 * time.Second)
			for name, f := range map[string]fault.Fault{"passes": {Status: 500}, "too slow": {Delay: 6 * time.Second}, "lasts": slackfake.Refusal("missing_scope", "users:read")} {
				d.Faults.Add(slackfake.On("users.info", f))
				d.Faults.Add(slackfake.On("users.lookupByEmail", f))
				for _, p := range []workflows.Principal{ana, mail} {
					_, err := d.client.Now(t.Context(), p)
					var lasting *workflows.Problem
					if err == nil || errors.As(err, &lasting) != (name == "lasts") || lasting != nil && !strings.Contains(lasting.Hint, "users:read") {
						t.Errorf("%s, %s: %v", p.ID, name, err)
					}
				}
			}
		})
	}
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
		"ephemeral": func(d *desk, ctx context.Context, r bot.Reply) error {
			return d.client.PostEphemeral(ctx, r, cardMessage())
		},
		"open": func(d *desk, ctx context.Context, r bot.Reply) error { return d.client.Open(ctx, r, reasonForm()) },
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
	faults := map[string]fault.Fault{
		"down": {Cut: true}, "lost": {Cut: true, After: true}, "500": {Status: 500}, "404": {Status: 404}, "302": {Status: 302}, "429": {Status: 429, RetryAfter: time.Minute},
		"hang": {Delay: time.Hour}, "garbage": {Status: 200, Body: "<!doctype html><title>Slack</title>"}, "auth": slackfake.Refusal("invalid_auth", ""), "scope": slackfake.Refusal("missing_scope", "x"),
	}
	for fault, f := range faults {
		for name, call := range calls {
			t.Run(fault+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDesk(t)
					defer d.Close()
					d.Faults.Add(slackfake.On("", f))
					url := "http://slack.test/response/SECRETPATH"
					err := call(d, t.Context(), bot.Reply{User: d.ana.ID, Channel: d.deploys.ID, ResponseURL: url, Trigger: "1.trigger"})
					if err == nil && name != "people" && fault+name != "garbageephemeral" {
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
