package app

import (
	"slices"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/workflows"
)

// warn says in the log what is not wrong with a file, and what its pipeline asks of
// a configuration that knows nothing of it.
func (d *definitions) warn(r *reading) {
	for _, problem := range r.Warnings {
		d.log.Warn("pipeline file", "problem", problem)
	}
	if r.template || r.isBroken() {
		return
	}
	d.strangers(r)
	d.abroad(r)
	d.unheard(r)
	d.unasked(r)
}

// gatesInJira names the gates of a pipeline that are answered in Jira.
func gatesInJira(p *workflows.Pipeline) (names []string) {
	for _, st := range p.Stages {
		for i := range st.Actions {
			if a := &st.Actions[i]; a.InJira() != nil {
				names = append(names, st.Name+"/"+a.Name)
			}
		}
	}
	return names
}

// unasked warns of gates that are answered in Jira, where the configuration has no
// Jira, or says of nobody who they are there.
func (d *definitions) unasked(r *reading) {
	known := slices.ContainsFunc(d.config.People, func(p config.Person) bool { return p.Jira != "" })
	for _, gate := range r.InJira {
		switch {
		case d.config.Jira == nil:
			d.log.Warn("a pipeline file has an approval in Jira", "file", r.path, "problem", gate+" is asked for in chat only: `jira` is not in the configuration", "hint", "docs/jira.md says what to set")
		case !known:
			d.log.Warn("a pipeline file has an approval in Jira", "file", r.path, "problem", gate+" is answered by nobody there: `people` names no Jira account", "hint", "people: [{email: ana@acme.example, jira: ACCOUNT-ID}]")
		}
	}
}

// byEvents names what starts a pipeline by events of AWS only.
func byEvents(p *workflows.Pipeline) (names []string) {
	if slices.ContainsFunc(p.Triggers, func(t workflows.Trigger) bool { return t.Event != nil }) {
		names = append(names, "a trigger with an event")
	}
	for _, a := range p.Stages[0].Actions {
		if a.ActionType.Provider == "ECR" && !a.Polls() {
			names = append(names, "the ECR source "+a.Name)
		}
	}
	return names
}

// unheard warns of what starts by events of AWS, where the configuration names no queue of them.
func (d *definitions) unheard(r *reading) {
	if d.config.AWS != nil && d.config.AWS.Events.QueueURL != "" {
		return
	}
	for _, name := range r.ByEvents {
		d.log.Warn("a pipeline file waits for events of AWS that do not come", "file", r.path, "problem", name+" starts nothing: aws.events.queueURL is not in the configuration", "hint", "docs/aws-events.md says how to set the queue up")
	}
}

// strangers warns of names in a definition that the configuration does not know: a gate that asks them waits for nobody.
func (d *definitions) strangers(r *reading) {
	for _, who := range r.Who {
		if fault := d.policy.CheckWho(who); fault != nil {
			d.log.Warn("a pipeline file names somebody unknown", "file", r.path, "problem", fault.Message, "hint", fault.Hint)
		}
		if why := d.unanswered(who); why != "" {
			d.log.Warn("a pipeline file names a group that nobody here knows", "file", r.path, "problem", why)
		}
	}
}

// abroad warns of actions and rules that work in AWS, where the configuration says
// nothing of it, or not where AWS finds artifacts.
func (d *definitions) abroad(r *reading) {
	if d.config.AWS != nil && d.config.AWS.Region != "" {
		for i := 0; d.config.AWS.Artifacts == nil && i < len(r.Bucket); i++ {
			d.log.Warn("a pipeline file has an action or a rule that reads or writes artifacts in AWS", "file", r.path, "problem", r.Bucket[i]+" needs aws.artifacts", "hint", "name the bucket: artifacts: {bucket: …} in the section aws. An execution fails when it comes there")
		}
		return
	}
	for _, provider := range r.AWS {
		d.log.Warn("a pipeline file has an action or a rule that works in AWS", "file", r.path, "problem", provider+" needs `aws` in the configuration", "hint", "docs/aws-actions.md says what to set; an execution fails when it comes there")
	}
}
