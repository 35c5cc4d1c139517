package card

import (
	"net/url"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// maxRequests is how many of the requests to AWS a card shows, the newest.
const maxRequests = 3

// acts says whether anything can be done with an execution from here: not with
// one in AWS that is only watched, or that is not seen at present.
func (v *View) acts() bool {
	b := v.Pipeline.Bridge
	return b == nil || b.Mode == workflows.BridgeActs && b.Error == nil
}

// bridge says of a pipeline in AWS that it is not seen, and that it is only watched.
func bridge(b *workflows.Bridge) []string {
	var lines []string
	if text := plainly().Lost(b); text != "" {
		lines = append(lines, "⚠️ "+layout.Sentence(text))
	}
	if text := plainly().WatchOnly(b); text != "" {
		lines = append(lines, "👀 "+layout.Sentence(text))
	}
	return lines
}

// requests are what AWS was asked to do and has not done: not answered yet, or
// refused and not asked again since.
func (v *View) requests() []string {
	var lines []string
	all := v.Execution.Requests
	for i := range all {
		if r := &all[i]; r.State != workflows.RequestDone && !repeated(all[i+1:], r) {
			lines = append(lines, requestIcon(r)+v.format().Request(r))
		}
	}
	return lines[max(0, len(lines)-maxRequests):]
}

// request is the newest by which AWS is told the answer of the gate; nil: there is none.
func (a *Asking) request() *workflows.Request {
	all := a.Execution.Requests
	for i := len(all) - 1; i >= 0; i-- {
		r := &all[i]
		if (r.Verb == workflows.Approve || r.Verb == workflows.Reject) && r.Stage == a.Stage && r.Action == a.Action && !r.At.Before(a.Approval.OpenedAt) {
			return r
		}
	}
	return nil
}

// sent says whether the gate is decided, and AWS has been told or is being told.
func (a *Asking) sent() bool {
	r := a.request()
	return r != nil && r.State != workflows.RequestRefused
}

// toAWS is what AWS was told of the gate, where it has not made anything of it.
func (a *Asking) toAWS() []string {
	r := a.request()
	if r == nil || a.Approval.Closed != "" {
		return nil
	}
	return []string{requestIcon(r) + a.format().Request(r)}
}

func requestIcon(r *workflows.Request) string {
	if r.State == workflows.RequestRefused {
		return "🙅 "
	}
	return "📨 "
}

// allRequests are what AWS was asked to do, the newest of many.
func (v *View) allRequests() []string {
	var lines []string
	all := v.Execution.Requests
	for i := range all[max(0, len(all)-20):] {
		lines = append(lines, "📨 "+v.format().Request(&all[max(0, len(all)-20):][i]))
	}
	return lines
}

// repeated says whether the same was asked for again.
func repeated(later []workflows.Request, r *workflows.Request) bool {
	for i := range later {
		if l := &later[i]; l.Verb == r.Verb && l.Stage == r.Stage && l.Action == r.Action {
			return true
		}
	}
	return false
}

// inAWS leads to AWS's page of the execution; empty for one that runs here.
func (v *View) inAWS() string {
	b, id := v.Pipeline.Bridge, v.Execution.ExternalID
	if say.IsECS(b) {
		return v.hookInAWS()
	}
	if b == nil || id == "" || b.Region == "" || strings.Trim(b.Region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return ""
	}
	name := b.External
	if name == "" {
		name = b.ARN[strings.LastIndexByte(b.ARN, ':')+1:]
	}
	if name == "" {
		name = v.Execution.Pipeline
	}
	return layout.Link("https://"+b.Region+consoleHost(b.ARN)+"/codesuite/codepipeline/pipelines/"+url.PathEscape(name)+"/executions/"+url.PathEscape(id)+"/visualization?region="+url.QueryEscape(b.Region), "AWS console")
}

// hookInAWS leads to AWS's page of the deployment that waits, or waited, at the hook.
func (v *View) hookInAWS() string {
	for i := range v.Execution.Stages {
		for _, a := range v.Execution.Stages[i].Actions {
			if a.ExternalURL != "" {
				return layout.Link(a.ExternalURL, "AWS console")
			}
		}
	}
	return ""
}

// hook is what a hook of ECS is about, for a gate that is closed: "web in prod at
// PRE_PRODUCTION_TRAFFIC_SHIFT, step 2 of 3"; empty for all other executions.
func (v *View) hook() string {
	of := v.Execution.Variables
	if !say.IsECS(v.Pipeline.Bridge) || of["service"] == "" {
		return ""
	}
	text := "⏸️ " + layout.Text(of["service"], 100) + " in " + layout.Text(of["cluster"], 100)
	if stage := of["lifecycleStage"]; stage != "" {
		text += " at " + layout.Text(stage, 60)
	}
	if step := of["step"]; step != "" {
		text += ", step " + layout.Text(step, 20)
	}
	return text
}

// consoleHost is where the partition of an ARN has its console, behind the region.
func consoleHost(arn string) string {
	switch {
	case strings.HasPrefix(arn, "arn:aws-cn:"):
		return ".console.amazonaws.cn"
	case strings.HasPrefix(arn, "arn:aws-us-gov:"):
		return ".console.amazonaws-us-gov.com"
	}
	return ".console.aws.amazon.com"
}

// outside is a decision that was made in AWS, as a sentence; empty for all others.
func outside(g *workflows.Approval) string {
	return layout.Sentence(plainly().Outside(g))
}

// decision is what became of a gate, in a few words; one that was decided in AWS
// says what was not asked.
func (v *View) decision(g *workflows.Approval) string {
	if text := v.format().Outside(g); text != "" {
		return strings.TrimSuffix(text, ".")
	}
	return v.format().Decision(g, false)
}

// commented are the votes whose comments stand on their own: what was said in AWS
// stands in the sentence about it.
func commented(g *workflows.Approval) []workflows.Vote {
	var some []workflows.Vote
	for i := range g.Votes {
		if v := &g.Votes[i]; v.Comment != "" && (g.Closed == "" || !say.IsOutside(v)) {
			some = append(some, *v)
		}
	}
	return some
}
