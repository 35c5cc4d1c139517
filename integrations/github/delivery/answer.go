package delivery

import (
	"net/http"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// AnswerWithin is how long an answer may take: GitHub gives up after 10 s and never
// repeats by itself; one second is left for the answer.
const AnswerWithin = 9 * time.Second

// ProtectionEvent is the event by which GitHub asks whether a deployment may go on.
const ProtectionEvent = "deployment_protection_rule"

// Answer is what a delivery is answered, and what its receipt keeps.
type Answer struct {
	Duplicate bool     `json:"duplicate,omitempty"`
	Started   []string `json:"started"`
	Ignored   []string `json:"ignored"`
}

// Invalid refuses a delivery that makes no sense; detail says why.
func Invalid(detail string) *wire.Rejection {
	return &wire.Rejection{Status: http.StatusBadRequest, Code: workflows.CodeValidation, Detail: detail}
}
