package codebuild_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/shapes"
)

// place is an account and region with CodeBuild, a bucket that keeps every version of an object, and logs.
type place struct {
	*codebuild.Service
	t       *testing.T
	now     time.Time
	ids     int
	objects map[string][]byte // by BUCKET/KEY and BUCKET/KEY?VERSION
	log     []string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), objects: map[string][]byte{}}
	p.Service = codebuild.New(&api.World{
		Account: "111122223333", Region: "eu-west-1", Now: func() time.Time { return p.now },
		NewID: func() string { p.ids++; return fmt.Sprintf("00000000-0000-4000-a000-%012d", p.ids) },
		CallAs: func(_, service, operation string, in api.Input, body []byte) (any, *api.Error) {
			return p.s3(service, operation, in, body)
		},
		May: func(string, []api.Right) *api.Error { return nil },
		LogAt: func(at time.Time, group, stream string, lines ...string) {
			for _, l := range lines {
				p.log = append(p.log, strings.TrimSpace(at.Format("05.0")+" "+l))
			}
		},
	})
	p.Projects(codebuild.Project{Name: "shop", Variables: map[string]string{"STAGE": "test", "REGION": "eu"}, BatchRole: "arn:aws:iam::111122223333:role/batch"})
	return p
}

func (p *place) s3(_, operation string, in api.Input, body []byte) (any, *api.Error) {
	name := in.Text("Bucket") + "/" + in.Text("Key")
	if !strings.HasPrefix(name, "art/") {
		return nil, api.Refuse("NoSuchBucket", "The specified bucket does not exist")
	}
	if operation == "PutObject" {
		p.objects[name] = body
		return map[string]any{}, nil
	}
	if v := in.Text("VersionId"); v != "" {
		name += "?" + v
	}
	got, ok := p.objects[name]
	if !ok {
		return nil, api.Refuse("NoSuchKey", "The specified key does not exist.")
	}
	return map[string]any{"Body": got, "VersionId": "v1"}, nil
}

func zipOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// do carries out an operation, whose input must satisfy AWS's model.
func (p *place) do(op string, in map[string]any) (api.Input, *api.Error) {
	p.t.Helper()
	if faults := shapes.Check("codebuild", op, in); len(faults) > 0 {
		p.t.Fatal(shapes.Message(faults))
	}
	p.CatchUp()
	out, bad := p.Do(p.t.Context(), &api.Request{Service: "codebuild", Operation: op, Account: "111122223333", Region: "eu-west-1", Principal: "arn:aws:sts::111122223333:assumed-role/rollcall/run", Input: in})
	m, _ := out.(map[string]any)
	return m, bad
}

func (p *place) must(op string, in map[string]any) api.Input {
	p.t.Helper()
	out, bad := p.do(op, in)
	if bad != nil {
		p.t.Fatal(bad)
	}
	return out
}

// over is the input that overrides a project of CodePipeline; more comes on top.
func over(more map[string]any) map[string]any {
	in := map[string]any{
		"projectName": "shop", "sourceTypeOverride": "S3", "sourceLocationOverride": "art/in.zip", "sourceVersion": "v1",
		"artifactsOverride": map[string]any{"type": "S3", "location": "art", "path": "out/rc-1", "name": "Built", "packaging": "ZIP", "namespaceType": "NONE"},
	}
	for k, v := range more {
		in[k] = v
	}
	return in
}

// start starts a build with a source, and returns its ID.
func (p *place) start(more map[string]any) string {
	p.t.Helper()
	p.objects["art/in.zip?v1"] = zipOf(p.t, map[string]string{"main.go": "package main\n"})
	return p.must("StartBuild", over(more)).In("build").Text("id")
}

func (p *place) build(id string) api.Input {
	p.t.Helper()
	list, _ := p.must("BatchGetBuilds", map[string]any{"ids": []any{id}})["builds"].([]map[string]any)
	if len(list) != 1 {
		p.t.Fatalf("%d builds of %s", len(list), id)
	}
	return list[0]
}

// phases is how a build's phases ended, in short.
func phases(b api.Input) string {
	var words []string
	list, _ := b["phases"].([]map[string]any)
	for _, one := range list {
		in := api.Input(one)
		word := in.Text("phaseType")
		if s := in.Text("phaseStatus"); s != "SUCCEEDED" {
			word += "=" + s
		}
		if c, ok := one["contexts"].([]map[string]any); ok {
			word += fmt.Sprintf("(%s: %s)", c[0]["statusCode"], c[0]["message"])
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func (p *place) pass(d time.Duration) { p.now = p.now.Add(d); p.CatchUp() }

func TestABuildGoesThroughElevenPhasesByTheClock(t *testing.T) {
	p := newPlace(t)
	p.Play("shop", codebuild.Script{Lines: map[string][]string{"BUILD": {"make", "ok"}}, Exported: map[string]string{"IMAGE": "shop:1"}})
	id := p.start(map[string]any{"environmentVariablesOverride": []any{map[string]any{"name": "STAGE", "value": "live"}}})
	for _, step := range []struct {
		after time.Duration
		phase string
		lines int
	}{{0, "QUEUED", 0}, {time.Second, "PROVISIONING", 0}, {5 * time.Second, "DOWNLOAD_SOURCE", 1}, {3 * time.Second, "BUILD", 10}, {4 * time.Second, "BUILD", 11}, {5 * time.Second, "UPLOAD_ARTIFACTS", 18}} {
		p.pass(step.after)
		if b := p.build(id); b.Text("currentPhase") != step.phase || b.Text("buildStatus") != "IN_PROGRESS" || b.Bool("buildComplete") || len(p.log) != step.lines {
			t.Errorf("after %v more it is in %s (%s), with %d lines; want %s with %d\n%s", step.after, b.Text("currentPhase"), b.Text("buildStatus"), len(p.log), step.phase, step.lines, strings.Join(p.log, "\n"))
		}
	}
	p.pass(time.Minute)
	b := p.build(id)
	if got, want := phases(b), "SUBMITTED QUEUED PROVISIONING DOWNLOAD_SOURCE INSTALL PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS FINALIZING COMPLETED="; !strings.HasPrefix(strings.ReplaceAll(got, "(: )", ""), want) {
		t.Errorf("the phases are %s\nwant %s", got, want)
	}
	if b.Text("buildStatus") != "SUCCEEDED" || !b.Bool("buildComplete") || !b["endTime"].(time.Time).Equal(p.now.Add(-58*time.Second)) {
		t.Errorf("it is %s, and ended at %v", b.Text("buildStatus"), b["endTime"])
	}
	if got := fmt.Sprintf("%v %v %v %v %v", b["exportedEnvironmentVariables"], b.In("logs"), b["initiator"], b["resolvedSourceVersion"], b["buildNumber"]); got != "[map[name:IMAGE value:shop:1]] map[groupName:/aws/codebuild/shop streamName:00000000-0000-4000-a000-000000000001] rollcall/run v1 1" {
		t.Errorf("it says %s", got)
	}
	if got := fmt.Sprint(b.In("environment")["environmentVariables"]); got != "[map[name:REGION type:PLAINTEXT value:eu] map[name:STAGE type:PLAINTEXT value:live]]" {
		t.Errorf("the variables are %s", got)
	}
	object := p.objects["art/out/rc-1/Built"]
	sum := sha256.Sum256(object)
	if made := b.In("artifacts"); made.Text("sha256sum") != hex.EncodeToString(sum[:]) || made.Text("location") != "arn:aws:s3:::art/out/rc-1/Built" {
		t.Errorf("the artifact is %v", made)
	}
	if got := contents(t, object); got != "main.go=package main\n" {
		t.Errorf("the artifact has %q", got)
	}
}

// contents are the files of a zip, in short.
func contents(t *testing.T, raw []byte) string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Name+"="+string(text))
	}
	return strings.Join(all, " ")
}

func TestABuildFailsWhereItIsPlanned(t *testing.T) {
	head := "SUBMITTED QUEUED PROVISIONING DOWNLOAD_SOURCE INSTALL "
	for name, c := range map[string]struct {
		script codebuild.Script
		more   map[string]any
		status string
		want   string
	}{
		"command": {codebuild.Script{Fail: &codebuild.Failure{}}, nil, "FAILED",
			head + "PRE_BUILD BUILD=FAILED(COMMAND_EXECUTION_ERROR: Error while executing command: make. Reason: exit status 1) POST_BUILD UPLOAD_ARTIFACTS FINALIZING COMPLETED="},
		"install":   {codebuild.Script{Fail: &codebuild.Failure{Phase: "PRE_BUILD", Code: "C", Message: "m"}}, nil, "FAILED", head + "PRE_BUILD=FAILED(C: m) FINALIZING COMPLETED="},
		"no image":  {codebuild.Script{Fail: &codebuild.Failure{Phase: "PROVISIONING", Code: "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", Message: "m"}}, nil, "FAILED", "SUBMITTED QUEUED PROVISIONING=FAILED(BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: m) COMPLETED="},
		"fault":     {codebuild.Script{Fail: &codebuild.Failure{Phase: "BUILD", Status: "FAULT"}}, nil, "FAULT", head + "PRE_BUILD BUILD=FAULT COMPLETED="},
		"stopped":   {codebuild.Script{Fail: &codebuild.Failure{Phase: "BUILD", Status: "STOPPED"}}, nil, "STOPPED", head + "PRE_BUILD BUILD=STOPPED COMPLETED="},
		"slow":      {codebuild.Script{Takes: map[string]time.Duration{"BUILD": time.Hour}}, map[string]any{"timeoutInMinutesOverride": 5.0}, "TIMED_OUT", head + "PRE_BUILD BUILD=TIMED_OUT(BUILD_TIMED_OUT: Build has timed out. ) FINALIZING COMPLETED="},
		"hangs":     {codebuild.Script{Hold: "BUILD"}, map[string]any{"timeoutInMinutesOverride": 5.0}, "TIMED_OUT", head + "PRE_BUILD BUILD=TIMED_OUT(BUILD_TIMED_OUT: Build has timed out. ) FINALIZING COMPLETED="},
		"queue":     {codebuild.Script{Hold: "QUEUED"}, map[string]any{"queuedTimeoutInMinutesOverride": 5.0}, "TIMED_OUT", "SUBMITTED QUEUED=TIMED_OUT(BUILD_TIMED_OUT: Build has timed out. ) COMPLETED="},
		"no source": {codebuild.Script{}, map[string]any{"sourceVersion": "gone"}, "FAILED", "SUBMITTED QUEUED PROVISIONING DOWNLOAD_SOURCE=FAILED(CLIENT_ERROR: NoSuchKey: The specified key does not exist. status code: 404 for primary source and source version gone) FINALIZING COMPLETED="},
		"no bucket": {codebuild.Script{}, map[string]any{"artifactsOverride": map[string]any{"type": "S3", "location": "other", "packaging": "ZIP"}}, "FAILED",
			head + "PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS=FAILED(CLIENT_ERROR: Error uploading artifacts: NoSuchBucket: The specified bucket does not exist status code: 404) FINALIZING COMPLETED="},
		"no files": {codebuild.Script{Files: map[string]map[string]string{}}, nil, "FAILED", head + "PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS=FAILED(CLIENT_ERROR: no matching artifact paths found) FINALIZING COMPLETED="},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.Play("shop", c.script)
			id := p.start(c.more)
			p.pass(10 * time.Minute)
			if b := p.build(id); b.Text("buildStatus") != c.status || phases(b) != c.want {
				t.Errorf("it is %s: %s\nwant %s: %s", b.Text("buildStatus"), phases(b), c.status, c.want)
			}
		})
	}
}

func TestATokenStartsOneBuildForFiveMinutes(t *testing.T) {
	p := newPlace(t)
	token := map[string]any{"idempotencyToken": "rc-1"}
	first := p.start(token)
	if again := p.start(token); again != first {
		t.Errorf("the same token started %s after %s", again, first)
	}
	_, bad := p.do("StartBuild", over(map[string]any{"idempotencyToken": "rc-1", "sourceVersion": "v2"}))
	if bad == nil || bad.Code != "InvalidInputException" || !strings.Contains(bad.Message, "mismatch") {
		t.Errorf("other parameters with the same token: %v", bad)
	}
	p.pass(5 * time.Minute)
	if later := p.start(token); later == first || len(p.Started()) != 2 {
		t.Errorf("after five minutes %d builds were started", len(p.Started()))
	}
}

func TestStartsThatAreRefused(t *testing.T) {
	p := newPlace(t)
	for name, c := range map[string]struct {
		in   map[string]any
		want string
	}{
		"project":   {map[string]any{"projectName": "other"}, "ResourceNotFoundException: Project cannot be found: arn:aws:codebuild:eu-west-1:111122223333:project/other"},
		"source":    {map[string]any{"projectName": "shop"}, "InvalidInputException: sourceTypeOverride must be set when using source type CodePipeline"},
		"artifacts": {map[string]any{"projectName": "shop", "sourceTypeOverride": "NO_SOURCE"}, "InvalidInputException: ArtifactsOverride must be set when using artifacts type CodePipelines"},
		"location":  {over(map[string]any{"sourceLocationOverride": "in.zip"}), "InvalidInputException: Invalid project source: location must be a valid S3 location"},
	} {
		if _, bad := p.do("StartBuild", c.in); bad == nil || bad.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", name, bad, c.want)
		}
	}
	p.Limit(1)
	p.start(nil)
	if _, bad := p.do("StartBuild", over(nil)); bad == nil || bad.Code != "AccountLimitExceededException" {
		t.Errorf("beyond the limit: %v", bad)
	}
	p.pass(time.Minute)
	p.start(nil)
}

func TestStopReleaseAndRetry(t *testing.T) {
	p := newPlace(t)
	p.Play("shop", codebuild.Script{Hold: "BUILD", Lines: map[string][]string{"POST_BUILD": {"never"}}})
	stopped := p.start(nil)
	p.pass(time.Minute)
	p.must("StopBuild", map[string]any{"id": stopped})
	if b := p.build(stopped); b.Text("buildStatus") != "STOPPED" || !strings.HasSuffix(phases(b), "BUILD=STOPPED COMPLETED=") || strings.Contains(strings.Join(p.log, ""), "never") {
		t.Errorf("it is %s: %s", b.Text("buildStatus"), phases(b))
	}
	again := p.must("RetryBuild", map[string]any{"id": stopped}).In("build").Text("id")
	p.pass(time.Minute)
	if err := p.Release(again); err != nil {
		t.Fatal(err)
	}
	if err := p.Release(stopped); err == nil {
		t.Error("a build that is over was released")
	}
	p.pass(time.Minute)
	if b := p.build(again); b.Text("buildStatus") != "SUCCEEDED" {
		t.Errorf("it is %s: %s", b.Text("buildStatus"), phases(b))
	}
	if got := fmt.Sprint(p.must("ListBuildsForProject", map[string]any{"projectName": "shop"})["ids"]); got != fmt.Sprint([]string{again, stopped}) {
		t.Errorf("the builds are %s", got)
	}
}

func TestReportsCountTheirCases(t *testing.T) {
	p := newPlace(t)
	p.Play("shop", codebuild.Script{Fail: &codebuild.Failure{}, Reports: []codebuild.Report{{Name: "unit", Cases: []codebuild.Case{{Name: "TestPay", Status: "FAILED", Message: "want 2"}, {Name: "TestCart"}}}}})
	id := p.start(nil)
	p.pass(time.Minute)
	arns, _ := p.build(id)["reportArns"].([]string)
	if len(arns) != 1 {
		t.Fatalf("the reports are %v", arns)
	}
	reports, _ := p.must("BatchGetReports", map[string]any{"reportArns": []any{arns[0], "arn:x"}})["reports"].([]map[string]any)
	if got := fmt.Sprintf("%v %v %v", reports[0]["status"], reports[0]["reportGroupArn"], api.Input(reports[0]).In("testSummary")["statusCounts"]); got != "FAILED arn:aws:codebuild:eu-west-1:111122223333:report-group/shop-unit map[FAILED:1 SUCCEEDED:1]" {
		t.Errorf("the report says %s", got)
	}
	cases, _ := p.must("DescribeTestCases", map[string]any{"reportArn": arns[0], "filter": map[string]any{"status": "FAILED"}})["testCases"].([]map[string]any)
	if len(cases) != 1 || cases[0]["name"] != "TestPay" || cases[0]["message"] != "want 2" {
		t.Errorf("the cases are %v", cases)
	}
}

func TestABatchRunsItsBuildsInTheirOrder(t *testing.T) {
	for name, c := range map[string]struct {
		groups []codebuild.Group
		status string
		builds string
		files  string
	}{
		"combined": {[]codebuild.Group{
			{ID: "linux", Script: codebuild.Script{Files: map[string]map[string]string{"": {"linux": "1"}}}},
			{ID: "docs", DependsOn: []string{"linux"}, Script: codebuild.Script{Files: map[string]map[string]string{"": {"docs": "2"}}}},
			{ID: "lint", IgnoreFailure: true, Script: codebuild.Script{Fail: &codebuild.Failure{}}},
		}, "SUCCEEDED", "linux=SUCCEEDED@2 docs=SUCCEEDED@22 lint=FAILED@2", "docs=2 linux=1"},
		"failed": {[]codebuild.Group{{ID: "linux", Script: codebuild.Script{Fail: &codebuild.Failure{}}}, {ID: "docs", DependsOn: []string{"linux"}}}, "FAILED", "linux=FAILED@2 docs", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.PlayBatch("shop", c.groups...)
			p.objects["art/in.zip?v1"] = zipOf(t, map[string]string{"buildspec.yml": "version: 0.2\n"})
			began := p.now
			in := over(map[string]any{"idempotencyToken": "rc-1", "buildBatchConfigOverride": map[string]any{"combineArtifacts": true}})
			id := p.must("StartBuildBatch", in).In("buildBatch").Text("id")
			if again := p.must("StartBuildBatch", in).In("buildBatch").Text("id"); again != id {
				t.Errorf("the same token started %s after %s", again, id)
			}
			p.pass(2 * time.Minute)
			list, _ := p.must("BatchGetBuildBatches", map[string]any{"ids": []any{id}})["buildBatches"].([]map[string]any)
			b, builds := api.Input(list[0]), []string{}
			groups, _ := b["buildGroups"].([]map[string]any)
			for _, g := range groups {
				word := g["identifier"].(string)
				if sum := api.Input(g).In("currentBuildSummary"); sum != nil {
					word += fmt.Sprintf("=%s@%v", sum["buildStatus"], sum["requestedOn"].(time.Time).Sub(began).Seconds())
				}
				builds = append(builds, word)
			}
			if b.Text("buildBatchStatus") != c.status || strings.Join(builds, " ") != c.builds || !b.Bool("complete") {
				t.Errorf("it is %s: %s (%s)\nwant %s: %s", b.Text("buildBatchStatus"), strings.Join(builds, " "), phases(b), c.status, c.builds)
			}
			if made, there := p.objects["art/out/rc-1/Built"]; there != (c.files != "") || there && contents(t, made) != c.files {
				t.Errorf("the combined artifact is there: %v", there)
			}
		})
	}
}

func TestABatchIsStopped(t *testing.T) {
	p := newPlace(t)
	p.Play("shop", codebuild.Script{Hold: "BUILD"})
	p.objects["art/in.zip?v1"] = zipOf(t, map[string]string{"a": "b"})
	id := p.must("StartBuildBatch", over(nil)).In("buildBatch").Text("id")
	p.pass(time.Minute)
	if got := p.must("StopBuildBatch", map[string]any{"id": id}).In("buildBatch"); got.Text("buildBatchStatus") != "STOPPED" || p.build(p.Started()[0]).Text("buildStatus") != "STOPPED" {
		t.Errorf("it is %s, its build %s", got.Text("buildBatchStatus"), p.build(p.Started()[0]).Text("buildStatus"))
	}
}
