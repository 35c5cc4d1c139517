package workflows

// Problem is a refusal for people: what happened, to what, and what to do now.
// Nothing was changed. It is the only error that surfaces show in full.
type Problem struct {
	Code    string `json:"code"`            // one of the codes below
	Message string `json:"detail"`          // one sentence, lower case start unless a name, no full stop needed
	Hint    string `json:"hint,omitempty"`  // what to do now
	Field   string `json:"field,omitempty"` // Validation: which one
	ID      string `json:"id,omitempty"`    // names the refusal in the log
}

// Error is the sentence, with the hint behind it.
func (p *Problem) Error() string {
	if p.Hint == "" {
		return p.Message
	}
	return p.Message + " (" + p.Hint + ")"
}

// NotFound says whether there is no such pipeline or execution, for whoever asked.
func (p *Problem) NotFound() bool {
	return p.Code == CodePipelineNotFound || p.Code == CodeExecutionNotFound
}

// Problem codes: AWS's exception names without "Exception" where one exists (docs/errors.md has them all).
const (
	CodeValidation           = "Validation"
	CodePipelineNotFound     = "PipelineNotFound"
	CodeVersionNotFound      = "PipelineVersionNotFound"
	CodeStageNotFound        = "StageNotFound"
	CodeActionNotFound       = "ActionNotFound"
	CodeExecutionNotFound    = "PipelineExecutionNotFound"
	CodeLogNotFound          = "LogNotFound"
	CodeExecutionOutdated    = "PipelineExecutionOutdated"
	CodeStageNotRetryable    = "StageNotRetryable"
	CodeNotLatest            = "NotLatestPipelineExecution"
	CodeUnableToRollback     = "UnableToRollbackStage"
	CodeNotStoppable         = "PipelineExecutionNotStoppable"
	CodeDuplicatedStop       = "DuplicatedStopRequest"
	CodeApprovalCompleted    = "ApprovalAlreadyCompleted"
	CodeInvalidApprovalToken = "InvalidApprovalToken"
	CodeConflict             = "Conflict"
	CodeConcurrencyLimit     = "ConcurrentPipelineExecutionsLimitExceeded"
	CodeNotOverridable       = "ConditionNotOverridable"
	CodeAccessDenied         = "AccessDenied"
	CodeSelfApproval         = "SelfApproval"
	CodeNotAnApprover        = "NotAnApprover"
	CodeStageDisabled        = "StageDisabled"
	CodeChanged              = "Changed"
	CodeManagedByFile        = "ManagedByFile"
	CodeManagedByBridge      = "ManagedByBridge"
	CodeWatchOnly            = "WatchOnly"
	CodeAWSUnavailable       = "AWSUnavailable" // AWS did not answer: what was asked for may or may not follow
	CodeCommitUnknown        = "CommitUnknown"
	CodeUnavailable          = "Unavailable" // "could not check": a look-up failed; nothing was decided
)
