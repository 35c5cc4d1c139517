package awsfake

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/protocol"
)

// Trouble is a kind of fault.
type Trouble string

// The kinds of trouble.
const (
	Throttle     Trouble = "throttle"     // refused as too fast
	ServerError  Trouble = "serverError"  // 500 without an effect
	Slow         Trouble = "slow"         // held before the effect, until Faults is called again
	CutBefore    Trouble = "cutBefore"    // the connection breaks, nothing has happened
	CutAfter     Trouble = "cutAfter"     // it has happened, and the connection breaks
	ExpiredToken Trouble = "expiredToken" // the credentials are refused as expired
	Refuse       Trouble = "refuse"       // refused with Code and Message
)

// Fault is trouble for some calls.
type Fault struct {
	Operation     string // as IAM writes it, "codepipeline:RollbackStage"; "codepipeline:*"; empty: all
	Trouble       Trouble
	Times         int     // how many calls; 0: until Faults is called again
	Share         float64 // of the calls, evenly spread; 0: all
	Code, Message string  // of Refuse
	Status        int     // of Refuse; 0: as AWS's model says
	seen          int
}

func (f *Fault) matches(operation string) bool {
	if service, ok := strings.CutSuffix(f.Operation, "*"); ok {
		return strings.HasPrefix(operation, service)
	}
	return f.Operation == "" || f.Operation == operation
}

// faults are those that are on.
type faults struct {
	mu   sync.Mutex
	on   []*Fault
	lift chan struct{}
}

// Faults puts these faults in place of those that were on, and lets go what Slow holds.
func (s *Server) Faults(list ...Fault) {
	f := &s.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lift != nil {
		close(f.lift)
	}
	f.lift = make(chan struct{})
	f.on = nil
	for _, one := range list {
		f.on = append(f.on, &one)
	}
}

// take returns the first fault for the operation, and counts it.
func (f *faults) take(operation string) (fault Fault, lifted <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, one := range f.on {
		if !one.matches(operation) {
			continue
		}
		one.seen++
		if one.Share > 0 && int(float64(one.seen)*one.Share) == int(float64(one.seen-1)*one.Share) {
			continue
		}
		if one.Times == 1 {
			f.on = slices.Delete(f.on, i, i+1)
		}
		one.Times--
		return *one, f.lift
	}
	return Fault{}, nil
}

// hold waits for the lift; a caller that goes away gets no effect.
func hold(ctx context.Context, lifted <-chan struct{}) {
	select {
	case <-lifted:
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	}
}

// refusal is what the fault answers; nil: it lets the call happen.
func (f *Fault) refusal(c *protocol.Call) *api.Error {
	switch f.Trouble {
	case Throttle:
		return throttled(c)
	case ServerError:
		return refuse(http.StatusInternalServerError, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure.")
	case ExpiredToken:
		return expired(c)
	case Refuse:
		return &api.Error{Code: f.Code, Message: f.Message, Status: f.Status}
	}
	return nil
}

// throttled is how a service says that it is asked too often.
func throttled(c *protocol.Call) *api.Error {
	switch {
	case c.Service == "s3":
		return refuse(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	case c.Service == "sqs":
		return refuse(http.StatusBadRequest, "RequestThrottled", "Rate exceeded")
	case c.Service == "lambda":
		return refuse(http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
	case c.Query():
		return refuse(http.StatusBadRequest, "Throttling", "Rate exceeded")
	}
	return refuse(http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
}

// Call is a call in the journal.
type Call struct {
	At             time.Time
	Service        string // as IAM writes it: "codepipeline", "sts" …
	Operation      string
	Account        string // in which it acts
	Region         string
	AccessKeyID    string // empty: the owner, by Console
	Principal      string // the ARN of the user or of the session
	Role           string // of a session: the ARN of the role
	Session        string // its name
	ExternalID     string // that AssumeRole was given
	SourceIdentity string
	Input          []byte      // JSON; of a query protocol the parameters as an object
	Status         int         // of HTTP; 0: not answered yet, or the connection was cut before the effect
	Code           string      // of the refusal
	Output         []byte      // as it was sent, or would have been
	Header         http.Header // of the answer
	Trouble        Trouble
}

// Name is the operation as IAM writes it.
func (c *Call) Name() string { return c.Service + ":" + c.Operation }

// Changes says whether the call changes a pipeline, or would if it were allowed.
func (c *Call) Changes() bool {
	return c.Service == "codepipeline" && !strings.HasPrefix(c.Operation, "Get") && !strings.HasPrefix(c.Operation, "List")
}

// Calls are all calls so far, those of Console too, oldest first.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Call, 0, len(s.journal))
	for _, c := range s.journal {
		list = append(list, *c)
	}
	return list
}

// Wait waits until the calls are as wanted. until must not call the server.
func (s *Server) Wait(ctx context.Context, until func([]Call) bool) error {
	return s.changes.Wait(ctx, func() bool { return until(s.Calls()) })
}
