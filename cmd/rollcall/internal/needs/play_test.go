package needs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws"
	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/publish"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// world is what a run of an example left.
type world struct {
	ended workflows.Status // of the execution
	wrong string           // what went otherwise than the scenario says
	log   string           // of the service and of the actions
	row   []byte           // the execution and the pipeline, as people see them
}

var (
	ana = workflows.Principal{ID: "slack:U1", Name: "Ana", Email: "ana@acme.example", Via: "slack"}
	ben = workflows.Principal{ID: "slack:U2", Name: "Ben", Email: "ben@acme.example", Via: "slack"}
	dee = workflows.Principal{ID: "slack:U3", Name: "Dee", Email: "dee@acme.example", Via: "slack"}
)

// play runs an example to its end in virtual time: the engine on a file, the runners,
// sources and artifacts of AWS, over a fake of AWS whose IAM grants what grant says.
// broken is the step that fails; empty: none.
func play(t *testing.T, x *example, broken string, grant func(*awsfake.Server) error) *world {
	t.Helper()
	w := &world{}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		fake := awsfake.New(awsfake.Options{Now: time.Now})
		fake.Roles(awsfake.Role{ARN: service})
		store := awsfake.At[*s3.Service](fake, account, region)
		for _, one := range x.in.Stores {
			store.Create(s3.Bucket{Name: one.Bucket, Owner: account, Region: one.Region, Shared: true})
		}
		store.Put(storeIn(region).Bucket, orphan, []byte("of a pipeline that is gone"))
		f := furnish(x.p, fake, x.in, broken)
		if err := grant(fake); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // what is there is older than what runs
		e := open(t, dir, x, f)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := e.engine.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		<-e.engine.Ready()
		e.story(t, w, broken)
		cancel()
		running.Wait()
		w.log = e.log.String() + w.log
		if err := e.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// orphan is an artifact that nothing needs.
const orphan = "rollcall/gone/app/0000000000000000000000000000000000000000000000000000000000000000.zip"

// alone takes the settings of the machine away.
func alone(t *testing.T) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
}

// opened is a service.
type opened struct {
	engine *runtime.Engine
	aws    *aws.AWS
	db     *store.DB
	disk   *files.Files
	log    *logged
	p      *workflows.Pipeline
}

func open(t *testing.T, dir string, x *example, f *shop) *opened {
	t.Helper()
	log := &logged{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	roles := map[string]accounts.Role{}
	for arn := range x.in.Roles {
		roles[arn] = accounts.Role{ExternalID: externalID, SourceIdentity: true}
	}
	kept := &artifacts.Options{Prefix: "rollcall", Region: region, Account: account, Regions: map[string]artifacts.Bucket{}}
	for _, s := range x.in.Stores {
		kept.Regions[s.Region] = artifacts.Bucket{Name: s.Bucket, KMSKey: s.Key}
	}
	kept.Bucket = kept.Regions[region]
	delete(kept.Regions, region)
	cloud := aws.Open(aws.Options{CommandsOn: commandsOn, Log: logger, Artifacts: kept,
		Accounts: accounts.Options{Region: region, RoleARN: service, Roles: roles, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(f.aws) }}})
	disk, err := files.Open(dir, files.Options{Artifacts: cloud.Artifacts()})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(filepath.Join(dir, "rollcall.db"), store.Options{NoSync: true, MapSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	checkout := source{f}
	runners := map[string]runtime.Runner{"Git": checkout, "GitHub": checkout, "CodeStarSourceConnection": checkout}
	for kind, r := range cloud.Runners() {
		runners[kind] = r
	}
	sources := map[string]runtime.Source{}
	for provider, s := range cloud.Sources() {
		sources[provider] = s
	}
	groups := map[string][]string{}
	for _, s := range x.p.Stages {
		for _, a := range s.Actions {
			for i := 0; a.Approval != nil && i < len(a.Approval.From); i++ {
				if name, ok := strings.CutPrefix(a.Approval.From[i], "group:"); ok {
					groups[name] = []string{ana.Email, ben.Email}
				}
			}
		}
	}
	e, err := runtime.New(runtime.Options{Store: db, History: db, Inbox: db, Memos: db, Runs: disk, Objects: disk, Runners: runners, Sources: sources, Log: logger,
		Policy: &access.Policy{Admins: []string{ana.Email, ben.Email, dee.Email}, Groups: groups}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range cloud.Followers(publish.Options{Metrics: namespace, Bus: "default", Approvals: true, RoleARN: service, Reader: e, Notes: func(follower string) publish.Notes { return e.MemosOf(follower) }, Log: logger}) {
		e.AddFollower(f)
	}
	return &opened{e, cloud, db, disk, log, x.p}
}

// story starts the pipeline, approves what waits, and looks at what came of it.
func (e *opened) story(t *testing.T, w *world, broken string) {
	t.Helper()
	ctx := t.Context()
	if _, err := e.engine.Submit(ctx, workflows.Intent{Verb: workflows.Edit, Pipeline: e.p.Name, NewDefinition: e.p, ManagedBy: "api"}, workflows.EnginePrincipal()); err != nil {
		t.Fatal(err)
	}
	begun, err := e.engine.Submit(ctx, workflows.Intent{Verb: workflows.Start, Pipeline: e.p.Name}, dee)
	if err != nil {
		t.Fatal(err)
	}
	id := begun.Execution.ID
	want := map[bool]workflows.Status{true: workflows.StatusSucceeded, false: workflows.StatusFailed}[broken == ""]
	stop, stops := strings.CutPrefix(broken, stopped)
	pause := 20 * time.Second
	if stops {
		want, pause = workflows.StatusStopped, 2*time.Second
	}
	for began := time.Now(); time.Since(began) < longest; time.Sleep(max(pause, min(5*time.Minute, time.Since(began)/20))) {
		row, err := e.engine.Execution(ctx, ana, id)
		if err != nil {
			t.Fatal(err)
		}
		if w.ended = row.Status; row.EndedAt != nil {
			break
		}
		if stops && runs(&row, stop) {
			_, _ = e.engine.Submit(ctx, workflows.Intent{Verb: workflows.StopExecution, Execution: id}, ana) // it may be over already
			pause = 20 * time.Second
		}
		for _, who := range []workflows.Principal{ana, ben} {
			if waits(&row) {
				_, _ = e.engine.Submit(ctx, workflows.Intent{Verb: workflows.Approve, Execution: id, Reason: "tested"}, who) // one may be enough
			}
		}
	}
	if w.ended != want && !(stops && w.ended == workflows.StatusSucceeded) { // an action may be too quick to be stopped
		w.wrong = "it ended " + string(w.ended)
	}
	time.Sleep(2 * time.Minute) // alarms are watched
	if err := e.tidy(ctx); err != nil {
		w.wrong, w.log = err.Error(), w.log+err.Error()+"\n"
	}
	row, err := e.engine.Execution(ctx, ana, id)
	if err != nil {
		t.Fatal(err)
	}
	view, err := e.engine.Pipeline(ctx, ana, e.p.Name, 0)
	if err != nil {
		t.Fatal(err)
	}
	if w.row, err = json.Marshal([]any{row, view}); err != nil {
		t.Fatal(err)
	}
	w.log += e.logs(&row)
}

// waits says whether an execution waits for approvals.
func waits(row *workflows.Execution) bool {
	return slices.ContainsFunc(row.Stages, func(s workflows.StageExecution) bool {
		return slices.ContainsFunc(s.Actions, func(a workflows.ActionExecution) bool {
			return a.Status == workflows.StatusInProgress && a.Provider == "Manual"
		})
	})
}

// runs says whether a step is under way in AWS.
func runs(row *workflows.Execution, step string) bool {
	stage, name, _ := strings.Cut(step, "/")
	s, ok := row.Stage(stage)
	if !ok {
		return false
	}
	a, ok := s.Action(name)
	return ok && a.Status == workflows.StatusInProgress && a.ExternalID != ""
}

// tidy removes from the artifacts what nothing needs, as retention does.
func (e *opened) tidy(ctx context.Context) error {
	all, err := e.aws.Artifacts().List(ctx)
	if err != nil {
		return err
	}
	for _, one := range all {
		if strings.HasSuffix(one.Name, orphan) {
			if removed, err := e.aws.Artifacts().Remove(ctx, one.Name, time.Now()); err != nil || !removed {
				return fmt.Errorf("the orphan: removed %v, %w", removed, err)
			}
			return nil
		}
	}
	return fmt.Errorf("the orphan is not among %v", all)
}

func (e *opened) logs(row *workflows.Execution) string {
	var all strings.Builder
	for _, s := range row.Stages {
		for _, a := range s.AllActions() {
			file, err := e.disk.OpenLog(row.ID, s.Name, a.Name, a.Attempt)
			if err != nil {
				continue // it has none
			}
			_, _ = io.Copy(&all, file)
			_ = file.Close()
		}
	}
	return all.String()
}

var inWords = regexp.MustCompile(`lacks ([a-z0-9]+:\w+) on (\S+)|not authorized to perform: ([a-z0-9-]+:\w+) on resource: (\S+)`)

// lacks are the rights of which something says that they are missing: statements of
// findings, and words in errors and logs.
func (w *world) lacks() (all []right) {
	var row any
	_ = json.Unmarshal(w.row, &row) // it was made as JSON
	collect := func(text string) {
		for _, m := range inWords.FindAllStringSubmatch(text, -1) {
			all = append(all, right{m[1] + m[3], strings.Trim(m[2]+m[4], `"\,.;`)})
		}
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			collect(v)
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			if actions, ok := v["Action"].([]any); ok && len(actions) > 0 && v["Resource"] != nil {
				all = append(all, right{fmt.Sprint(actions[0]), fmt.Sprint(v["Resource"])})
			}
			for _, one := range v {
				walk(one)
			}
		}
	}
	walk(row)
	collect(w.log)
	slices.SortFunc(all, func(a, b right) int { return strings.Compare(a.action+a.resource, b.action+b.resource) })
	return slices.Compact(all)
}

// source checks out what the shop has for its artifacts.
type source struct{ shop *shop }

// Start implements runtime.Runner.
func (s source) Start(_ context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	o := work.Outcome{State: work.Succeeded, Revision: &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: strings.Repeat("4f2a9c1e5b", 4)}, Outputs: map[string]string{"CommitId": strings.Repeat("4f2a9c1e5b", 4)}}
	for _, out := range t.Action.OutputArtifacts {
		dir := filepath.Join(w.Dir(), out.Name)
		for path, content := range s.shop.of(out.Name) {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
				return o, err
			}
			if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
				return o, err
			}
		}
		one, err := w.Pack(out.Name, dir, nil)
		if err != nil {
			return work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ActionFailed", Message: err.Error()}}, nil
		}
		o.Artifacts = append(o.Artifacts, one)
	}
	return o, nil
}

// Poll implements runtime.Runner.
func (source) Poll(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Succeeded}, nil
}

// Cancel implements runtime.Runner.
func (source) Cancel(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Cancelled}, nil
}

// logged is a log that several goroutines write.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

func (l *logged) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }
