package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// declared is a pipeline that waits for nobody and runs nothing here.
func declared(name string, seconds int) string {
	return fmt.Sprintf(`
name: %s
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/webshop, BranchName: other}, outputArtifacts: [app]}]
  - name: Production
    actions:
      - {name: SignOff, provider: Manual, approval: {from: [group:release-managers], required: 2}}
      - {name: Deploy, provider: Wait, runOrder: 2, configuration: {seconds: "%d"}}
`[1:], name, seconds)
}

// send sends a declaration as YAML, or as JSON where it begins like it.
func (w *fixture) send(method, path, body string, header ...string) (int, map[string]any) {
	w.t.Helper()
	kind := "application/yaml"
	if strings.HasPrefix(body, "{") {
		kind = "application/json"
	}
	return w.request(method, "/api/v1/pipelines/"+path, []byte(body), append([]string{"Content-Type", kind}, header...)...)
}

func TestPipelinesAreDefinedOverTheAPI(t *testing.T) {
	w := newWorld(t)
	status, answer := w.send("PUT", "shop", declared("shop", 0))
	if status != http.StatusOK || answer["version"] != 1.0 || answer["changed"] != true || answer["managedBy"] != "api" || len(answer["stages"].([]any)) != 2 {
		t.Fatalf("create: %d %v", status, answer)
	}
	if status, answer = w.send("PUT", "shop", declared("shop", 0)); status != http.StatusOK || answer["version"] != 1.0 || answer["changed"] != false {
		t.Errorf("the same again: %d %v", status, answer)
	}
	weaker := `{"pipeline": {"name": "shop", "stages": [
		{"name": "Source", "actions": [{"name": "App", "provider": "GitHub", "configuration": {"FullRepositoryId": "acme/webshop", "BranchName": "other"}, "outputArtifacts": [{"name": "app"}]}]},
		{"name": "Production", "actions": [{"name": "SignOff", "provider": "Manual", "approval": {"from": ["group:release-managers"], "required": 1}}]}]}, "metadata": {"pipelineArn": "arn:aws:x"}}`
	status, answer = w.send("PUT", "shop", weaker, "If-Match", `"1"`)
	if weak, _ := answer["weakened"].([]any); status != http.StatusOK || answer["version"] != 2.0 || len(weak) != 1 || weak[0].(map[string]any)["old"] != "2 of group:release-managers" {
		t.Errorf("weaker: %d %v", status, answer)
	}
	if all, err := w.api.Executions(t.Context(), record.Query{Pipeline: "shop"}); err != nil || len(all) != 0 {
		t.Errorf("defining started %v, %v", all, err)
	}

	if v, err := w.api.Version(t.Context(), "shop", 1); err != nil || v.Version != 1 || len(v.Definition.Stages[1].Actions) != 2 {
		t.Errorf("version 1: %v %+v", err, v.Definition)
	}
	_, answer = w.request("GET", "/api/v1/pipelines/shop/versions", nil)
	versions, _ := answer["versions"].([]any)
	if len(versions) != 2 {
		t.Fatalf("versions: %v", answer)
	}
	newest := versions[0].(map[string]any)
	if by := newest["by"].(map[string]any); newest["version"] != 2.0 || newest["managedBy"] != "api" || newest["at"] == nil || by["id"] != "token:story" || len(newest["weakened"].([]any)) != 1 {
		t.Errorf("the newest version: %v", newest)
	}

	if status, answer = w.request("DELETE", "/api/v1/pipelines/shop", nil); status != http.StatusOK || answer["archived"] != true {
		t.Errorf("delete: %d %v", status, answer)
	}
	_, answer = w.request("GET", "/api/v1/pipelines", nil)
	if list := fmt.Sprint(answer["pipelines"]); strings.Contains(list, "name:shop ") {
		t.Errorf("an archived pipeline is listed: %s", list)
	}
	if status, answer = w.send("PUT", "shop", declared("shop", 1)); status != http.StatusOK || answer["version"] != 3.0 {
		t.Errorf("defined again: %d %v", status, answer)
	}
}

func TestADefinitionIsRefusedInWords(t *testing.T) {
	w := newWorld(t)
	if status, answer := w.send("PUT", "shop", declared("shop", 0)); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	for _, c := range []struct {
		method, path, body string
		header             []string
		status             int
		code, words        string
	}{
		{"PUT", "shop", declared("shop", 1), []string{"If-Match", `"7"`}, 409, "Changed", "shop is at version 1 by now"},
		{"PUT", "shop?version=0", declared("shop", 1), nil, 409, "Changed", "version 1"},
		{"PUT", "shop", declared("store", 1), nil, 400, "Validation", "the declaration is of store"},
		{"PUT", "shop", strings.ReplaceAll(declared("shop", 1), "provider: Wait", "provider: Wiat"), nil, 400, "Validation", "line 8, column"},
		{"PUT", "shop", "{", nil, 400, "Validation", "not JSON"},
		{"PUT", "shop", "extends: base.yaml\nname: shop\n", nil, 400, "Validation", "extends"},
		{"PUT", "shop", strings.Repeat("#", 10<<20), nil, 413, "TooLarge", "larger than"},
		{"PUT", "webshop", strings.ReplaceAll(declared("webshop", 1), "other", "main"), nil, 409, "ManagedByFile", "webshop.yaml"},
		{"DELETE", "webshop", "", nil, 409, "ManagedByFile", "webshop.yaml"},
		{"DELETE", "shup", "", nil, 404, "PipelineNotFound", "shup"},
		{"GET", "shup/versions", "", nil, 404, "PipelineNotFound", "shup"},
		{"GET", "shop?version=9", "", nil, 404, "PipelineVersionNotFound", "shop has no version 9"},
	} {
		status, answer := w.send(c.method, c.path, c.body, c.header...)
		if detail, _ := answer["detail"].(string); status != c.status || answer["code"] != c.code || !strings.Contains(detail, c.words) {
			t.Errorf("%s %s %.40q: %d %v, want %d %s %q", c.method, c.path, c.body, status, answer, c.status, c.code, c.words)
		}
	}
	_, answer := w.send("PUT", "shop", "name: shop\nstages:\n  - {name: Source, actons: []}\n  - {nam: B}\n")
	all, _ := answer["diagnostics"].([]any)
	if len(all) < 3 {
		t.Fatalf("diagnostics: %v", answer)
	}
	if first := all[0].(map[string]any); first["line"] != 3.0 || first["column"] == nil || first["message"] == nil {
		t.Errorf("the first of them: %v", first)
	}
	if v, err := w.api.Pipeline(t.Context(), "shop"); err != nil || v.Version != 1 {
		t.Errorf("something changed: version %d, %v", v.Version, err)
	}
	w.as("a-token-that-looks", func() {
		if status, answer := w.send("PUT", "shop", declared("shop", 1)); status != http.StatusForbidden || answer["code"] != "AccessDenied" {
			t.Errorf("without the right edit: %d %v", status, answer)
		}
	})
}

// Somebody with the right opens a gate that lacks answers; the record says what was missing for good.
func TestAnOverrideFillsWhatIsMissingAndStaysInTheRecord(t *testing.T) {
	w := newWorld(t)
	w.push("one", "First")
	w.approve(w.ana, 1)
	override := "/api/v1/executions/webshop%231/override"
	for _, c := range []struct {
		body   map[string]any
		status int
		code   string
		field  any
	}{
		{map[string]any{"stage": "Production", "condition": "APPROVAL"}, 400, "Validation", "reason"},
		{map[string]any{"stage": "Production", "condition": "ALL", "reason": "r"}, 400, "Validation", "condition"},
		{map[string]any{"stage": "Prodution", "reason": "r"}, 404, "StageNotFound", nil},
		{map[string]any{"stage": "Production", "condition": "BEFORE_ENTRY", "reason": "r"}, 409, "ConditionNotOverridable", nil},
	} {
		if status, answer := w.post(override, c.body); status != c.status || answer["code"] != c.code || answer["field"] != c.field {
			t.Errorf("%v: %d %v", c.body, status, answer)
		}
	}
	w.as("a-token-that-looks", func() {
		if status, answer := w.post(override, map[string]any{"stage": "Production", "reason": "r"}); status != http.StatusForbidden {
			t.Errorf("without the right override: %d %v", status, answer)
		}
	})
	if g := w.gate(1); g == nil || len(g.Votes) != 1 {
		t.Fatalf("the gate: %+v", g)
	}
	if status, answer := w.post(override, map[string]any{"stage": "Production", "condition": "APPROVAL", "reason": "the shop is down"}); status != http.StatusOK || answer["number"] != 1.0 {
		t.Fatalf("override: %d %v", status, answer)
	}
	w.ended(1, workflows.StatusSucceeded)
	e := w.execution(1)
	st, _ := e.Stage("Production")
	a, _ := st.Action("SignOff")
	if o := a.Approval.Override; a.Approval.Closed != "overridden" || o == nil || o.Without != "1 of 2 approvals" || o.Reason != "the shop is down" || o.By.ID != "token:story" {
		t.Errorf("the gate afterwards: %+v %+v", a.Approval, o)
	}
	if status, answer := w.post(override, map[string]any{"stage": "Production", "reason": "again"}); status != http.StatusConflict || answer["code"] != "ConditionNotOverridable" {
		t.Errorf("a second time: %d %v", status, answer)
	}
}

// What apply sends, and export writes, says what the file says.
func TestWhatIsSentIsWhatTheFileSays(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.yaml")
	if err == nil {
		var inAWS []string
		inAWS, err = filepath.Glob("../../examples/aws/*/*.[jy]*")
		files = append(files, inAWS...)
	}
	if samples := os.Getenv("ROLLCALL_SAMPLES"); samples != "" && err == nil {
		var more []string
		more, err = filepath.Glob(filepath.Join(samples, "codepipeline", "*.json"))
		files = append(files, more...)
	} else {
		t.Log("ROLLCALL_SAMPLES is not set: only the examples are read")
	}
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	read := 0
	for _, file := range files {
		p, _ := readDefinition(file)
		if p == nil {
			continue // a template, a test of pipelines, or the faulty sample
		}
		read++
		for kind, text := range map[string][]byte{"YAML": spec.Print(p), "JSON": spec.PrintJSON(p)} {
			if again, found := spec.Parse(kind, text); again == nil || again.Digest() != p.Digest() {
				t.Errorf("%s as %s says something else: %v\n%s", file, kind, found, text)
			}
		}
	}
	if read < 3 {
		t.Errorf("only %d of %d files were read", read, len(files))
	}
}
