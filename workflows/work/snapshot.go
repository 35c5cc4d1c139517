package work

import (
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// BridgeAction is the type of the tasks that ask AWS CodePipeline for something:
// who carries them out is registered as the runner of "Bridge/CodePipeline".
func BridgeAction() workflows.ActionType {
	return workflows.ActionType{Category: "Bridge", Owner: "AWS", Provider: "CodePipeline", Version: "1"}
}

// Snapshot is a pipeline that stays in AWS CodePipeline, whole, as one look saw it.
type Snapshot struct {
	Pipeline string            // its name here
	At       time.Time         // when the look began
	Lost     *workflows.Reason // it could not be looked at; nothing else is set then
	Stages   []SnapshotStage   // in AWS's order
	// Executions are in AWS's order of start, oldest first: all unfinished ones
	// and those that changed since the last look; at the first look of a process
	// the last 100. ID and Number are empty; ExternalID is AWS's ID, and so is
	// Rollback.Target. Version, Type, Status, Trigger, revisions, variables and the
	// times are AWS's.
	//
	// Their stages are those that the execution has come to or has still to do, as
	// far as they are known; Since is when the stage took its status. An action is in its
	// latest attempt; where AWS counts no attempts, Attempt is 0. Of an approval that
	// waits, Handle is the token that PutApprovalResult takes; of one that was
	// answered, Approval.Votes holds the one answer that AWS knows: who (By.ID is the
	// ARN), Answer, Comment (its summary), At. Approval.Closed is "expired" where time ran
	// out and what waited went on all the same (Status Succeeded), as hooks of ECS may.
	Executions []workflows.Execution
}

// SnapshotStage is a stage of the pipeline itself, as one look saw it.
type SnapshotStage struct {
	Name       string
	Transition workflows.Transition // Enabled, Reason, By, At: as AWS says them
	Inbound    []string             // AWS's IDs of the executions that wait before it, in its order
}

// Request is what a bridge's runner is to ask AWS CodePipeline for. It answers
// Succeeded, with the execution that a start or a rollback began as ExternalID, or
// Failed with AWS's code (without "Exception") and words.
type Request struct {
	ID     string              `json:"id"`
	Bridge workflows.Bridge    `json:"bridge"`
	Verb   workflows.Verb      `json:"verb"`
	By     workflows.Principal `json:"by"`
	At     time.Time           `json:"at"`
	// ExternalID is AWS's ID of the execution concerned: stop, retry, approve,
	// reject, override; of a rollback the target's.
	ExternalID string `json:"externalId,omitempty"`
	Stage      string `json:"stage,omitempty"`
	Action     string `json:"action,omitempty"`
	Token      string `json:"token,omitempty"` // of the approval; of a start the client request token
	Text       string `json:"text,omitempty"`  // the reason or the summary; the bridge makes it legal
	// Intent is what was asked: variables, revisions, abandon, all, condition.
	Intent workflows.Intent `json:"intent"`
}
