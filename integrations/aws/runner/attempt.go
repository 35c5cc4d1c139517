package runner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Attempt is one attempt of an action on its way.
type Attempt struct {
	Task *work.Task
	// Token makes the start repeatable: letters, digits and hyphens, 51 characters,
	// the same for the same attempt and no other.
	Token  string
	Config aws.Config   // as the action's role, in its Region
	Place  policy.Place // where that is; Account is empty where no role says it

	frame     *Frame
	caller    accounts.Place
	workspace work.Workspace
	drop      []func() // of the lists that were asked
	hinted    bool     // what lists know is out of date
}

// TokenOf is the token of a task.
func TokenOf(task string) string {
	sum := sha256.Sum256([]byte(task))
	return "rc-" + hex.EncodeToString(sum[:])[:48]
}

func (f *Frame) attempt(ctx context.Context, t work.Task, w work.Workspace) (*Attempt, error) {
	p := accounts.Place{Roles: []string{t.PipelineRole, t.Action.RoleArn}, Region: t.Action.Region, Person: t.For,
		Session: fmt.Sprintf("rc-%.8s-%s", t.Execution, t.Action.Name)}
	config, err := f.o.Accounts.Config(ctx, p)
	if err != nil {
		return nil, err
	}
	place := policy.Place{Partition: "aws", Region: config.Region, Account: accounts.AccountOf(cmp.Or(t.Action.RoleArn, t.PipelineRole))}
	switch {
	case strings.HasPrefix(config.Region, "cn-"):
		place.Partition = "aws-cn"
	case strings.HasPrefix(config.Region, "us-gov-"):
		place.Partition = "aws-us-gov"
	}
	return &Attempt{Task: &t, Token: TokenOf(t.ID), Config: config, Place: place, frame: f, caller: p, workspace: w}, nil
}

// Handle is what Start answered.
func (a *Attempt) Handle() string { return a.Task.Handle }

// Setting is a value of the action's configuration, with its variables resolved; empty: not set.
func (a *Attempt) Setting(name string) string { return a.Task.Configuration[name] }

// Now is the time.
func (a *Attempt) Now() time.Time { return a.frame.o.Now() }

// Began is when the attempt was started, as far as its deadline says it; zero: not known.
func (a *Attempt) Began() time.Time {
	if a.Task.Deadline.IsZero() {
		return time.Time{}
	}
	return a.Task.Deadline.Add(-a.Task.Action.TimeLimit())
}

// interval is the pause until the next poll: it grows as the attempt ages.
func (a *Attempt) interval() time.Duration { return intervalAt(a.Now().Sub(a.Began())) }

const (
	shortInterval = 3 * time.Second
	longInterval  = 15 * time.Second
)

// intervalAt is the pause between two questions about work of that age.
func intervalAt(age time.Duration) time.Duration {
	return min(max(age/20, shortInterval), longInterval)
}

// Artifact is the input artifact of that name.
func (a *Attempt) Artifact(name string) (workflows.Artifact, error) {
	for i, one := range a.Task.Action.InputArtifacts {
		if one == name && i < len(a.Task.Inputs) {
			return a.Task.Inputs[i], nil
		}
	}
	return workflows.Artifact{}, &SettingsError{Text: "the action has no input artifact " + name}
}

// Input is the input artifact of that name as an object in the action's Region.
func (a *Attempt) Input(ctx context.Context, name string) (artifacts.Object, error) {
	one, err := a.Artifact(name)
	if err != nil {
		return artifacts.Object{}, err
	}
	if a.frame.o.Objects == nil {
		return artifacts.Object{}, a.noStore()
	}
	return a.frame.o.Objects.In(ctx, a.Config.Region, one)
}

// Inputs are all input artifacts as objects in the action's Region, in their order.
func (a *Attempt) Inputs(ctx context.Context) (all []artifacts.Object, err error) {
	for _, name := range a.Task.Action.InputArtifacts {
		o, err := a.Input(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

func (a *Attempt) noStore() error {
	return &SettingsError{Text: a.Task.Action.ActionType.Provider + " needs artifacts in S3: set aws.artifacts in the configuration"}
}

// ReadFile returns a file of an input artifact, at most that many bytes.
func (a *Attempt) ReadFile(ctx context.Context, artifact, name string, most int64) ([]byte, error) {
	one, err := a.Artifact(artifact)
	if err != nil {
		return nil, err
	}
	if a.frame.o.Objects == nil {
		return nil, a.noStore()
	}
	return a.frame.o.Objects.ReadFile(ctx, one, name, most)
}

// Output is where AWS is to write an output artifact.
func (a *Attempt) Output(name string) (artifacts.Object, error) {
	if a.frame.o.Objects == nil {
		return artifacts.Object{}, a.noStore()
	}
	return a.frame.o.Objects.Output(a.Config.Region, a.Task.Pipeline, a.Token, name), nil
}

// Adopt makes what AWS wrote to [Attempt.Output] the output artifact of that name.
func (a *Attempt) Adopt(ctx context.Context, name string, o artifacts.Object, digest string) (workflows.Artifact, error) {
	if a.frame.o.Objects == nil {
		return workflows.Artifact{}, a.noStore()
	}
	return a.frame.o.Objects.Adopt(ctx, name, o, digest)
}

// Write puts a small file beside what [Attempt.Output] names, for a service that reads it there.
func (a *Attempt) Write(ctx context.Context, o artifacts.Object, data []byte) (artifacts.Object, error) {
	if a.frame.o.Objects == nil {
		return artifacts.Object{}, a.noStore()
	}
	return a.frame.o.Objects.Write(ctx, o, data)
}

// Pack stores files that the runner itself has made in dir as an output artifact;
// no globs: all of them.
func (a *Attempt) Pack(name, dir string, globs ...string) (workflows.Artifact, error) {
	return a.workspace.Pack(name, dir, globs)
}

// Dir is the run folder of the task.
func (a *Attempt) Dir() string { return a.workspace.Dir() }

// URL is the console's page of a path in the action's Region: "codesuite/codebuild/projects".
// fragment is what follows "#", or empty.
func (a *Attempt) URL(path, fragment string) string {
	host := map[string]string{"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}[a.Place.Partition]
	url := "https://" + a.Config.Region + "." + cmp.Or(host, "console.aws.amazon.com") + "/" + path
	if strings.Contains(path, "?") {
		url += "&region=" + a.Config.Region
	} else {
		url += "?region=" + a.Config.Region
	}
	if fragment != "" {
		url += "#" + fragment
	}
	return url
}

// Logf adds a line to the action's log.
func (a *Attempt) Logf(format string, args ...any) error {
	return a.appendLog(clean.Line(fmt.Sprintf(format, args...)) + "\n")
}

func (a *Attempt) appendLog(text string) error {
	w, err := a.workspace.Log()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		_ = w.Close()
		return err
	}
	return w.Close()
}

// forgetAnswer has the next question of a list asked anew.
func (a *Attempt) forgetAnswer() {
	for _, drop := range a.drop {
		drop()
	}
}
