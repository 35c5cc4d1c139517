// Package demo is rollcall to try out: one process on loopback, nothing to set
// up, no network.
//
// A [Demo] is the world around the service: a local Slack, a small GitHub and
// Jira, a repository with a web shop, and the shop itself as it is deployed.
// They are mounted on the service's own port; requests between them are signed
// as they are outside. The service that they speak to is the real one.
//
// The *visitor* is Ana. A *colleague* is played: Ben looks at every gate and
// approves. The *story* is what the visitor should do next and what has just
// happened; it is derived from what the engine has committed and from what is
// deployed, never remembered, so that the process may be killed at any moment.
//
// Everything lives in one folder. Nothing outside of it is written, and no git
// configuration of the user is read.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Options say where the demo lives and what it plays.
type Options struct {
	Data   string // the folder; empty: .rollcall-demo here, or one below it for a File
	Listen string // a loopback address and port
	File   string // a pipeline file to play instead of the web shop; empty: the shop
	AWS    bool   // play two pipelines that stay in a local AWS instead of the web shop
	Log    *slog.Logger
	// Beat is how long a simulated action and a colleague's look take, more or less; 0: 1.5 s.
	Beat time.Duration
	// Again replaces the process by a new one with these arguments; it returns only an error.
	Again func(args []string) error
}

// Engine is what the demo reads of the service.
type Engine interface {
	Executions(ctx context.Context, viewer workflows.Principal, q record.Query) ([]workflows.Execution, error)
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
	Approvals(ctx context.Context, viewer workflows.Principal) ([]say.OpenApproval, error)
	ClockMoved()
	Feed(ctx context.Context, viewer workflows.Principal, after uint64, limit int) ([]event.Frame, error)
}

// Demo is the world around one service.
type Demo struct {
	o        Options
	log      *slog.Logger
	place    *dataDir
	listener net.Listener
	addr     string        // host:port
	play     *pipelineFile // the person's own pipeline; nil: the shop
	shop     *shop         // nil with a pipeline of one's own, and with AWS
	cloud    *cloud        // nil without AWS

	slack  *slackfake.Server
	github *githubfake.Server
	jira   *jirafake.Server
	kept   []*persisted

	engine  atomic.Pointer[Engine]
	beats   notifier // tells pages that something is new
	told    narrator
	dying   sync.Mutex // held while the process is replaced
	pushing sync.Mutex
	visited atomic.Bool // a page has connected
}

// Open prepares the folder and takes the address. Its errors are sentences for people.
func Open(ctx context.Context, o Options) (*Demo, error) {
	if o.Beat == 0 {
		o.Beat = 1500 * time.Millisecond
	}
	for _, program := range o.programs() {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("there is no %s in PATH, and the demo needs it", program)
		}
	}
	if err := loopback(o.Listen); err != nil {
		return nil, err
	}
	d := &Demo{o: o, log: o.Log, told: narrator{many: o.AWS}}
	if o.File != "" && o.AWS {
		return nil, errors.New("a pipeline file and --aws are two demos: choose one of them")
	}
	if o.File != "" {
		var err error
		if d.play, err = readPipelineFile(o.File); err != nil {
			return nil, err
		}
	}
	if d.play != nil {
		d.play.runner.beat, d.play.runner.fails = d.beat, d.failNow
	}
	if err := d.prepare(ctx); err != nil {
		return nil, errors.Join(err, d.leave())
	}
	return d, nil
}

// programs are those that the demo needs.
func (o *Options) programs() []string {
	if o.AWS {
		return nil
	}
	return []string{"git", "sh"}
}

// prepare takes the folder and the address, and lays everything out.
func (d *Demo) prepare(ctx context.Context) (err error) {
	if d.place, err = openDataDir(d.o); err != nil {
		return err
	}
	if d.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", d.o.Listen); err != nil {
		return fmt.Errorf("%s is taken, perhaps by another demo: stop that one, or choose another address with --listen 127.0.0.1:PORT", d.o.Listen)
	}
	d.addr = d.listener.Addr().String()
	if err := d.place.opened(d.addr); err != nil {
		return err
	}
	switch {
	case d.o.AWS:
		d.cloud = openCloud(d.o.Beat)
	case d.play == nil:
		if d.shop, err = openShop(ctx, d.place); err != nil {
			return err
		}
	}
	if err := d.openFakes(); err != nil {
		return err
	}
	return d.configure()
}

// Address is where the demo's page is, with the key that lets a browser in.
func (d *Demo) Address() string { return "http://" + d.addr + "/?key=" + d.place.note.Key }

// Welcome says how the demo is stopped, where its data lies, and how the command
// line speaks to it, for the terminal on which it was started.
func (d *Demo) Welcome() string {
	n := d.place.known()
	return fmt.Sprintf("Stop the demo with Ctrl-C; it goes on next time where it was. All it keeps is in %s\nIn another terminal: ROLLCALL_URL=http://%s ROLLCALL_TOKEN=%s rollcall status\n", d.place.dir, d.addr, n.Terminal)
}

// Listener is where the service must serve.
func (d *Demo) Listener() net.Listener { return d.listener }

// Run plays everybody but the visitor, until ctx ends.
func (d *Demo) Run(ctx context.Context, e Engine) error {
	d.engine.Store(&e)
	var all sync.WaitGroup
	colleagues := d.playColleagues
	if d.cloud != nil {
		colleagues = d.playCloud
	}
	for _, part := range []func(context.Context, Engine){d.watch, d.refreshRegularly, colleagues, d.saveRegularly} {
		all.Go(func() { part(ctx, e) })
	}
	all.Wait()
	return nil
}

// Close ends what Open began, once the service has ended: it waits for
// commands that still run, and says so, so that nothing is left behind.
func (d *Demo) Close(say io.Writer) error {
	if len(d.place.runningCommands()) > 0 {
		fmt.Fprintln(say, "waiting for what is being deployed")
	}
	d.place.stopCommands(mayFinish)
	err := d.save()
	d.slack.Close()
	return errors.Join(err, d.leave())
}

func (d *Demo) leave() error {
	var errs []error
	if d.listener != nil {
		if err := d.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if d.place != nil {
		errs = append(errs, d.place.leave())
	}
	return errors.Join(errs...)
}

// loopback refuses every address that others could reach.
func loopback(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("the demo listens on this machine only: %q is no loopback address with a port, as 127.0.0.1:8484 is", listen)
	}
	return nil
}

// openFakes makes the local Slack, GitHub and Jira, as they were when the demo was last here.
func (d *Demo) openFakes() error {
	n, base, team := d.place.note, "http://"+d.addr, "Tea & Time"
	if d.play != nil {
		team = "Your team"
	}
	d.slack = slackfake.New(slackfake.Options{Team: "T0TEA", TeamName: team, BotToken: n.BotToken, SigningSecret: n.Signing,
		Shortcuts: shortcuts(), BaseURL: base, PublicURL: base + slackMount, Transport: http.DefaultTransport, Log: d.log})
	d.github = githubfake.New(githubfake.Options{Token: n.GitHub, WebhookURL: base + "/github/webhook", Secret: n.Hook})
	d.jira = jirafake.New(jirafake.Options{User: jiraUser, Token: n.Jira, Projects: []string{"SHOP"}})
	return d.restore()
}
