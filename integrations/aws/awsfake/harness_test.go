package awsfake_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
	bob     = "arn:aws:iam::111122223333:user/bob"
)

// account1 is a fake whose clock stands still, and a caller of it.
type account1 struct {
	*awsfake.Server
	t *testing.T
}

func newAWS(t *testing.T) account1 {
	t.Helper()
	return account1{awsfake.New(awsfake.Options{}), t}
}

func (a account1) pipelines() *codepipeline.Service { return a.Pipelines(account, region) }

// decl is a pipeline of three stages: Source, Build with Compile, Production with SignOff and, after it, Deploy.
func decl(name string, with map[string]any) map[string]any {
	action := func(name, category, provider string, order int, more map[string]any) map[string]any {
		a := map[string]any{"name": name, "runOrder": order, "actionTypeId": map[string]any{"category": category, "owner": "AWS", "provider": provider, "version": "1"}}
		for k, v := range more {
			a[k] = v
		}
		return a
	}
	in, out := []any{map[string]any{"name": "Source"}}, []any{map[string]any{"name": "Source"}}
	d := map[string]any{
		"name": name, "roleArn": "arn:aws:iam::111122223333:role/pipeline", "pipelineType": "V2", "executionMode": "SUPERSEDED",
		"artifactStore": map[string]any{"type": "S3", "location": "acme-art"},
		"stages": []any{
			map[string]any{"name": "Source", "actions": []any{action("Checkout", "Source", "CodeCommit", 1, map[string]any{
				"outputArtifacts": out, "namespace": "Src", "configuration": map[string]any{"RepositoryName": "webshop", "BranchName": "main"}})}},
			map[string]any{"name": "Build", "actions": []any{action("Compile", "Build", "CodeBuild", 1, map[string]any{
				"inputArtifacts": in, "configuration": map[string]any{"ProjectName": "webshop", "EnvironmentVariables": "#{Src.CommitId}"}})}},
			map[string]any{"name": "Production", "actions": []any{
				action("SignOff", "Approval", "Manual", 1, nil),
				action("Deploy", "Deploy", "CodeDeploy", 2, map[string]any{"inputArtifacts": in, "configuration": map[string]any{"ApplicationName": "webshop"}})}},
		},
	}
	for k, v := range with {
		d[k] = v
	}
	return d
}

// stageOf is the nth stage of a declaration, to be changed.
func stageOf(d map[string]any, n int) map[string]any { return d["stages"].([]any)[n].(map[string]any) }

// must carries an operation out as bob in the console, and fails the test when it is refused.
func (a account1) must(op string, in map[string]any) map[string]any {
	a.t.Helper()
	var out map[string]any
	if err := a.Console(bob, region).Do(op, in, &out); err != nil {
		a.t.Fatal(err)
	}
	return out
}

// refused carries an operation out that must be refused with the code.
func (a account1) refused(op string, in map[string]any, code string) {
	a.t.Helper()
	err := a.Console(bob, region).Do(op, in, nil)
	if err == nil || !strings.Contains(err.Error(), ": "+code+": ") {
		a.t.Errorf("%s %v: %v, want %s", op, in, err, code)
	}
}

func (a account1) create(d map[string]any) {
	a.t.Helper()
	a.must("CreatePipeline", map[string]any{"pipeline": d})
}

func (a account1) start(name string) string {
	a.t.Helper()
	return a.must("StartPipelineExecution", map[string]any{"name": name})["pipelineExecutionId"].(string)
}

// state is GetPipelineState in short, a line for each stage.
func (a account1) state(name string) string {
	a.t.Helper()
	var b strings.Builder
	for _, x := range a.must("GetPipelineState", map[string]any{"name": name})["stageStates"].([]any) {
		st := x.(map[string]any)
		fmt.Fprintf(&b, "%s:", st["stageName"])
		if l, ok := st["latestExecution"].(map[string]any); ok {
			fmt.Fprintf(&b, " %s", a.number(name, l["pipelineExecutionId"]))
			if l["type"] != nil {
				fmt.Fprintf(&b, " %s", l["type"])
			}
			fmt.Fprintf(&b, " %s", l["status"])
		}
		for _, y := range st["actionStates"].([]any) {
			ac := y.(map[string]any)
			if l, ok := ac["latestExecution"].(map[string]any); ok {
				fmt.Fprintf(&b, " %s=%s", ac["actionName"], l["status"])
			}
		}
		in, _ := st["inboundExecutions"].([]any)
		for _, y := range in {
			e := y.(map[string]any)
			fmt.Fprintf(&b, " <%s %s", a.number(name, e["pipelineExecutionId"]), e["status"])
		}
		if tr, ok := st["inboundTransitionState"].(map[string]any); ok && tr["enabled"] == false {
			fmt.Fprintf(&b, " locked(%s)", tr["disabledReason"])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// list is an answer's list of objects.
func (a account1) list(op, key string, in map[string]any) []map[string]any {
	a.t.Helper()
	var all []map[string]any
	for _, x := range a.must(op, in)[key].([]any) {
		all = append(all, x.(map[string]any))
	}
	return all
}

func (a account1) executions(name string) []map[string]any {
	a.t.Helper()
	return a.list("ListPipelineExecutions", "pipelineExecutionSummaries", map[string]any{"pipelineName": name})
}

// number is an execution's place in the order of start, "#1".
func (a account1) number(name string, id any) string {
	a.t.Helper()
	all := a.executions(name)
	slices.Reverse(all)
	return fmt.Sprintf("#%d", 1+slices.IndexFunc(all, func(e map[string]any) bool { return e["pipelineExecutionId"] == id }))
}

// id is the ID of the nth execution.
func (a account1) id(name string, n int) string {
	a.t.Helper()
	all := a.executions(name)
	return all[len(all)-n]["pipelineExecutionId"].(string)
}

// history is all executions in short, oldest first.
func (a account1) history(name string) string {
	a.t.Helper()
	var words []string
	all := a.executions(name)
	slices.Reverse(all)
	for _, e := range all {
		word := e["status"].(string)
		if e["executionType"] == "ROLLBACK" {
			word += "(to " + a.number(name, e["rollbackMetadata"].(map[string]any)["rollbackTargetPipelineExecutionId"]) + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// token is that of the approval that waits in the state.
func (a account1) token(name string) string {
	a.t.Helper()
	for _, x := range a.must("GetPipelineState", map[string]any{"name": name})["stageStates"].([]any) {
		for _, y := range x.(map[string]any)["actionStates"].([]any) {
			l, _ := y.(map[string]any)["latestExecution"].(map[string]any)
			if t, ok := l["token"].(string); ok {
				return t
			}
		}
	}
	a.t.Fatal("no approval waits in " + name)
	return ""
}

func vote(name, token, status, summary string) map[string]any {
	return map[string]any{
		"pipelineName": name, "stageName": "Production", "actionName": "SignOff", "token": token,
		"result": map[string]any{"status": status, "summary": summary},
	}
}

func (a account1) approve(name string) {
	a.t.Helper()
	a.must("PutApprovalResult", vote(name, a.token(name), "Approved", "lgtm"))
}

func (a account1) wantState(name, want string) {
	a.t.Helper()
	if got := a.state(name); strings.TrimSpace(got) != strings.TrimSpace(want) {
		a.t.Errorf("the state is\n%swant\n%s", got, want)
	}
}

func (a account1) wantHistory(name, want string) {
	a.t.Helper()
	if got := a.history(name); got != want {
		a.t.Errorf("the executions are %q, want %q", got, want)
	}
}

// wire sends a signed request as a client does.
func wire(t *testing.T, url, service, target, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260302/"+region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=00")
	if target != "" {
		req.Header.Set("X-Amz-Target", target)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(out)
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
