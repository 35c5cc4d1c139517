package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

const (
	askedEach   = time.Second / 200 // requests come so often …
	askedFor    = time.Second       // … for so long, of each of the two in turns …
	askedRounds = 4                 // … so often
	decidedEach = time.Second / 100 // decisions about other pipelines
	busyOf      = 16                // of so many
)

// asked is a service with Slack's addresses, while Slack's API hangs and the engine decides.
type asked struct {
	*clicks
	fake *slackfake.Server
	app  string // its address
	gate string // an open one
	n    atomic.Int64
}

// BenchmarkAcknowledge is 200 signed slash commands and clicks per second, half
// each, over HTTP, while Slack's API hangs and the engine makes a hundred decisions
// per second about other pipelines. Times count from the moment at which a request
// was due. Beside it, in turns and under the same load, the least that something
// durable takes: the same requests to a handler that only appends them to a file,
// synced, all that wait at once.
func BenchmarkAcknowledge(b *testing.B) {
	a := newAsked(b)
	floor := httptest.NewServer(newAppending(b))
	b.Cleanup(floor.Close)
	b.ResetTimer()
	for range b.N {
		ctx, cancel := context.WithCancel(b.Context())
		var busy sync.WaitGroup
		busy.Go(func() { a.decide(ctx) })
		var least, took []time.Duration
		for range askedRounds {
			least = append(least, a.ask(floor.URL)...)
			took = append(took, a.ask(a.app)...)
		}
		cancel()
		busy.Wait()
		b.ReportMetric(at(took, 50), "p50-ms")
		b.ReportMetric(at(took, 99), "p99-ms")
		b.ReportMetric(at(least, 50), "floor-p50-ms")
		b.ReportMetric(at(least, 99), "floor-p99-ms")
		b.ReportMetric(at(took, 99)/at(least, 99), "p99/floor")
	}
}

// at is a percentile in milliseconds.
func at(took []time.Duration, percent int) float64 {
	slices.Sort(took)
	return float64(took[len(took)*percent/100]) / float64(time.Millisecond)
}

// newAsked is a service that a Slack has installed which hangs from then on.
func newAsked(b *testing.B) *asked {
	a := &asked{clicks: &clicks{b: b}, fake: slackfake.New(slackfake.Options{})}
	a.fake.AddUser(slackfake.User{ID: "U0ANA", Name: "ana", Email: "ana@acme.example"})
	a.fake.AddChannel(slackfake.Channel{Name: "#deploys"})
	api := httptest.NewServer(a.fake)
	client := slack.New(slack.Options{APIURL: api.URL + "/api/", BotToken: "xoxb-local", SigningSecret: "local-signing-secret", Unpaced: true})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var app *httptest.Server
	a.before = func(e *runtime.Engine) {
		chat := bot.New(bot.Options{Engine: e, Chat: client, Memos: e.MemosOf("slack"), Channel: "#deploys"})
		e.AddFollower(chat)
		r := client.Receive(e, chat)
		app = httptest.NewServer(r.Handler())
		running.Go(func() { <-e.Ready(); _ = r.Run(ctx) })
		running.Go(func() { <-e.Ready(); _ = chat.Run(ctx) })
	}
	a.start(b.TempDir())
	b.Cleanup(func() {
		app.Close()
		cancel()
		a.fake.Faults.Set() // what hangs ends
		running.Wait()
		a.stop()
		api.Close()
		a.fake.Close()
	})
	a.app = app.URL
	for i := range busyOf {
		a.define(fmt.Sprintf("p%d", i))
	}
	a.define("asked")
	_, a.gate = a.parked("asked")
	if _, err := client.Identity(ctx); err != nil {
		b.Fatal(err)
	}
	a.fake.Faults.Set(slackfake.On("", fault.Fault{Hang: true}))
	return a
}

// decide starts and stops executions.
func (a *asked) decide(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	due := time.NewTicker(decidedEach)
	defer due.Stop()
	me := workflows.Principal{ID: "token:me", Name: "me", Via: "api"}
	for i := 0; ctx.Err() == nil; i++ {
		<-due.C
		all.Go(func() {
			// A pipeline that is full refuses, which is a decision, too.
			r, err := a.engine.Submit(ctx, workflows.Intent{Verb: workflows.Start, Pipeline: fmt.Sprintf("p%d", i%busyOf)}, me)
			if err == nil && i%2 == 0 {
				_, _ = a.engine.Submit(ctx, workflows.Intent{Verb: workflows.StopExecution, Execution: r.Execution.ID, Abandon: true}, me)
			}
		})
	}
}

// ask sends requests when they are due, also when earlier ones are not answered yet,
// and returns how long each took until its answer was there.
func (a *asked) ask(address string) []time.Duration {
	took := make([]time.Duration, askedFor/askedEach)
	var all sync.WaitGroup
	began := time.Now()
	for i := range took {
		due := began.Add(time.Duration(i) * askedEach)
		<-time.After(time.Until(due))
		all.Go(func() {
			path, body := a.next(i%2 == 0)
			a.send(address+path, body)
			took[i] = time.Since(due)
		})
	}
	all.Wait()
	return took
}

// next is a slash command, or a click on a gate's button, unlike any before it.
func (a *asked) next(command bool) (path string, body []byte) {
	trigger := fmt.Sprint(a.n.Add(1), ".0.trigger")
	if command {
		return "/slack/commands", []byte(url.Values{"team_id": {"T0LOCAL"}, "api_app_id": {"A0LOCAL"}, "user_id": {"U0ANA"}, "user_name": {"ana"}, "channel_id": {"C0"}, "channel_name": {"deploys"},
			"command": {"/rollcall"}, "text": {"status asked#1"}, "trigger_id": {trigger}, "response_url": {"https://hooks.slack.com/commands/" + trigger}}.Encode())
	}
	payload := fmt.Sprintf(`{"type": "block_actions", "api_app_id": "A0LOCAL", "team": {"id": "T0LOCAL"}, "user": {"id": "U0ANA", "team_id": "T0LOCAL"}, "channel": {"id": "C0", "name": "deploys"},
		"trigger_id": %q, "actions": [{"type": "button", "action_id": "approve", "block_id": "b", "value": %q, "action_ts": "1.0"}]}`, trigger, a.gate)
	return "/slack/interactions", []byte(url.Values{"payload": {payload}}.Encode())
}

func (a *asked) send(address string, body []byte) {
	r, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		a.b.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a.fake.Sign(r.Header, body)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.b.Error(err)
		return
	}
	defer answer.Body.Close()
	if _, err = io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		a.b.Error(answer.Status, err)
	}
}

// appending appends requests to a file.
type appending struct{ queue chan appended }

type appended struct {
	body []byte
	done chan error
}

func newAppending(b *testing.B) *appending {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	a := &appending{queue: make(chan appended, 1000)}
	var running sync.WaitGroup
	running.Go(func() { a.write(f) })
	b.Cleanup(func() { close(a.queue); running.Wait(); _ = f.Close() })
	return a
}

// write syncs all that waits at once.
func (a *appending) write(f *os.File) {
	for one := range a.queue {
		batch := []appended{one}
		for range len(a.queue) {
			batch = append(batch, <-a.queue)
		}
		var err error
		for _, one := range batch {
			if err == nil {
				_, err = f.Write(one.body)
			}
		}
		if err == nil {
			err = f.Sync()
		}
		for _, one := range batch {
			one.done <- err
		}
	}
}

func (a *appending) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		done := make(chan error, 1)
		a.queue <- appended{body, done}
		err = <-done
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
