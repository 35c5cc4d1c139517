package record

import "github.com/rollcall-bot/rollcall/workflows"

// Query selects executions of a pipeline, newest first.
type Query struct {
	Pipeline         string
	Limit            int // 0: 20; at most 100
	Before           int // only numbers below; 0: from the newest
	Status           workflows.Status
	SucceededInStage string
}
