package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/web"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// inbound is the part of the service that hears the vendors, on a real store,
// with a clock that the test moves.
type inbound struct {
	t     *testing.T
	dir   string
	clock atomic.Int64
	*runtime.Engine
	mux  *http.ServeMux
	stop func()
}

const hookSecret = "the webhook's secret"

func (in *inbound) now() time.Time { return time.Unix(0, in.clock.Load()).UTC() }

// boot starts it on the data folder, as the next process would.
func (in *inbound) boot() {
	t := in.t
	db, err := store.Open(filepath.Join(in.dir, "rollcall.db"), store.Options{NoSync: true, MapSize: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	disk, err := files.Open(in.dir, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	e, err := runtime.New(runtime.Options{Store: db, History: db, Inbox: db, Memos: db, Runs: disk, Objects: disk, Log: quiet, Now: in.now})
	if err != nil {
		t.Fatal(err)
	}
	hook, err := github.NewWebhook(github.WebhookOptions{Secret: hookSecret, Engine: e, Log: quiet, Now: in.now})
	if err != nil {
		t.Fatal(err)
	}
	tickets, err := jira.NewWebhook(jira.WebhookOptions{Secret: hookSecret, Engine: e, Notes: e.MemosOf(jira.FollowerName), Log: quiet, Now: in.now})
	if err != nil {
		t.Fatal(err)
	}
	chat := slack.New(slack.Options{SigningSecret: hookSecret, Transport: nowhere{}, Log: quiet, Now: in.now})
	in.Engine, in.mux = e, http.NewServeMux()
	in.mux.Handle("/github/", hook.Handler())
	in.mux.Handle("/jira/", tickets.Handler())
	in.mux.Handle("/slack/", chat.Receive(e, mute{}).Handler())
	in.mux.Handle("/", web.Handler(web.Options{Doer: e, Reader: e, Watcher: e, History: e, Declare: declare, Tokens: map[string]string{"ci": hookSecret},
		Ready: func(context.Context) error { return nil }, Log: quiet, Heartbeat: time.Second}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- e.Run(ctx) }()
	go func() { done <- tickets.Run(ctx) }()
	in.stop = func() {
		cancel()
		if err := errors.Join(<-done, <-done, db.Close()); err != nil {
			t.Error(err)
		}
	}
	<-e.Ready()
}

type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("unplugged") }

type mute struct{}

func (mute) Handle(context.Context, bot.Request) error { return nil }
func (mute) Answer(bot.Request) any                    { return nil }
func (mute) Suggest(context.Context, bot.Request) (goslack.OptionsResponse, error) {
	return goslack.OptionsResponse{}, nil
}

// acts counts what the vendors' requests have led to: executions, and receipts that wait.
func (in *inbound) acts() int {
	list, err := in.Executions(in.t.Context(), workflows.EnginePrincipal(), record.Query{Pipeline: "shop"})
	if err != nil {
		in.t.Fatal(err)
	}
	pending, err := in.Pending(in.t.Context(), "slack")
	if err != nil {
		in.t.Fatal(err)
	}
	return len(list) + len(pending)
}

// T6: a captured request acts no second time, whoever's it is: its body and
// signature are sent as they were, everything that is not signed is new.
func TestACapturedRequestActsOnce(t *testing.T) {
	sha := strings.Repeat("ab", 20)
	hub := func(path, header, body string, more map[string]string) func(n int, _ time.Time) *http.Request {
		return func(n int, _ time.Time) *http.Request {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			r.Header.Set(header, wire.Sign([]byte(hookSecret), []byte(body)))
			for name, value := range more {
				r.Header.Set(name, strings.ReplaceAll(value, "N", fmt.Sprint(n)))
			}
			return r
		}
	}
	ofSlack := func(path, body string) func(int, time.Time) *http.Request {
		return func(_ int, captured time.Time) *http.Request {
			ts := fmt.Sprint(captured.Unix())
			mac := hmac.New(sha256.New, []byte(hookSecret))
			fmt.Fprintf(mac, "v0:%s:%s", ts, body)
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			r.Header.Set("X-Slack-Request-Timestamp", ts)
			r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
			return r
		}
	}
	push := fmt.Sprintf(`{"ref":"refs/heads/main","after":%q,"commits":[],"head_commit":{"id":%q},"repository":{"full_name":"acme/shop","pushed_at":%d},"sender":{"login":"ana"}}`, sha, sha, monday.Unix())
	closed := fmt.Sprintf(`{"timestamp":%d,"webhookEvent":"jira:issue_updated","issue":{"id":"1","key":"OPS-1","fields":{"status":{"statusCategory":{"key":"done"}}}},"changelog":{"id":7,"items":[{"field":"status"}]}}`, monday.UnixMilli())
	for name, c := range map[string]struct {
		send func(n int, captured time.Time) *http.Request
		acts int // of the first
	}{
		"GitHub's push": {hub("/github/webhook", "X-Hub-Signature-256", push, map[string]string{"X-GitHub-Event": "push", "X-GitHub-Delivery": "delivery-N"}), 1},
		"Jira's":        {hub("/jira/webhook", "X-Hub-Signature", closed, map[string]string{"X-Atlassian-Webhook-Identifier": "hook-N"}), 0},
		"Slack's click": {ofSlack("/slack/interactions", `payload={"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1"},"actions":[{"type":"button","block_id":"b","action_id":"approve"}]}`), 1},
		"Slack's event": {ofSlack("/slack/events", `{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"app_home_opened","user":"U1","tab":"home"}}`), 1},
	} {
		for when, after := range map[string]time.Duration{"at once": 0, "after 11 minutes": 11 * time.Minute, "after a day": 24 * time.Hour, "after six days": 144 * time.Hour, "after a month": 720 * time.Hour} {
			if name == "Jira's" && after > 144*time.Hour {
				continue // forgotten by then, and harmless: a status that is no newer than the one that was heard changes nothing
			}
			for how, restart := range map[string]bool{"": false, ", after a restart": true} {
				t.Run(name+" "+when+how, func(t *testing.T) {
					in := &inbound{t: t, dir: t.TempDir()}
					in.clock.Store(monday.UnixNano())
					in.boot()
					defer func() { in.stop() }()
					in.follow()
					first := httptest.NewRecorder()
					in.mux.ServeHTTP(first, c.send(1, in.now()))
					if first.Code >= 300 || in.acts() != c.acts {
						t.Fatalf("the first: %d %s, %d acts", first.Code, first.Body, in.acts())
					}
					captured := in.now()
					in.clock.Add(int64(after))
					if restart {
						in.stop()
						in.boot()
					}
					for n := 2; n <= 4; n++ {
						again := httptest.NewRecorder()
						in.mux.ServeHTTP(again, c.send(n, captured))
						if again.Code == http.StatusAccepted || in.acts() != c.acts {
							t.Errorf("again: %d %s, %d acts", again.Code, again.Body, in.acts())
						}
					}
				})
			}
		}
	}
}

var monday = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// follow defines a pipeline that follows acme/shop.
func (in *inbound) follow() {
	p, faults := spec.Parse("shop.yaml", []byte(strings.Replace("name: shop"+strings.Replace(service, "parameters: [{name: deploy}]\n", "", 1), `provider: Git, configuration: {Repository: "https://git.example/shop.git"`, `provider: GitHub, configuration: {FullRepositoryId: acme/shop`, 1)))
	if p == nil {
		in.t.Fatal(faults)
	}
	if _, err := in.Submit(in.t.Context(), workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, NewDefinition: p, ManagedBy: "api"}, workflows.EnginePrincipal()); err != nil {
		in.t.Fatal(err)
	}
}
