package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// artifactsOfPatterns is the bucket in which the pipelines' artifacts are kept.
const artifactsOfPatterns = "acme-artifacts"

// patternFixture is a team whose pipeline is a file of examples/aws: it runs here,
// and AWS's services carry out what it says.
type patternFixture struct {
	*cloudFixture
	ahead atomic.Int64 // of AWS's clock
}

// newPattern starts a rollcall with an example's file as its only pipeline, over an AWS that prepare fills.
//
// The fake of AWS has a bucket for artifacts and the pipeline's role; GitHub has acme/webshop, still empty, and its
// webhook is set up. Tests of patterns run beside each other.
func newPattern(t *testing.T, file string, prepare func(w *patternFixture)) *patternFixture {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	t.Parallel()
	w := &patternFixture{cloudFixture: &cloudFixture{fixture: team(t)}}
	w.aws = awsfake.New(awsfake.Options{Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }})
	w.s3().Create(s3.Bucket{Name: artifactsOfPatterns, Owner: awsAccount, Region: awsRegion})
	w.take(file)
	prepare(w)
	w.tells()
	w.run(serve(t, w.aws), fmt.Sprintf("artifacts: {bucket: %s, prefix: rollcall}, events: {queueURL: %q}", artifactsOfPatterns, w.aws.Queue(awsAccount, awsRegion, eventsOfPatterns)))
	return w
}

// take puts an example's file into the pipelines folder, as it is, and gives AWS the role that it names.
func (w *patternFixture) take(file string) {
	w.t.Helper()
	text := example(w.t, filepath.Join("aws", file))
	var declared struct {
		Name     string
		RoleARN  string                          `yaml:"roleArn"`
		Pipeline *struct{ Name, RoleARN string } // as get-pipeline prints it
	}
	if strings.HasSuffix(file, ".json") {
		if err := json.Unmarshal([]byte(text), &declared); err != nil {
			w.t.Fatal(err)
		}
	} else {
		decode(w.t, text, &declared)
	}
	if p := declared.Pipeline; p != nil {
		declared.Name, declared.RoleARN = p.Name, p.RoleARN
	}
	w.pipeline = declared.Name
	w.write("pipelines/"+filepath.Base(file), text)
	if w.aws != nil && declared.RoleARN != "" {
		w.aws.Roles(awsfake.Role{ARN: declared.RoleARN})
	}
}

// run starts the service with an AWS at that address.
func (w *patternFixture) run(endpoint, more string) {
	w.t.Helper()
	w.github = githubfake.New(githubfake.Options{Token: "gh-token-story", WebhookURL: "http://" + w.addr + "/github/webhook", Secret: hook})
	w.repository()
	w.env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") }),
		"AWS_ACCESS_KEY_ID=AKIASTORY", "AWS_SECRET_ACCESS_KEY=the-aws-secret-of-the-story", "AWS_EC2_METADATA_DISABLED=true")
	w.write("rollcall.yaml", fmt.Sprintf(`
listen: %s
slack: {apiURL: %q, botToken: xoxb-story, signingSecret: %s, channel: "#deploys"}
github: {apiURL: %q, cloneURL: "file://%s/", token: gh-token-story, webhookSecret: %s}
sources: {allowFileURLs: true, pollInterval: 1s}
access:
  groups: {release-managers: [ana@acme.example, ben@acme.example], platform: [ana@acme.example, ben@acme.example]}
  rules:
    - {allow: [view, start, stop, retry, logs], to: [everyone]}
    - {allow: [approve, rollback, lock, unlock, override], to: [group:release-managers]}
api:
  tokens: [{name: story, token: %s, may: [view, logs, start, stop, retry, rollback, lock, unlock, approve, override, edit]}]
runners: {commands: {on: "codebuild:commands"}}
aws: {region: %s, endpointURL: %q, %s}
`, w.addr, serve(w.t, w.slack)+"/api/", signing, serve(w.t, w.github)+"/", w.path("git"), hook, token, awsRegion, endpoint, more)[1:])
	w.t.Cleanup(w.end)
	w.start()
}

// passes lets time pass in AWS; the clock of rollcall is the machine's.
func (w *patternFixture) passes(d time.Duration) { w.ahead.Add(int64(d)) }

func (w *patternFixture) s3() *s3.Service {
	return awsfake.At[*s3.Service](w.aws, awsAccount, awsRegion)
}

// object is what a bucket has at a key; nil: nothing.
func (w *patternFixture) object(bucket, key string) *s3.Object {
	for _, o := range slices.Backward(w.s3().Objects(bucket)) {
		if o.Key == key {
			return &o
		}
	}
	return nil
}

// action is how an action of the n-th execution stands: "Build/Render".
func (w *patternFixture) action(n int, name string) workflows.ActionExecution {
	e := w.execution(n)
	in, name, _ := strings.Cut(name, "/")
	if s, ok := e.Stage(in); ok {
		if a, ok := s.Action(name); ok {
			return *a
		}
	}
	return workflows.ActionExecution{}
}

// command is what a command of rollcall prints, asked of the service.
func (w *patternFixture) command(args ...string) string {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(append(args, "--url", "http://"+w.addr, "--token", token), &stdout, &stderr); code != 0 {
		w.t.Fatalf("rollcall %s: status %d\n%s%s", strings.Join(args, " "), code, &stdout, &stderr)
	}
	return stdout.String()
}

// ref names the n-th execution.
func (w *patternFixture) ref(n int) string { return fmt.Sprintf("%s#%d", w.pipeline, n) }

// card is the text of the channel's card of the n-th execution, with what stands in its thread.
func (w *patternFixture) card(n int) (text string) {
	for _, m := range w.cards(n) {
		text += w.slack.Rendered(m) + "\n"
	}
	return text
}

// cards are the card and what stands in its thread.
func (w *patternFixture) cards(n int) (all []slackfake.Message) {
	for _, top := range w.posts("rollcall_execution", w.execution(n).ID) {
		all = append(append(all, w.slack.Thread("CDEPLOYS", top.TS)...), top)
	}
	return all
}

// leads says whether something on the card of the n-th execution leads to an address that begins so.
func (w *patternFixture) leads(n int, address string) bool {
	return slices.ContainsFunc(w.cards(n), func(m slackfake.Message) bool { return strings.Contains(string(m.Blocks), address) })
}

// cardSays waits until the card of the n-th execution has a text, or leads there.
func (w *patternFixture) cardSays(n int, text string) {
	w.t.Helper()
	shown := ""
	defer func() {
		if w.t.Failed() {
			w.t.Logf("the card of %s:\n%s", w.ref(n), shown)
		}
	}()
	w.until(fmt.Sprintf("the card of %s says %q", w.ref(n), text), func() bool { shown = w.card(n); return strings.Contains(shown, text) || w.leads(n, text) })
}

// says waits until the card of the n-th execution and `rollcall why` have all these texts, or lead there.
func (w *patternFixture) says(n int, texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		w.cardSays(n, text)
		if why := w.command("why", w.ref(n)); !strings.Contains(why, text) {
			w.t.Errorf("rollcall why %s does not say %q:\n%s", w.ref(n), text, why)
		}
	}
}

// atOnce has each phase of a build of the fake take no time.
func atOnce() map[string]time.Duration {
	takes := map[string]time.Duration{}
	for _, phase := range []string{"QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS", "FINALIZING"} {
		takes[phase] = 0
	}
	return takes
}

// calls is how often an operation of AWS was called with success: "ecs:UpdateService".
func (w *patternFixture) calls(name string) (n int) {
	for _, c := range w.aws.Calls() {
		if c.Name() == name && c.Code == "" && c.Status != 0 {
			n++
		}
	}
	return n
}
