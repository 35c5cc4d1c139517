package slack_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	botToken      = "xoxb-very-secret"
	appToken      = "xapp-very-secret"
	signingSecret = "signing-very-secret"
)

// inbox keeps receipts in memory, in the order they came.
type inbox struct {
	mu       sync.Mutex
	receipts []work.Receipt
	at       map[string]int // key -> place among them
	broken   error          // what Accept answers
	gate     chan struct{}  // when set, Accept waits for it
	slow     time.Duration  // how long Accept takes
	deaf     bool           // Accept waits for the gate whatever its context says
}

func (b *inbox) Accept(ctx context.Context, r work.Receipt) (work.Receipt, bool, error) {
	if b.deaf {
		<-b.gate
	} else if b.gate != nil {
		select {
		case <-b.gate:
		case <-ctx.Done():
			return work.Receipt{}, false, ctx.Err()
		}
	}
	if b.slow > 0 {
		<-time.After(b.slow)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return work.Receipt{}, false, b.broken
	}
	if at, known := b.at[r.Key]; known {
		return b.receipts[at], false, nil
	}
	if b.at == nil {
		b.at = map[string]int{}
	}
	b.at[r.Key] = len(b.receipts)
	b.receipts = append(b.receipts, r)
	return r, true, nil
}

func (b *inbox) Finish(_ context.Context, key string, result []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, known := b.at[key]
	if !known { // one that a test put there
		i = slices.IndexFunc(b.receipts, func(r work.Receipt) bool { return r.Key == key })
	}
	if i >= 0 {
		b.receipts[i].Done, b.receipts[i].Result = true, result
		return nil
	}
	return errors.New("finished what was never accepted")
}

func (b *inbox) Pending(_ context.Context, source string) ([]work.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.receipts), func(r work.Receipt) bool { return r.Done || r.Source != source }), nil
}

func (b *inbox) count() (all, open int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.receipts {
		if !r.Done {
			open++
		}
	}
	return len(b.receipts), open
}

// robot is the bot: it keeps what it is handed and does what the test says.
type robot struct {
	handled chan bot.Request
	handle  func(ctx context.Context, r bot.Request) error
	answer  func(r bot.Request) any
}

func (b *robot) Handle(ctx context.Context, r bot.Request) error {
	var err error
	if b.handle != nil {
		err = b.handle(ctx, r)
	}
	b.handled <- r
	return err
}

func (b *robot) Answer(r bot.Request) any {
	if b.answer == nil {
		return nil
	}
	return b.answer(r)
}

func (b *robot) Suggest(_ context.Context, r bot.Request) (goslack.OptionsResponse, error) {
	o, _ := b.Answer(r).(goslack.OptionsResponse)
	return o, nil
}

// logbook is a log that may be read while it is written.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// desk is rollcall's Slack side and a workspace around it, in one process and without sockets.
type desk struct {
	*slackfake.Server
	client   *slack.Client
	receiver *slack.Receiver
	handler  http.Handler
	inbox    *inbox
	bot      *robot
	log      *logbook
	ana, ben slackfake.User
	deploys  slackfake.Channel
	stop     func() // ends Run and waits for it
}

// newDesk does not run the receiver yet.
func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{inbox: &inbox{}, bot: &robot{handled: make(chan bot.Request, 100)}, log: &logbook{}}
	toApp := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(rw, r) })
	d.Server = slackfake.New(slackfake.Options{BaseURL: "http://rollcall.test", BotToken: botToken, AppToken: appToken, SigningSecret: signingSecret, Transport: wirefake.Direct(toApp)})
	d.Grant(names()...) // what the manifest asks for must be enough for everything here
	d.ana = d.AddUser(slackfake.User{Name: "ana", Email: "ana@acme.example"})
	d.ben = d.AddUser(slackfake.User{Name: "ben", Email: "ben@acme.example"})
	d.deploys = d.AddChannel(slackfake.Channel{Name: "deploys"})
	d.connect()
	return d
}

// connect is a fresh start of the process: only the inbox is as before.
func (d *desk) connect() {
	d.client = slack.New(slack.Options{
		APIURL: "http://slack.test/api", BotToken: botToken, SigningSecret: signingSecret, Transport: wirefake.Direct(d.Server),
		Log: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	d.receiver = d.client.Receive(d.inbox, d.bot)
	d.handler = d.receiver.Handler()
}

// run starts the receiver and waits until it knows its workspace.
func (d *desk) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.receiver.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error("the receiver ended with", err)
		}
	})
	if _, err := d.client.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// office runs a desk for a test inside a synctest bubble.
func office(t *testing.T) (d *desk, leave func()) {
	t.Helper()
	d = newDesk(t)
	d.run(t)
	return d, func() {
		d.stop()
		d.Close()
	}
}

// command lets somebody type a command; Slack waits three seconds for the acknowledgement.
func (d *desk) command(t *testing.T, user slackfake.User, text string) {
	t.Helper()
	start := time.Now()
	if _, err := d.Command(t.Context(), user.ID, "deploys", text); err != nil {
		t.Fatal("the command was not acknowledged:", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("the acknowledgement took %v", took)
	}
}

// next is the next request that the bot is handed.
func (d *desk) next(t *testing.T) bot.Request {
	t.Helper()
	select {
	case r := <-d.bot.handled:
		return r
	case <-time.After(time.Minute):
		t.Fatal("the bot is handed nothing", d.log)
		return bot.Request{}
	}
}

// receiverWithout is the handler of a receiver that has no signing secret.
func receiverWithout(d *desk) http.Handler {
	return slack.New(slack.Options{BotToken: botToken, Transport: wirefake.Direct(d.Server)}).Receive(d.inbox, d.bot).Handler()
}

// elsewhere sends one path to another server.
type elsewhere struct{ path, server string }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == e.path {
		to, err := url.Parse(e.server)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.URL.Host, r.Host = to.Host, to.Host
	}
	return http.DefaultTransport.RoundTrip(r)
}
