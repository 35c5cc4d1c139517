// Package runnertest runs kinds of action against the fake of AWS, in virtual time,
// as the engine would: after a lost answer it looks the start up, after a refusal
// it asks again, and it may restart between any two calls.
package runnertest

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Where actions of tests work, and as whom.
const (
	Account = "111122223333"
	Region  = "eu-west-1"
	Role    = "arn:aws:iam::111122223333:role/shop-pipeline"
	Bucket  = "acme-art"
)

// World is an AWS, and what carries out one kind of action in it.
type World struct {
	T    *testing.T
	AWS  *awsfake.Server
	Kind runner.Kind
	// Files are those of input artifacts that no service reads from S3: by artifact, then by path.
	Files map[string]map[string]string
	// S3 holds the artifacts of [World.Input], in [Bucket].
	S3 *s3.Service
	// Restart has a new process begin before every call of the runner.
	Restart bool
	// Workspace is that of the newest task.
	Workspace *Workspace

	accounts *accounts.Accounts
	runner   *runner.Runner
	inputs   map[string]workflows.Artifact
	given    *work.Task // of a case
	pause    time.Duration
	errors   []string // of calls of the runner
}

// In runs a test against a world of its own, in a bubble of virtual time.
func In(t *testing.T, kind runner.Kind, test func(w *World)) {
	t.Helper()
	alone(t)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &World{T: t, AWS: awsfake.New(awsfake.Options{Now: time.Now}), Kind: kind, Files: map[string]map[string]string{}, inputs: map[string]workflows.Artifact{}, Workspace: &Workspace{Root: dir}}
		w.Workspace.files = w.Files
		w.AWS.Roles(awsfake.Role{ARN: Role})
		w.S3 = awsfake.At[*s3.Service](w.AWS, Account, Region)
		w.S3.Create(s3.Bucket{Name: Bucket, Owner: Account, Region: Region})
		w.open()
		test(w)
	})
}

// alone takes the settings of the machine away.
func alone(t *testing.T) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
}

// open is what a start of the service does.
func (w *World) open() {
	w.accounts = accounts.Open(accounts.Options{Region: Region, Calls: 1000, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(w.AWS) }})
	w.runner = runner.New(runner.Options{Accounts: w.accounts, Objects: objects{w, artifacts.Open(artifacts.Options{Bucket: artifacts.Bucket{Name: Bucket}, Region: Region, Account: Account, Accounts: w.accounts})}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}).Runner(w.Kind)
}

// Input stores an artifact of these files, for tasks to read.
func (w *World) Input(name string, files map[string]string) {
	w.T.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f, err := z.Create(path)
		if err == nil {
			_, err = f.Write([]byte(files[path]))
		}
		if err != nil {
			w.T.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		w.T.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	o := artifacts.Object{Bucket: Bucket, Key: "webshop/" + name + "/" + hex.EncodeToString(sum[:]) + ".zip", Digest: hex.EncodeToString(sum[:]), Size: int64(b.Len())}
	o.Version = versionOf(w.S3.Put(Bucket, o.Key, b.Bytes()))
	w.inputs[name] = workflows.Artifact{Name: name, Digest: o.Digest, Size: o.Size, At: o.At()}
}

// Task is a task of an action of the world's kind with this configuration, due
// within the kind's time limit.
func (w *World) Task(configuration map[string]string, inputs ...string) work.Task {
	a := workflows.Action{Name: "Act", ActionType: workflows.ActionType{Category: w.Kind.Category, Owner: "AWS", Provider: w.Kind.Provider, Version: "1"}, Configuration: configuration, InputArtifacts: inputs}
	t := work.Task{ID: "019cadfd-8900-7744-98aa-2786dd0d8946/Stage/Act/1", Kind: work.Start, Pipeline: "webshop", Execution: "019cadfd-8900-7744-98aa-2786dd0d8946", Number: 42, Stage: "Stage", Attempt: 1,
		Action: a, Configuration: configuration, PipelineRole: Role, Deadline: time.Now().Add(a.TimeLimit())}
	for _, name := range inputs {
		input, stored := w.inputs[name]
		if !stored {
			input = workflows.Artifact{Name: name, Digest: strings.Repeat("a", 64), Size: 1, At: "s3://" + Bucket + "/" + name}
		}
		t.Inputs = append(t.Inputs, input)
	}
	return t
}

// Run carries a task out to its end. What is not over at the deadline has timed
// out, as the engine says it.
func (w *World) Run(t work.Task) work.Outcome { return w.until(t, time.Time{}) }

// Begin starts a task, and says what that was answered with.
func (w *World) Begin(t work.Task) (work.Outcome, error) { return w.call(t, false, false) }

// Check asks what doctor asks about a task's action, as the action's role.
func (w *World) Check(t work.Task) error {
	w.T.Helper()
	c, err := w.accounts.Config(w.T.Context(), accounts.Place{Roles: []string{t.PipelineRole}, Region: Region})
	if err != nil {
		w.T.Fatal(err)
	}
	return w.Kind.Check(w.T.Context(), c, &t.Action)
}

// Pass lets time go by.
func (w *World) Pass(d time.Duration) { time.Sleep(d) }

// Late is Run of a service that is away for that long after a call that failed.
func (w *World) Late(t work.Task, pause time.Duration) work.Outcome {
	w.pause = pause
	return w.until(t, time.Time{})
}

// Stop cancels the task after that time, and says how the cancel was answered.
func (w *World) Stop(t work.Task, after time.Duration) work.Outcome {
	return w.until(t, time.Now().Add(after))
}

// cancelTime is how long the engine tries to cancel.
const cancelTime = time.Minute

func (w *World) until(t work.Task, stop time.Time) work.Outcome {
	w.T.Helper()
	began, failures := false, 0
	for {
		if w.Restart {
			w.open()
		}
		stopping := !stop.IsZero() && !time.Now().Before(stop)
		o, err := w.call(t, began, stopping)
		began = true
		if err != nil {
			w.errors = append(w.errors, err.Error())
		}
		switch pause := o.PollAfter; {
		case stopping && err != nil && time.Since(stop) > cancelTime:
			return work.Outcome{State: work.Cancelled, Summary: "nobody knows: " + err.Error()}
		case err != nil && time.Now().After(t.Deadline):
			return work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ActionTimedOut", Message: err.Error()}}
		case err != nil:
			time.Sleep(max(work.Backoff(failures), w.pause))
			w.pause = 0
			failures++
		case o.State != work.Running:
			return o
		case time.Now().After(t.Deadline):
			return work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ActionTimedOut", Message: "the deadline has passed"}}
		default:
			if failures = 0; pause <= 0 {
				w.T.Fatalf("a running outcome does not say when to look again: %+v", o)
			}
			if !stop.IsZero() && !stopping {
				pause = min(pause, time.Until(stop))
			}
			t.Handle = o.Handle
			time.Sleep(pause)
		}
	}
}

// call asks the runner once, as the engine does.
func (w *World) call(t work.Task, began, stopping bool) (work.Outcome, error) {
	ctx, cancel := context.WithTimeout(w.T.Context(), 5*time.Minute)
	defer cancel()
	switch {
	case stopping:
		t.Kind = work.Cancel
		return w.runner.Cancel(ctx, t, w.Workspace)
	case t.Handle != "":
		t.Kind = work.Poll
		return w.runner.Poll(ctx, t, w.Workspace)
	case began:
		if o, ok, err := w.runner.Find(ctx, t, w.Workspace); err != nil || ok {
			return o, err
		}
	}
	return w.runner.Start(ctx, t, w.Workspace)
}

// Called counts the calls of an operation that had an effect: "codebuild:StartBuild".
func (w *World) Called(operation string) (n int) {
	for _, c := range w.AWS.Calls() {
		if c.Name() == operation && c.Code == "" && c.Status != 0 {
			n++
		}
	}
	return n
}

// Log is the action's log.
func (w *World) Log() string {
	data, err := os.ReadFile(w.Workspace.LogFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.T.Fatal(err)
	}
	return string(data)
}

// Workspace is the workspace of one task, in a folder.
type Workspace struct {
	Root   string
	Packed map[string]map[string]string // by artifact, then by path
	files  map[string]map[string]string
}

// Dir is the run folder.
func (w *Workspace) Dir() string {
	dir := filepath.Join(w.Root, "run")
	_ = os.MkdirAll(dir, 0o700) // what fails here fails where it is used
	return dir
}

// LogFile is the path of the log.
func (w *Workspace) LogFile() string { return filepath.Join(w.Root, "log") }

// Log opens the log at its end.
func (w *Workspace) Log() (io.WriteCloser, error) {
	return os.OpenFile(w.LogFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// Unpack lays the world's files out.
func (w *Workspace) Unpack(a workflows.Artifact, dir string) error {
	if w.files[a.Name] == nil {
		return errors.New("it was removed")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, content := range w.files[a.Name] {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// Pack notes the files of a folder.
func (w *Workspace) Pack(name, dir string, _ []string) (workflows.Artifact, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir+"/")] = string(data)
		return err
	})
	if w.Packed == nil {
		w.Packed = map[string]map[string]string{}
	}
	w.Packed[name] = files
	return workflows.Artifact{Name: name, Digest: strings.Repeat("b", 64), Size: 1}, err
}

// objects are artifacts whose files the world has; those of [World.Input] are in S3.
type objects struct {
	w     *World
	store *artifacts.Store
}

// In implements runner.Objects.
func (o objects) In(ctx context.Context, region string, a workflows.Artifact) (artifacts.Object, error) {
	if _, stored := o.w.inputs[a.Name]; stored {
		return o.store.In(ctx, region, a)
	}
	if o.w.Files[a.Name] == nil {
		return artifacts.Object{}, &artifacts.MissingError{Artifact: a.Name, At: a.At, Why: "it was removed"}
	}
	return artifacts.Object{Region: region, Bucket: Bucket, Key: a.Name, Version: "v1", Digest: a.Digest, Size: a.Size}, nil
}

// ReadFile implements runner.Objects.
func (o objects) ReadFile(ctx context.Context, a workflows.Artifact, name string, most int64) ([]byte, error) {
	if _, stored := o.w.inputs[a.Name]; stored {
		return o.store.ReadFile(ctx, a, name, most)
	}
	data, ok := o.w.Files[a.Name][name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(data)[:min(int64(len(data)), most)], nil
}

// Output implements runner.Objects.
func (o objects) Output(region, pipeline, token, artifact string) artifacts.Object {
	return artifacts.Object{Region: region, Bucket: Bucket, Key: strings.Join([]string{pipeline, token, artifact}, "/")}
}

// Adopt implements runner.Objects.
func (o objects) Adopt(_ context.Context, name string, at artifacts.Object, digest string) (workflows.Artifact, error) {
	return workflows.Artifact{Name: name, Digest: digest, Size: 1, At: at.At()}, nil
}

// Take implements runner.Objects.
func (o objects) Take(_ context.Context, pipeline, name string, from artifacts.Object, _ aws.Config) (workflows.Artifact, error) {
	taken := artifacts.Object{Bucket: Bucket, Key: pipeline + "/" + from.Bucket + "/" + from.Key, Version: from.Version}
	return workflows.Artifact{Name: name, Digest: strings.Repeat("c", 64), Size: 1, At: taken.At()}, nil
}

// Write implements runner.Objects: the object is in the fake's S3, where the test has made the bucket.
func (o objects) Write(_ context.Context, at artifacts.Object, data []byte) (artifacts.Object, error) {
	at.Version = versionOf(awsfake.At[*s3.Service](o.w.AWS, Account, Region).Put(at.Bucket, at.Key, data))
	return at, nil
}

// versionOf is a version as the store has it: none in a bucket that keeps no versions.
func versionOf(version string) string { return strings.TrimSuffix(version, "null") }

// Final are the states in which an action may end.
func Final(state string) bool {
	return slices.Contains([]string{work.Succeeded, work.Failed, work.Cancelled, work.InDoubt}, state)
}
