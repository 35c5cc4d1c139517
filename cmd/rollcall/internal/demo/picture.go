package demo

import (
	"context"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/spec/codepipeline"
)

// Picture is a pipeline of one's own with what runs in it, and its controls.
type Picture struct {
	Execution string         `json:"execution"` // "#3"; empty: nothing has run yet
	Stages    []PictureStage `json:"stages"`
	Speed     float64        `json:"speed"`
	Speeds    []float64      `json:"speeds"`
	Clock     int64          `json:"clock"` // the demo's, in Unix milliseconds
	Ahead     bool           `json:"ahead"` // of the machine's
	InAWS     []Difference   `json:"inAWS"`
}

// PictureStage is a stage: its steps one after the other, the actions of a step side by side.
type PictureStage struct {
	Name        string            `json:"name"`
	Environment string            `json:"environment"`
	Status      string            `json:"status"`
	Note        string            `json:"note"` // what keeps executions out, or what it waits for
	Gate        bool              `json:"gate"` // the visitor has added one
	First       bool              `json:"first"`
	Steps       [][]PictureAction `json:"steps"`
}

// PictureAction is an action as it stands.
type PictureAction struct {
	Name     string   `json:"name"`
	Provider string   `json:"provider"`
	Status   string   `json:"status"`
	Text     string   `json:"text"`
	Fails    bool     `json:"fails"` // when it runs next
	Gate     string   `json:"gate"`  // the token, while it waits for approval
	As       []Person `json:"as"`    // who may approve it
}

// Difference is what the same pipeline would do otherwise in AWS CodePipeline.
type Difference struct {
	Where string `json:"where"`
	Text  string `json:"text"`
}

// picture draws the pipeline as it is defined now, with its newest execution.
func (d *Demo) picture(ctx context.Context, sc *scene) (*Picture, error) {
	v, err := (*d.engine.Load()).Pipeline(ctx, workflows.EnginePrincipal(), d.pipeline(), 0)
	if err != nil || v.Definition == nil {
		return nil, err
	}
	c := d.place.known().Controls
	p := &Picture{Speed: max(c.Speed, 0), Speeds: speeds(), Clock: d.Now().UnixMilli(), Ahead: c.Ahead > 0, InAWS: d.play.differences}
	if p.Speed == 0 {
		p.Speed = 1
	}
	var x *workflows.Execution
	if len(sc.newest) > 0 {
		x = &sc.newest[0]
		p.Execution = x.Ref()[strings.LastIndexByte(x.Ref(), '#'):]
	}
	for i := range v.Definition.Stages {
		p.Stages = append(p.Stages, d.pictureStage(&v, &v.Definition.Stages[i], x, sc, &c))
		p.Stages[i].First = i == 0
	}
	return p, nil
}

func (d *Demo) pictureStage(v *workflows.PipelineView, def *workflows.Stage, x *workflows.Execution, sc *scene, c *controls) PictureStage {
	out := PictureStage{Name: def.Name, Environment: def.Environment, Status: string(workflows.StatusNotStarted), Gate: slices.Contains(c.Gates, def.Name)}
	var in *workflows.StageExecution
	if x != nil {
		if i := slices.IndexFunc(x.Stages, func(st workflows.StageExecution) bool { return st.Name == def.Name }); i >= 0 {
			in = &x.Stages[i]
			out.Status = string(in.Status)
		}
		if x.WaitsFor != nil && x.WaitsFor.Stage == def.Name {
			out.Note = (&say.Format{}).Wait(x.WaitsFor)
		}
		if in != nil && in.Status == workflows.StatusInProgress {
			if opens := waitsForWindow(x); opens != "" {
				out.Note = "outside its deployment window, " + opens
			}
		}
	}
	if st, ok := v.Stage(def.Name); ok && !st.Transition.Enabled && out.Note == "" {
		out.Note = def.Name + " is locked"
	}
	orders := map[int]int{}
	for _, a := range def.Actions {
		orders[a.RunOrder] = 0
	}
	sorted := make([]int, 0, len(orders))
	for o := range orders {
		sorted = append(sorted, o)
	}
	slices.Sort(sorted)
	for i, o := range sorted {
		orders[o] = i
	}
	out.Steps = make([][]PictureAction, len(sorted))
	for i := range def.Actions {
		at := orders[def.Actions[i].RunOrder]
		out.Steps[at] = append(out.Steps[at], d.pictureAction(def.Name, &def.Actions[i], in, sc, c))
	}
	return out
}

func (d *Demo) pictureAction(stage string, def *workflows.Action, in *workflows.StageExecution, sc *scene, c *controls) PictureAction {
	out := PictureAction{Name: def.Name, Provider: def.ActionType.Provider, Status: string(workflows.StatusNotStarted), As: []Person{},
		Fails: slices.Contains(c.Fail, stage+"/"+def.Name)}
	if in == nil {
		return out
	}
	a, ok := in.Action(def.Name)
	if !ok {
		return out
	}
	out.Status = string(a.Status)
	switch {
	case a.Error != nil:
		out.Text = a.Error.Message
	case a.Approval != nil:
		out.Text = (&say.Format{}).GateNow(a.Approval)
	}
	if a.Approval == nil || a.Needs != workflows.NeedsApproval {
		return out
	}
	for i := range sc.gates {
		if g := &sc.gates[i]; g.Approval.Token == a.Approval.Token {
			out.Gate, out.As = g.Approval.Token, d.mayApprove(g)
		}
	}
	return out
}

// mayApprove is who of the demo's people may still answer a gate.
func (d *Demo) mayApprove(g *say.OpenApproval) []Person {
	all := []Person{}
	for _, p := range d.demoUsers() {
		address := d.address(p.ID)
		if answered(g, address) || people(g.Approval.From) != "" && !slices.Contains(g.Approval.From, address) {
			continue
		}
		all = append(all, p)
	}
	return all
}

// differences are what would be otherwise if AWS ran the pipeline: what its form there has no match for.
func differences(p *workflows.Pipeline) []Difference {
	all := []Difference{}
	_, notes, err := codepipeline.Declaration(p, codepipeline.Known{RoleArn: "arn:aws:iam::111122223333:role/rollcall", Bucket: "rollcall-artifacts", ConnectionArn: "arn:aws:codeconnections:eu-west-1:111122223333:connection/00000000-0000-0000-0000-000000000000"})
	if err != nil {
		return append(all, Difference{Text: "CodePipeline would not take it: " + err.Error()})
	}
	for _, n := range notes {
		all = append(all, Difference{Where: n.Where, Text: strings.TrimSuffix(n.Text, "; kept for import")})
	}
	return all
}
