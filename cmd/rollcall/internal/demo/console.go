package demo

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Console is AWS's console as the page shows it.
type Console struct {
	Region    string            `json:"region"`
	User      string            `json:"user"` // who is signed in there
	Pipelines []ConsolePipeline `json:"pipelines"`
}

// ConsolePipeline is a pipeline as AWS shows it.
type ConsolePipeline struct {
	Name   string         `json:"name"`
	As     string         `json:"as"` // its name in rollcall
	Stages []ConsoleStage `json:"stages"`
}

// ConsoleStage is a stage as AWS shows it.
type ConsoleStage struct {
	Name      string          `json:"name"`
	Execution string          `json:"execution"` // the beginning of AWS's ID
	Rollback  bool            `json:"rollback"`
	Status    string          `json:"status"`
	Inbound   string          `json:"inbound"`  // who waits before it
	Disabled  string          `json:"disabled"` // why its inbound transition is disabled; empty: it is enabled
	By        string          `json:"by"`       // who disabled it
	Actions   []ConsoleAction `json:"actions"`
}

// ConsoleAction is an action as AWS shows it.
type ConsoleAction struct {
	Name     string `json:"name"`
	Provider string `json:"provider"`
	Status   string `json:"status"`
	Text     string `json:"text"` // summary or error
	By       string `json:"by"`
	Waits    bool   `json:"waits"` // for an answer
}

// stageState is what the demo reads of GetPipelineState.
type stageState struct {
	Name   string `json:"stageName"`
	Latest struct {
		ID     string `json:"pipelineExecutionId"`
		Status string `json:"status"`
		Type   string `json:"type"`
	} `json:"latestExecution"`
	Inbound struct {
		ID string `json:"pipelineExecutionId"`
	} `json:"inboundExecution"`
	Transition struct {
		Enabled bool   `json:"enabled"`
		By      string `json:"lastChangedBy"`
		Reason  string `json:"disabledReason"`
	} `json:"inboundTransitionState"`
	Actions []struct {
		Name   string `json:"actionName"`
		Latest struct {
			Status  string `json:"status"`
			Summary string `json:"summary"`
			By      string `json:"lastUpdatedBy"`
			Token   string `json:"token"`
			Error   struct {
				Message string `json:"message"`
			} `json:"errorDetails"`
		} `json:"latestExecution"`
	} `json:"actionStates"`
}

func (c *cloud) states(pipeline string) ([]stageState, error) {
	var out struct {
		Stages []stageState `json:"stageStates"`
	}
	err := c.console().Do("GetPipelineState", map[string]any{"name": pipeline}, &out)
	return out.Stages, err
}

// shown is the console as it is now.
func (c *cloud) shown() (*Console, error) {
	out := &Console{Region: awsRegion, User: shortARN(consoleUser)}
	for _, name := range []string{webPipeline, payPipeline} {
		states, err := c.states(name)
		if err != nil {
			return nil, err
		}
		p := ConsolePipeline{Name: name, As: strings.TrimSuffix(name, "-pipeline")}
		for i := range states {
			p.Stages = append(p.Stages, states[i].shown(name))
		}
		out.Pipelines = append(out.Pipelines, p)
	}
	return out, nil
}

func (st *stageState) shown(pipeline string) ConsoleStage {
	s := ConsoleStage{Name: st.Name, Execution: st.Latest.ID[:min(8, len(st.Latest.ID))], Rollback: st.Latest.Type == "ROLLBACK", Status: st.Latest.Status,
		Inbound: st.Inbound.ID[:min(8, len(st.Inbound.ID))], Disabled: st.Transition.Reason, By: shortARN(st.Transition.By), Actions: []ConsoleAction{}}
	providers := map[string]string{"Checkout": "AWS CodeCommit", "Compile": "AWS CodeBuild", "SignOff": "Manual approval", "Deploy": "AWS CodeDeploy"}
	if pipeline == payPipeline {
		providers["Deploy"] = "AWS CodeBuild"
	}
	for _, a := range st.Actions {
		text := a.Latest.Summary
		if a.Latest.Error.Message != "" {
			text = a.Latest.Error.Message
		}
		s.Actions = append(s.Actions, ConsoleAction{Name: a.Name, Provider: providers[a.Name],
			Status: a.Latest.Status, Text: text, By: shortARN(a.Latest.By), Waits: a.Latest.Token != ""})
	}
	return s
}

// shortARN is who an ARN names: user/bob, assumed-role/rollcall-bridge/rollcall.
func shortARN(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	return parts[len(parts)-1]
}

// takeConsole is a click in AWS's console.
func (d *Demo) takeConsole(w http.ResponseWriter, r *http.Request) {
	var in struct{ Pipeline, Stage, Action, Answer string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&in); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"ok": false, "error": "say what to answer"})
		return
	}
	if d.cloud == nil {
		answer(w, http.StatusOK, map[string]any{"ok": false, "error": "this demo has no AWS: start it with --aws"})
		return
	}
	status, summary := "Approved", "lgtm"
	if in.Answer == "reject" {
		status, summary = "Rejected", "not today"
	}
	if err := d.cloud.answer(in.Pipeline, in.Stage, in.Action, status, summary); err != nil {
		answer(w, http.StatusOK, map[string]any{"ok": false, "error": err.Error()})
		return
	}
	d.beats.bump()
	answer(w, http.StatusOK, map[string]any{"ok": true})
}
