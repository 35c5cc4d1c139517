package slack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/slack/token"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// names are the scopes that rollcall asks for, without some.
func names(without ...string) []string {
	var all []string
	for _, s := range slack.Scopes() {
		if !slices.Contains(without, s.Name) {
			all = append(all, s.Name)
		}
	}
	return all
}

// checked is a desk whose client looks at a channel.
func checked(t *testing.T, channel string) *desk {
	t.Helper()
	d := newDesk(t)
	d.client = slack.New(slack.Options{
		APIURL: "http://slack.test/api", BotToken: botToken, SigningSecret: signingSecret, Transport: wirefake.Direct(d.Server), Channel: channel, Command: "/rollcall",
		Log: slog.New(slog.NewTextHandler(d.log, nil)),
	})
	d.receiver = d.client.Receive(d.inbox, d.bot)
	d.handler = d.receiver.Handler()
	return d
}

func TestCheckupNamesEveryProblemWithItsFix(t *testing.T) {
	for _, c := range []struct {
		name    string
		channel string
		arrange func(d *desk)
		want    []string // "code: words … / fix", by pieces that must occur, one fault each
	}{
		{"all is well", "#deploys", func(*desk) {}, nil},
		{"the channel by its ID", "C0DEPLOYS", func(d *desk) { d.AddChannel(slackfake.Channel{ID: "C0DEPLOYS", Name: "x"}) }, nil},
		{"no channel is looked at", "", func(*desk) {}, nil},
		{"one scope", "#deploys", func(d *desk) { d.Grant(names("im:write")...) },
			[]string{"missing_scope|has not the scope im:write (to send a direct message|Bot Token Scopes at https://api.slack.com/apps"}},
		{"without what is optional", "#deploys", func(d *desk) { d.Grant(names("channels:history", "groups:history", "channels:join")...) }, nil},
		{"several scopes", "#deploys", func(d *desk) { d.Grant(names("users:read.email", "commands")...) },
			[]string{"missing_scope|the scope commands|install the app again", "missing_scope|the scope users:read.email|install the app again"}},
		{"without listing, the channel is not guessed at", "#deploys", func(d *desk) { d.Grant(names("channels:read")...) },
			[]string{"missing_scope|channels:read|install"}},
		{"a classic app", "#deploys", func(d *desk) { d.Grant("identify", "bot:basic", "channels:read", "groups:read", "users:read") },
			[]string{"classic_app|classic Slack app|create a new app"}},
		{"an unknown channel", "#deplyos", func(*desk) {}, []string{"channel_not_found|no channel #deplyos that the app can see|/invite @rollcall"}},
		{"a private channel it is not in", "#ops", func(d *desk) {
			d.AddChannel(slackfake.Channel{Name: "ops", Private: true, Members: []string{d.ana.ID}})
		},
			[]string{"channel_not_found|no channel #ops|when it is private, type /invite"}},
		{"a private channel by its ID", "C0OPS", func(d *desk) {
			d.AddChannel(slackfake.Channel{ID: "C0OPS", Name: "ops", Private: true, Members: []string{d.ana.ID}})
		}, []string{"channel_not_found|no channel C0OPS|/invite"}},
		{"an archived channel", "#old", func(d *desk) { d.AddChannel(slackfake.Channel{Name: "old", Archived: true}) }, []string{"is_archived|#old is archived|unarchive"}},
		{"a public channel it is not in", "#open", func(d *desk) { d.AddChannel(slackfake.Channel{Name: "open", Members: []string{d.ana.ID}}) }, nil},
		{"the same without chat:write.public", "#open", func(d *desk) {
			d.AddChannel(slackfake.Channel{Name: "open", Members: []string{d.ana.ID}})
			d.Grant(names("chat:write.public")...)
		}, []string{"not_in_channel|not in #open|/invite @rollcall in #open", "missing_scope|chat:write.public|install"}},
		{"a token nobody knows", "#deploys", func(d *desk) { d.Faults.Add(slackfake.On("auth.test", slackfake.Refusal("invalid_auth", ""))) },
			[]string{"invalid_auth|does not take slack.botToken (invalid_auth)|OAuth & Permissions"}},
		{"a token withdrawn", "#deploys", func(d *desk) { d.Faults.Add(slackfake.On("auth.test", slackfake.Refusal("token_revoked", ""))) },
			[]string{"token_revoked|does not take slack.botToken|install the app again"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := checked(t, c.channel)
				defer d.Close()
				c.arrange(d)
				faults, err := d.client.Checkup(t.Context())
				if err != nil || len(faults) != len(c.want) {
					t.Fatalf("%d faults, want %d: %+v, %v", len(faults), len(c.want), faults, err)
				}
				for i, f := range faults {
					want := strings.Split(c.want[i], "|")
					if f.Code != want[0] || !strings.Contains(f.What, want[1]) || !strings.Contains(f.Fix, want[2]) {
						t.Errorf("%+v, want %v", f, want)
					}
				}
			})
		})
	}
}

func TestCheckupSaysWhichTokenWasTakenForAnother(t *testing.T) {
	for given, want := range map[string]string{
		"xapp-1-very-secret": "is an app-level token", "xoxp-very-secret": "is a user token", "xoxe.xoxb-very-secret": "expires after twelve hours",
		"xoxa-very-secret": "legacy", "xoxc-very-secret": "browser", "https://hooks.slack.com/services/very-secret": "incoming webhook",
		"0123456789abcdef0123456789abcdef": "signing", "a-kind-of-tomorrow": "",
	} {
		w := slackfake.New(slackfake.Options{BotToken: botToken, AppToken: "xapp-1-very-secret", UserToken: "xoxp-very-secret"})
		c := slack.New(slack.Options{APIURL: "http://slack.test/api", BotToken: given, Transport: wirefake.Direct(w)})
		_, refused := c.Identity(t.Context())
		if faults, err := c.Checkup(t.Context()); refused == nil || given != "xoxp-very-secret" && (err != nil || len(faults) != 1 || !strings.Contains(faults[0].What, want) || strings.Contains(fmt.Sprint(faults), given)) {
			t.Errorf("%.4s…: identity %v, faults %+v, %v; want %q", given, refused, faults, err, want)
		}
		if fault, fix := token.BotFault(given); !strings.Contains(fault, want) || (fault != "") != (want != "") || want != "" && !strings.Contains(fix, "xoxb-…") {
			t.Errorf("%.4s…: %q, %q", given, fault, fix)
		}
		w.Close()
	}
	for given, want := range map[string]string{"xoxb-x": "is a bot token", "xoxp-x": "is a user token", "x": "", "xapp-x": ""} {
		if fault, fix := token.AppFault(given); !strings.Contains(fault, want) || fault != "" && !strings.Contains(fix, "connections:write") || want == "" && fault != "" {
			t.Errorf("%s: %q, %q", given, fault, fix)
		}
	}
}

func TestTheLogSaysEachProblemOnceAndWhenAllIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := checked(t, "#deploys")
		d.Grant(names("im:write", "users:read.email")...)
		d.run(t)
		defer func() { d.stop(); d.Close() }()
		time.Sleep(20 * time.Minute)
		if got := strings.Count(d.log.String(), "has not the scope"); got != 2 {
			t.Errorf("%d lines, want one per problem\n%s", got, d.log)
		}
		d.Grant(names()...)
		time.Sleep(time.Hour)
		if log := d.log.String(); strings.Count(log, "set up as it should be") != 1 {
			t.Error("it does not say that all is mended:", log)
		}
	})
}

// Who tries the app out hears what is wrong where they are, once.
func TestWhoUsesTheCommandHearsWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := checked(t, "#deploys")
		d.Grant(names("usergroups:read")...)
		d.run(t)
		defer func() { d.stop(); d.Close() }()
		synctest.Wait()
		ask := func(user slackfake.User) int {
			d.command(t, user, "status")
			d.next(t)
			time.Sleep(5 * time.Second)
			n := 0
			for _, m := range d.Ephemerals(user.ID) {
				if strings.Contains(m.Text, "usergroups:read") && strings.Contains(m.Text, "To mend it, add it under Bot Token Scopes") {
					n++
				}
			}
			return n
		}
		if first, again, other := ask(d.ana), ask(d.ana), ask(d.ben); first != 1 || again != 1 || other != 1 {
			t.Errorf("told %d, then %d times; somebody else %d; want once each", first, again, other)
		}
		guest := d.AddUser(slackfake.User{Name: "gil", Kind: slackfake.Guest})
		if n := ask(guest); n != 0 {
			t.Error("a guest is told how the app is set up")
		}
		// A channel where nothing arrives is found by posting.
		if _, err := d.client.Post(t.Context(), bot.Message{Channel: "#nowhere", Text: "x"}); err == nil {
			t.Fatal("posted")
		}
		ask(d.ana)
		told := d.Ephemerals(d.ana.ID)
		if last := told[len(told)-1].Text; !strings.Contains(last, "There is no channel #nowhere") {
			t.Error(last)
		}
		d.AddChannel(slackfake.Channel{Name: "nowhere"})
		if _, err := d.client.Post(t.Context(), bot.Message{Channel: "#nowhere", Text: "x"}); err != nil {
			t.Fatal(err)
		}
		ask(d.ana)
		told = d.Ephemerals(d.ana.ID)
		if last := told[len(told)-1].Text; strings.Contains(last, "nowhere") {
			t.Error("a problem that is gone is still told:", last)
		}
	})
}

// A scope without which nobody can be known is named to who asked.
func TestWithoutUsersReadTheAnswerSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := checked(t, "#deploys")
		d.Grant(names("users:read")...)
		d.run(t)
		defer func() { d.stop(); d.Close() }()
		d.command(t, d.ana, "status")
		time.Sleep(5 * time.Second)
		told := d.Ephemerals(d.ana.ID)
		if len(told) == 0 || !strings.Contains(told[0].Text, "could not check who you are: Slack refused (missing_scope)") || !strings.Contains(told[0].Text, "users:read") {
			t.Error(told)
		}
	})
}

func TestSlackThatIsAwayIsSaidOncePerMinuteAndConnectedToWhenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := checked(t, "#deploys")
		d.Faults.Add(slackfake.On("", fault.Fault{Cut: true}))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.receiver.Run(ctx) }()
		defer func() { cancel(); <-ended; d.Close() }()
		time.Sleep(10 * time.Minute)
		if got := strings.Count(d.log.String(), "slack cannot be reached; the service runs, and tries again"); got < 2 || got > 10 {
			t.Errorf("said %d times in ten minutes\n%s", got, d.log)
		}
		d.Faults.Set()
		time.Sleep(2 * time.Minute)
		if log := d.log.String(); !strings.Contains(log, "connected to slack") || !strings.Contains(log, "set up as it should be") {
			t.Error("not connected after slack came back:", log)
		}
	})
}

func TestAnotherNameOfTheCommandIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.client = slack.New(slack.Options{APIURL: "http://slack.test/api", BotToken: botToken, SigningSecret: signingSecret, Transport: wirefake.Direct(d.Server), Command: "/deploy"})
		d.receiver = d.client.Receive(d.inbox, d.bot)
		d.handler = d.receiver.Handler()
		d.run(t)
		defer func() { d.stop(); d.Close() }()
		d.command(t, d.ana, "help")
		d.next(t)
		time.Sleep(time.Second)
		if told := d.Ephemerals(d.ana.ID); len(told) != 1 || !strings.Contains(told[0].Text, "In Slack the command is /rollcall, in the configuration /deploy") {
			t.Error(told)
		}
	})
}

func TestAWrongSigningSecretIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := checked(t, "#deploys")
		d.run(t)
		defer func() { d.stop(); d.Close() }()
		for range 3 {
			rec := httptest.NewRecorder()
			req := httptest.NewRequest("POST", "/slack/commands", strings.NewReader("command=/rollcall"))
			req.Header.Set("X-Slack-Request-Timestamp", fmt.Sprint(time.Now().Unix()))
			req.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64))
			d.handler.ServeHTTP(rec, req)
		}
		if got := strings.Count(d.log.String(), "does not know slack.signingSecret"); got != 1 {
			t.Errorf("said %d times in one minute: %s", got, d.log)
		}
	})
}

// Socket Mode's own troubles, over real sockets.
func TestWhySocketModeDoesNotConnectIsSaid(t *testing.T) {
	for _, c := range []struct {
		name, token string
		o           slackfake.Options
		off         bool
		want        []string
	}{
		{"a bot token in its place", "xoxb-very-secret", slackfake.Options{}, false, []string{"slack.appToken is a bot token", "connections:write"}},
		{"an unknown token", "xapp-unknown", slackfake.Options{}, false, []string{"does not take slack.appToken (invalid_auth)", "App-Level Tokens"}},
		{"without connections:write", "xapp-very-secret", slackfake.Options{AppScopes: []string{"authorizations:read"}}, false, []string{"(missing_scope)", "lacks connections:write"}},
		{"switched off", "xapp-very-secret", slackfake.Options{}, true, []string{"Socket Mode is switched off for the app", "switch it on under Socket Mode at https://"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.BotToken, c.o.AppToken = botToken, "xapp-very-secret"
			d := &desk{inbox: &inbox{}, bot: &robot{handled: make(chan bot.Request, 1)}, log: &logbook{}, Server: slackfake.New(c.o)}
			if c.off {
				d.SwitchSocketMode(false)
			}
			server := httptest.NewServer(d.Server)
			d.client = slack.New(slack.Options{APIURL: server.URL + "/api/", BotToken: botToken, AppToken: c.token, Log: slog.New(slog.NewTextHandler(d.log, nil))})
			d.receiver = d.client.Receive(d.inbox, d.bot)
			d.run(t)
			defer func() { d.stop(); d.Close(); server.Close() }()
			defer func() {
				if t.Failed() {
					t.Log(d.log)
				}
			}()
			eventually(t, func() bool {
				log := d.log.String()
				return !slices.ContainsFunc(c.want, func(w string) bool { return !strings.Contains(log, w) })
			})
			if strings.Contains(d.log.String(), "very-secret") {
				t.Error("the log holds a secret")
			}
			if c.off {
				d.SwitchSocketMode(true)
				d.connected(t)
			}
		})
	}
}

// Who searches the documentation for a line of the log finds it: the words in
// the table of docs/slack.md are the program's.
func TestTheTableOfProblemsHasTheProgramsWords(t *testing.T) {
	doc, err := os.ReadFile("../../docs/slack.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "| Problem | The log says | Fix |")
	table, _, _ = strings.Cut(table, "\n## ")
	synctest.Test(t, func(t *testing.T) {
		said := everythingSaid(t)
		n := 0
		for row := range strings.Lines(table) {
			cells := strings.Split(row, " | ")
			if len(cells) != 3 {
				continue
			}
			for _, m := range regexp.MustCompile("`([^`]{12,})`").FindAllStringSubmatch(cells[1], -1) {
				for piece := range strings.SplitSeq(m[1], "…") {
					if n++; !strings.Contains(said, strings.TrimSuffix(piece, ")")) {
						t.Errorf("nothing says %q (of: %s)", piece, cells[0])
					}
				}
			}
		}
		if n < 15 {
			t.Error("only", n, "words were found in the table")
		}
	})
}

// everythingSaid is the program's text about Slack, and what its tests see it say.
func everythingSaid(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{"checkup.go", "socket.go", "socket_accept.go", "faults.go", "run.go", "receive.go", "process.go"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	for _, given := range []string{"xapp-1", "xoxp-1", "xoxa-1", "xoxe.xoxb-1", "xoxb-1"} {
		fault, _ := token.BotFault(given)
		fmt.Fprintf(&all, "slack.botToken %s\n", fault)
		fault, _ = token.AppFault(given)
		fmt.Fprintf(&all, "slack.appToken %s\n", fault)
	}
	d := checked(t, "#deploys")
	defer d.Close()
	see := func() {
		faults, err := d.client.Checkup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			fmt.Fprintf(&all, "%s %s\n", f.What, f.Fix)
		}
	}
	deploys := slackfake.Channel{ID: d.deploys.ID, Name: "deploys", Members: []string{d.ana.ID}}
	d.AddChannel(deploys)
	d.Grant(names("im:write", "chat:write.public")...)
	see()
	deploys.Archived = true
	d.AddChannel(deploys)
	see()
	deploys.Private = true
	d.AddChannel(deploys)
	see()
	for _, code := range []string{"invalid_auth", "account_inactive", "token_revoked"} {
		d.Faults.Add(slackfake.On("auth.test", slackfake.Refusal(code, "")))
		see()
	}
	fmt.Fprintln(&all, "Slack does not take slack.appToken (missing_scope)\nIn Slack the command is /deploy, in the configuration /rollcall") // seen by the tests above
	return all.String()
}

func TestTheManifestIsWhatSlackTakes(t *testing.T) {
	type manifest struct {
		Features struct {
			Commands []struct{ Command, URL string } `yaml:"slash_commands"`
			Unfurl   []string                        `yaml:"unfurl_domains"`
		}
		OAuth    struct{ Scopes struct{ Bot []string } } `yaml:"oauth_config"`
		Settings struct {
			Events struct {
				URL string   `yaml:"request_url"`
				Bot []string `yaml:"bot_events"`
			} `yaml:"event_subscriptions"`
			Interactivity struct {
				On      bool   `yaml:"is_enabled"`
				URL     string `yaml:"request_url"`
				Options string `yaml:"message_menu_options_url"`
			}
			SocketMode bool `yaml:"socket_mode_enabled"`
			Rotation   bool `yaml:"token_rotation_enabled"`
		}
	}
	read := func(text string) (m manifest) {
		if err := yaml.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(m.OAuth.Scopes.Bot, names()) || m.Settings.Rotation || !m.Settings.Interactivity.On || !slices.Equal(m.Settings.Events.Bot, []string{"app_home_opened", "link_shared"}) {
			b, _ := json.Marshal(m)
			t.Errorf("%s", b)
		}
		return m
	}
	if m := read(slack.Manifest("/rollcall", "")); !m.Settings.SocketMode || len(m.Features.Unfurl) != 0 || m.Settings.Events.URL+m.Settings.Interactivity.URL+m.Features.Commands[0].URL != "" {
		t.Errorf("by Socket Mode: %+v", m)
	}
	if m := read(slack.Manifest("/rollcall", "https://Rollcall.example.com:8443/x")); !slices.Equal(m.Features.Unfurl, []string{"rollcall.example.com"}) {
		t.Errorf("links are shown of %v", m.Features.Unfurl)
	}
	m := read(slack.Manifest("/deploy", "https://rollcall.example.com/"))
	base := "https://rollcall.example.com/slack/"
	if c := m.Features.Commands[0]; m.Settings.SocketMode || c.Command != "/deploy" || c.URL != base+"commands" || m.Settings.Events.URL != base+"events" ||
		m.Settings.Interactivity.URL != base+"interactions" || m.Settings.Interactivity.Options != base+"options" {
		t.Errorf("over HTTP: %+v", m)
	}
	if !strings.Contains(slack.Manifest("/rollcall", ""), "new_app=1") {
		t.Error("it does not say where to paste it")
	}
}

// D9: the self-test looks at the channels of all pipelines in force, also of one
// that comes or moves later, and names the fix.
func TestTheCheckupLooksAtEveryPipelinesChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		var mu sync.Mutex
		channels := []string{"", "#deploys"}
		use := func(names ...string) {
			mu.Lock()
			channels = names
			mu.Unlock()
			time.Sleep(10 * time.Second)
		}
		d.client = slack.New(slack.Options{APIURL: "http://slack.test/api", BotToken: botToken, SigningSecret: signingSecret, Transport: wirefake.Direct(d.Server), Channel: "#deploys",
			Channels: func(context.Context) []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(channels) }, Log: slog.New(slog.NewTextHandler(d.log, nil))})
		d.receiver = d.client.Receive(d.inbox, d.bot)
		d.run(t)
		defer func() { d.stop(); d.Close() }()
		time.Sleep(time.Hour)
		said := func(words string) int { return strings.Count(d.log.String(), words) }
		if said("set up as it should be") != 1 || said("level=ERROR") != 0 {
			t.Fatal("one channel, and it is there", d.log)
		}
		old := d.AddChannel(slackfake.Channel{Name: "old", Archived: true})
		d.AddChannel(slackfake.Channel{Name: "secret", Private: true, Members: []string{d.ana.ID}})
		for name, want := range map[string]string{"#nowhere": "There is no channel #nowhere", "#old": "The channel #old is archived", "#secret": "There is no channel #secret"} {
			use("#deploys", name)
			if said(want) != 1 || said("fix=") == 0 {
				t.Errorf("%s: said %d times\n%s", name, said(want), d.log)
			}
		}
		use("#deploys", "#old")
		old.Archived = false
		d.AddChannel(old)
		time.Sleep(2 * time.Minute)
		if said("set up as it should be") != 2 {
			t.Error("it does not say that all is mended", d.log)
		}
		calls := d.Calls("")
		time.Sleep(time.Hour)
		if d.Calls("") != calls {
			t.Errorf("%d calls while nothing changes", d.Calls("")-calls)
		}
	})
}
