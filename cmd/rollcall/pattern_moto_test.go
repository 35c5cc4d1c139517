package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/protocol"
	"github.com/rollcall-bot/rollcall/workflows"
)

// moto is a fake of AWS that others have written, in a process of its own.
type moto struct {
	t       *testing.T
	address string
	makes   map[string]map[string]string // by project of CodeBuild: the files of its first artifact, which moto would not make

	mu  sync.Mutex // one call at a time
	in  io.Writer
	out *bufio.Scanner
}

// newMoto starts moto. Where it is not installed the test is skipped.
func newMoto(t *testing.T) *moto {
	t.Helper()
	var trouble bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/with_moto.py", awsAccount)
	cmd.Stderr = &trouble
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); errors.Is(err, exec.ErrNotFound) {
		t.Skip("python3 is not here, and so neither is moto")
	} else if err != nil {
		t.Fatal(err)
	}
	m := &moto{t: t, in: in, out: bufio.NewScanner(out)}
	m.out.Buffer(nil, 1<<20)
	if !m.out.Scan() {
		if err := cmd.Wait(); strings.Contains(trouble.String(), "No module named") {
			t.Skip("moto is not here (pip install 'moto[server]'): ", err)
		}
		t.Fatalf("moto did not start:\n%s", &trouble)
	}
	m.address = m.out.Text()
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return m
}

func (m *moto) line() string {
	m.t.Helper()
	if !m.out.Scan() {
		m.t.Fatalf("moto is gone: %v", m.out.Err())
	}
	return m.out.Text()
}

// do calls a service as moto's owner.
func (m *moto) do(service, operation string, params map[string]any) map[string]any {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	line, err := json.Marshal(map[string]any{"service": service, "operation": operation, "params": params})
	if err == nil {
		_, err = m.in.Write(append(line, '\n'))
	}
	var answer map[string]any
	if err == nil {
		err = json.Unmarshal([]byte(m.line()), &answer)
	}
	if err != nil || answer["error"] != nil {
		m.t.Fatalf("%s %s at moto: %v %v", service, operation, err, answer["error"])
	}
	return answer
}

// put puts a zip into a bucket.
func (m *moto) put(bucket, key string, files map[string]string) {
	m.t.Helper()
	m.do("s3", "PutObject", map[string]any{"Bucket": bucket, "Key": key, "Body": "base64:" + base64.StdEncoding.EncodeToString(zipped(m.t, files))})
}

var timesOfBuilds = regexp.MustCompile(`"(startTime|endTime)": "([^"]+)"`)

// ServeHTTP passes a call on to moto, in a form that both sides know: of builds moto tells times as texts, where CodeBuild
// tells numbers; and moto does not know the protocol in which CloudWatch is called. What a build is to make is put where it
// is to be, before it starts.
func (m *moto) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Smithy-Protocol") != "" {
		m.translate(w, r)
		return
	}
	to, err := url.Parse(m.address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	proxy := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to); p.Out.Host = p.In.Host }}
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".StartBuild") {
		m.build(r)
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "CodeBuild_") {
		proxy.ModifyResponse = func(res *http.Response) error {
			body, err := io.ReadAll(res.Body)
			body = timesOfBuilds.ReplaceAllFunc(body, func(text []byte) []byte {
				of := timesOfBuilds.FindSubmatch(text)
				at, _ := time.Parse(time.RFC3339, string(of[2])) // what is none is long ago
				return []byte(`"` + string(of[1]) + `": ` + strconv.FormatInt(at.Unix(), 10))
			})
			res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			res.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return err
		}
	}
	proxy.ServeHTTP(w, r)
}

// build makes the artifact of a build that is being started.
func (m *moto) build(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var told struct {
		ProjectName       string
		ArtifactsOverride struct{ Type, Location, Path, Name string }
	}
	if err == nil {
		err = json.Unmarshal(body, &told)
	}
	if err != nil {
		m.t.Errorf("a build cannot be read: %v", err)
	}
	if to := told.ArtifactsOverride; to.Type == "S3" && m.makes[told.ProjectName] != nil {
		m.put(to.Location, path.Join(to.Path, to.Name), m.makes[told.ProjectName])
	}
}

// project makes a project of CodeBuild. Of AWS's type CODEPIPELINE moto wants a location too.
func (m *moto) project(name string) {
	m.t.Helper()
	m.do("codebuild", "CreateProject", map[string]any{"name": name, "source": map[string]any{"type": "CODEPIPELINE", "location": "-"}, "artifacts": map[string]any{"type": "CODEPIPELINE", "location": "-"},
		"environment": map[string]any{"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}, "serviceRole": "arn:aws:iam::" + awsAccount + ":role/build"})
}

// translate has moto's owner ask for alarms what the call asks.
func (m *moto) translate(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	call, bad := protocol.Read(r, body, "")
	if err != nil || bad != nil || call.Operation != "DescribeAlarms" {
		http.Error(w, fmt.Sprintf("%s: %v %v", call.Operation, err, bad), http.StatusNotImplemented)
		return
	}
	alarms := []any{}
	said, _ := m.do("cloudwatch", call.Operation, call.Input)["MetricAlarms"].([]any)
	for _, one := range said {
		alarm, _ := one.(map[string]any)
		alarms = append(alarms, map[string]any{"AlarmName": alarm["AlarmName"], "StateValue": alarm["StateValue"], "StateReason": alarm["StateReason"]})
	}
	answer := call.Answer(map[string]any{"MetricAlarms": alarms, "CompositeAlarms": []any{}}, "moto")
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body)
}

// onMoto starts a rollcall over moto, which has these buckets.
func onMoto(t *testing.T, prepare func(w *patternFixture, m *moto), buckets ...string) (*patternFixture, *moto) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	t.Parallel()
	m := newMoto(t)
	for _, name := range append(buckets, artifactsOfPatterns) {
		m.do("s3", "CreateBucket", map[string]any{"Bucket": name, "CreateBucketConfiguration": map[string]any{"LocationConstraint": awsRegion}})
		m.do("s3", "PutBucketVersioning", map[string]any{"Bucket": name, "VersioningConfiguration": map[string]any{"Status": "Enabled"}})
	}
	w := &patternFixture{cloudFixture: &cloudFixture{fixture: team(t)}}
	prepare(w, m)
	w.run(serve(t, m), "artifacts: {bucket: "+artifactsOfPatterns+", prefix: rollcall}")
	return w, m
}

// The same file of CodePipeline as in [TestPatternTemplates], over moto: a stack is updated by a change set, which makes
// the topic, and left alone by another. What moto has not: a build that fails, artifacts of builds, logs; what a change
// set replaces; an update that fails and is rolled back; events with the token of who began it; outputs of what a change
// set has changed; an execution that takes any time.
func TestPatternTemplatesOnMoto(t *testing.T) {
	w, m := onMoto(t, func(w *patternFixture, m *moto) {
		m.put("acme-templates", "shop.zip", map[string]string{"shop.json": oneTopic, "production.json": "{}"})
		m.do("cloudformation", "CreateStack", map[string]any{"StackName": "shop", "TemplateBody": oneQueue})
		for _, name := range []string{"shop-templates-validate", "shop-stack-tests"} {
			m.project(name)
		}
		w.take("templates/templates.json")
	}, "acme-templates")
	w.begin()
	if gate := w.reviewed(w.ana, 1); !strings.Contains(gate, "Modify AWS::SQS::Queue Queue") || !strings.Contains(gate, "Add AWS::SNS::Topic Topic") {
		t.Errorf("the review shows\n%s", gate)
	}
	w.over(1, workflows.StatusSucceeded)
	if topics, _ := m.do("sns", "ListTopics", map[string]any{})["Topics"].([]any); len(topics) != 1 || w.action(1, "Stack/Apply").OutputVariables["QueueUrl"] == "" {
		t.Errorf("the topics are %v, the stack puts out %v", topics, w.action(1, "Stack/Apply").OutputVariables)
	}
	m.put("acme-templates", "shop.zip", map[string]string{"shop.json": oneTopic, "production.json": "{}"})
	w.meanwhile("the bucket is looked at", func() bool { return len(w.executions()) == 2 })
	w.reviewed(w.ben, 2)
	w.over(2, workflows.StatusSucceeded)
	if plan, apply := w.action(2, "Stack/Plan"), w.action(2, "Stack/Apply"); plan.Summary != "no change" || apply.Summary != "no change" {
		t.Errorf("without changes: plan %q, apply %q", plan.Summary, apply.Summary)
	}
}

// The end of the pattern with an alarm, over moto, whose builds make no artifacts: what production does, and the watch.
const watchedByAlarm = `
name: watched
roleArn: arn:aws:iam::111122223333:role/shop-pipeline
stages:
  - name: Source
    actions: [{name: Code, provider: S3, configuration: {S3Bucket: acme-code, S3ObjectKey: webshop.zip}, outputArtifacts: [package]}]
  - name: Production
    environment: production
    rollback: {onAlarm: {alarms: [webshop-5xx], for: 10m}}
    actions: [{name: Deploy, actionTypeId: {category: Deploy, owner: AWS, provider: Lambda, version: "1"}, configuration: {FunctionName: webshop, FunctionAlias: live}, inputArtifacts: [package]}]
`

// An alarm of moto takes a function of moto back. What moto has not: revisions of an alias, and an update of a function that takes any time.
func TestPatternAlarmOnMoto(t *testing.T) {
	w, m := onMoto(t, func(w *patternFixture, m *moto) {
		m.put("acme-code", "webshop.zip", map[string]string{"index.js": "// the first"})
		m.do("iam", "CreateRole", map[string]any{"RoleName": "webshop", "AssumeRolePolicyDocument": "{}"})
		m.do("lambda", "CreateFunction", map[string]any{"FunctionName": "webshop", "Runtime": "nodejs22.x", "Handler": "index.handler", "Role": "arn:aws:iam::" + awsAccount + ":role/webshop", "Publish": true,
			"Code": map[string]any{"ZipFile": "base64:" + base64.StdEncoding.EncodeToString(zipped(m.t, map[string]string{"index.js": "// nothing"}))}})
		m.do("lambda", "CreateAlias", map[string]any{"FunctionName": "webshop", "Name": "live", "FunctionVersion": "1"})
		m.do("cloudwatch", "PutMetricAlarm", map[string]any{"AlarmName": "webshop-5xx", "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold"})
		m.state("webshop-5xx", cloudwatch.OK)
		w.pipeline = "watched"
		w.write("pipelines/watched.yaml", watchedByAlarm)
	}, "acme-code")
	w.begin()
	w.over(1, workflows.StatusSucceeded)
	first := m.live()
	m.put("acme-code", "webshop.zip", map[string]string{"index.js": "// the second"})
	w.meanwhile("the bucket is looked at", func() bool { return len(w.executions()) == 2 })
	w.over(2, workflows.StatusSucceeded)
	if second := m.live(); second == first {
		t.Error("the alias has the code of before")
	}
	m.state("webshop-5xx", cloudwatch.Alarm)
	w.kill()
	w.start()
	w.until("the alarm is seen", func() bool { return len(w.executions()) == 3 })
	back := w.over(3, workflows.StatusSucceeded)
	if back.Trigger.Type != workflows.TriggerAutomated || back.Rollback.Alarm != "webshop-5xx" || back.Rollback.Target != w.execution(1).ID || m.live() != first {
		t.Errorf("the alarm led to %+v, rollback %+v", back.Trigger, back.Rollback)
	}
	if all := w.executions(); len(all) != 3 || slices.ContainsFunc(all, func(e workflows.Execution) bool { return e.Status != workflows.StatusSucceeded }) {
		t.Errorf("the executions are %+v", all)
	}
}

func (m *moto) state(alarm, state string) {
	m.t.Helper()
	m.do("cloudwatch", "SetAlarmState", map[string]any{"AlarmName": alarm, "StateValue": state, "StateReason": "because of the test"})
}

// live is the hash of the code that the function's alias has its calls run.
func (m *moto) live() string {
	m.t.Helper()
	hash, _ := m.do("lambda", "GetFunctionConfiguration", map[string]any{"FunctionName": "webshop", "Qualifier": "live"})["CodeSha256"].(string)
	return hash
}
