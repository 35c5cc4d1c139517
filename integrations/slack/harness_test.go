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

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/workspace"
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
	broken   error         // what Accept answers
	gate     chan struct{} // when set, Accept waits for it
}

func (b *inbox) Accept(ctx context.Context, r work.Receipt) (work.Receipt, bool, error) {
	if b.gate != nil {
		select {
		case <-b.gate:
		case <-ctx.Done():
			return work.Receipt{}, false, ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return work.Receipt{}, false, b.broken
	}
	for _, old := range b.receipts {
		if old.Key == r.Key {
			return old, false, nil
		}
	}
	b.receipts = append(b.receipts, r)
	return r, true, nil
}

func (b *inbox) Finish(_ context.Context, key string, result []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.receipts {
		if b.receipts[i].Key == key {
			b.receipts[i].Done, b.receipts[i].Result = true, result
			return nil
		}
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
	*workspace.Workspace
	client   *slack.Client
	receiver *slack.Receiver
	handler  http.Handler
	inbox    *inbox
	bot      *robot
	log      *logbook
	ana, ben workspace.User
	deploys  workspace.Channel
	stop     func() // ends Run and waits for it
}

// newDesk does not run the receiver yet.
func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{inbox: &inbox{}, bot: &robot{handled: make(chan bot.Request, 100)}, log: &logbook{}}
	toApp := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(rw, r) })
	d.Workspace = workspace.New(workspace.Options{BaseURL: "http://rollcall.test", BotToken: botToken, AppToken: appToken, SigningSecret: signingSecret, Transport: workspace.Direct(toApp)})
	d.Grant(names()...) // what the manifest asks for must be enough for everything here
	d.ana = d.AddUser(workspace.User{Name: "ana", Email: "ana@acme.example"})
	d.ben = d.AddUser(workspace.User{Name: "ben", Email: "ben@acme.example"})
	d.deploys = d.AddChannel(workspace.Channel{Name: "deploys"})
	d.connect()
	return d
}

// connect is a fresh start of the process: only the inbox is as before.
func (d *desk) connect() {
	d.client = slack.New(slack.Options{
		APIURL: "http://slack.test/api", BotToken: botToken, SigningSecret: signingSecret, Transport: workspace.Direct(d.Workspace),
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

// command lets somebody type a command; the acknowledgement must come within a second.
func (d *desk) command(t *testing.T, user workspace.User, text string) {
	t.Helper()
	start := time.Now()
	if _, err := d.Command(t.Context(), user.ID, "deploys", text); err != nil {
		t.Fatal("the command was not acknowledged:", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("the acknowledgement took %v", took)
	}
}

// next is the next request that the bot is handed.
func (d *desk) next(t *testing.T) bot.Request {
	t.Helper()
	select {
	case r := <-d.bot.handled:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("the bot is handed nothing", d.log)
		return bot.Request{}
	}
}

// receiverWithout is the handler of a receiver that has no signing secret.
func receiverWithout(d *desk) http.Handler {
	return slack.New(slack.Options{BotToken: botToken, Transport: workspace.Direct(d.Workspace)}).Receive(d.inbox, d.bot).Handler()
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
