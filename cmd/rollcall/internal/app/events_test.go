package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// eventful is a service that starts pipelines by events of AWS, and its restarts.
type eventful struct {
	t     *testing.T
	cloud *awsfake.Server
	queue string
	dir   string
	log   *log
	app   *App
	stop  func()
}

func newEventful(t *testing.T) *eventful {
	for _, kv := range []string{"AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=a-secret-of-the-test", "AWS_EC2_METADATA_DISABLED=true"} {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	w := &eventful{t: t, cloud: awsfake.New(awsfake.Options{Now: time.Now}), dir: t.TempDir(), log: &log{}}
	server := httptest.NewServer(w.cloud)
	t.Cleanup(server.Close)
	w.queue = w.cloud.Queue("111122223333", "eu-west-1", "rollcall")
	w.write("rollcall.yaml", fmt.Sprintf("admins: [ana@acme.example]\nlisten: 127.0.0.1:0\naws: {region: eu-west-1, endpointURL: %q, events: {queueURL: %q}, artifacts: {bucket: acme-art, account: \"111122223333\"}}\n", server.URL, w.queue))
	for name, triggers := range map[string]string{"quiet": "[]", "waits": `[{event: {source: [acme.registry], detail: {tag: [{prefix: v}]}}, variables: {TAG: $.detail.tag}}]`} {
		w.write("pipelines/"+name+".yaml", `name: `+name+`
variables: [{name: TAG, defaultValue: none}]
triggers: `+triggers+`
stages:
- name: Source
  actions: [{name: Drop, provider: S3, configuration: {S3Bucket: acme-drop, S3ObjectKey: `+name+`.zip, PollForSourceChanges: "false"}, outputArtifacts: [app]}]
- name: Rest
  actions: [{name: Pause, provider: Wait, configuration: {seconds: "0"}}]
`)
	}
	return w
}

func (w *eventful) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// start is a start of the service.
func (w *eventful) start() {
	w.t.Helper()
	c, err := config.Load(filepath.Join(w.dir, "rollcall.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	if w.app, err = New(c, slog.New(slog.NewTextHandler(w.log, nil)), Extras{}); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.app.Run(ctx, w.log) }()
	w.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	}
	<-w.app.engine.Ready()
}

func (w *eventful) send(bodies ...string) {
	for _, body := range bodies {
		w.cloud.Send(w.queue, body)
	}
}

// idle waits until the queue is empty.
func (w *eventful) idle(what string) {
	w.t.Helper()
	awaited(w.t, w.cloud, what, func() bool { return w.cloud.Messages(w.queue) == 0 })
}

// started are the executions of a pipeline, newest first.
func (w *eventful) started(pipeline string) []workflows.Execution {
	w.t.Helper()
	all, err := w.app.engine.Executions(w.t.Context(), workflows.EnginePrincipal(), record.Query{Pipeline: pipeline, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// A new object and an event of a registry start their pipelines, each once, whatever
// else is in the queue, however often they come, and across restarts of the service.
func TestEventsOfAWSStartPipelines(t *testing.T) {
	w := newEventful(t)
	drop := awsfake.At[*s3.Service](w.cloud, "111122223333", "eu-west-1")
	drop.Create(s3.Bucket{Name: "acme-drop", Owner: "111122223333", Region: "eu-west-1"})
	drop.Create(s3.Bucket{Name: "acme-art", Owner: "111122223333", Region: "eu-west-1"})
	drop.Put("acme-drop", "quiet.zip", []byte("1"))
	drop.Put("acme-drop", "waits.zip", []byte("1"))
	const created = `{"id":"o%d","source":"aws.s3","detail-type":"Object Created","account":"111122223333","region":"eu-west-1","detail":{"bucket":{"name":"acme-drop"},"object":{"key":"quiet.zip"}}}`
	const released = `{"id":"r%d","source":"acme.registry","detail-type":"Image released","account":"111122223333","region":"eu-west-1","detail":{"tag":"v%d"}}`
	w.start()
	awaited(t, w.cloud, "the first look", func() bool { return w.looks() >= 2 })
	w.send(fmt.Sprintf(created, 0), "poison", `{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{}}`)
	w.idle("the end of what starts nothing")
	if n := len(w.started("quiet")) + len(w.started("waits")); n != 0 {
		t.Fatalf("%d executions before anything happened", n)
	}
	version := drop.Put("acme-drop", "quiet.zip", []byte("2"))
	w.cloud.Faults(awsfake.Fault{Operation: "sqs:ReceiveMessage", Trouble: awsfake.Throttle, Times: 1})
	w.send(fmt.Sprintf(created, 2), fmt.Sprintf(released, 2, 2), fmt.Sprintf(created, 1), fmt.Sprintf(released, 1, 1), fmt.Sprintf(created, 2), fmt.Sprintf(released, 2, 2))
	awaited(t, w.cloud, "the executions", func() bool { return len(w.started("quiet")) == 1 && len(w.started("waits")) == 2 })
	w.idle("the end of the queue")
	w.stop()
	w.send(fmt.Sprintf(created, 3), fmt.Sprintf(released, 1, 1), fmt.Sprintf(released, 3, 3)) // nobody is there
	w.start()
	w.idle("the end of what came meanwhile")
	awaited(t, w.cloud, "the execution of what came meanwhile", func() bool { return len(w.started("waits")) == 3 })
	quiet, waits := w.started("quiet"), w.started("waits")
	if len(quiet) != 1 || quiet[0].Trigger.Type != "CloudWatchEvent" || quiet[0].SourceRevisions[0].RevisionID != version {
		t.Errorf("%d executions of quiet: %+v", len(quiet), quiet)
	}
	tags := map[string]int{}
	for _, x := range waits {
		tags[x.Variables["TAG"]]++
	}
	if len(waits) != 3 || tags["v1"] != 1 || tags["v2"] != 1 || tags["v3"] != 1 {
		t.Errorf("%d executions of waits, by %v", len(waits), tags)
	}
	w.stop()
}

// looks is how often the sources in S3 were looked at.
func (w *eventful) looks() (n int) {
	for _, c := range w.cloud.Calls() {
		if c.Operation == "HeadObject" {
			n++
		}
	}
	return n
}
