// Package fill writes the data folder that a benchmark begins with.
//
// Executions run through the real engine, in this process, on a source that
// has its content in memory: what lies in the folder afterwards is what a
// service would have written, without a git fetch for each pipeline. A long
// history is one such execution repeated: the same frames, rows and indexes
// under other numbers, IDs and times, and the state that folding them gives.
package fill

import (
	"fmt"
	"strings"
)

// Plan says what is in the folder.
type Plan struct {
	Pipelines int // named p0, p1, …
	// Finished executions, half of them of p0, the others spread evenly.
	Finished int
	Parked   bool // each pipeline has one more, which waits at its gate
}

// Name is the name of a pipeline.
func Name(i int) string { return fmt.Sprintf("p%d", i) }

// shares says how many finished executions each pipeline has.
func (p Plan) shares() []int {
	all := make([]int, p.Pipelines)
	if p.Finished == 0 || p.Pipelines == 0 {
		return all
	}
	all[0] = p.Finished
	if p.Pipelines > 1 {
		all[0] = (p.Finished + 1) / 2
	}
	for i, left := 1, p.Finished-all[0]; i < p.Pipelines; i++ {
		all[i] = left / (p.Pipelines - i)
		left -= all[i]
	}
	return all
}

// Stages and ActionsPerStage are the work behind the gate: what a benchmark counts.
const Stages, ActionsPerStage = 4, 3

// Actions is the number of actions behind the gate.
const Actions = Stages * ActionsPerStage

// Definition is a pipeline file: a source, a gate that the token me answers,
// and stages of actions that end at once. Repository is a URL of Git.
func Definition(name, repository string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\ntriggers: []\nstages:\n", name)
	fmt.Fprintf(&b, "  - name: Source\n    actions: [{name: App, provider: Git, configuration: {Repository: %q, BranchName: main, PollForSourceChanges: \"false\"}, outputArtifacts: [app]}]\n", repository)
	b.WriteString("  - name: Gate\n    actions: [{name: Ok, provider: Manual, approval: {from: [\"token:me\"], requesterMayApprove: true}}]\n")
	for s := range Stages {
		fmt.Fprintf(&b, "  - name: S%d\n    actions:\n", s)
		for a := range ActionsPerStage {
			fmt.Fprintf(&b, "      - {name: A%d, provider: Wait}\n", a)
		}
	}
	return b.String()
}
