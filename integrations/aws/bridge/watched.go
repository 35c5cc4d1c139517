package bridge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	whileRunning    = 5 * time.Second // between two looks, while something runs
	lookTakes       = 3 * time.Minute // at most; the first one reads the history
	quietFaults     = 3               // failures in a row before people are told that a pipeline is not seen
	quietThrottling = 2 * time.Minute
	bothCalls       = 0.5 // calls per second of a line up to which an idle pipeline is asked for its state too, each time
)

// watched is a pipeline of a bridge, and what was last seen of it.
type watched struct {
	pauses *pauses // nil: it is a pipeline of CodePipeline
	of     *Bridges
	bridge *Bridge
	row    *Row
	line   *line
	wake   chan struct{} // holds one: look soon

	// Of the goroutine that looks.
	declared   *codepipeline.GetPipelineOutput
	inForce    *workflows.Pipeline
	state      *codepipeline.GetPipelineStateOutput
	executions map[string]*seen // by AWS's ID: unfinished ones, and the newest
	snapshot   work.Snapshot    // the last one
	looked     bool             // the history is told
	lost       string           // what was said about why it is not seen; empty: it is
	failures   int
	failing    time.Time // since
	turn       int       // counts the looks at the idle pipeline

	mu    sync.Mutex
	shown *workflows.Pipeline // the definition in force, for other goroutines
	heard []func()            // called after the next look, if it succeeds
}

// seen is an execution as it was last seen.
type seen struct {
	summary types.PipelineExecutionSummary
	actions map[string]types.ActionExecutionDetail // by ID
	rules   []types.RuleExecutionDetail
	vars    map[string]string
	final   bool
}

func newWatched(b *Bridges, of *Bridge, row *Row, l *line) *watched {
	return &watched{of: b, bridge: of, row: row, line: l, wake: make(chan struct{}, 1), executions: map[string]*seen{}}
}

// look has the pipeline looked at soon, and done called if that look succeeds. If it
// does not, what was heard comes again, and nothing is kept of it here.
func (w *watched) look(done func()) {
	if done != nil {
		w.mu.Lock()
		w.heard = append(w.heard, done)
		w.mu.Unlock()
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run looks at the pipeline until ctx ends.
func (w *watched) run(ctx context.Context) {
	var pause time.Duration
	for {
		timer := time.NewTimer(pause)
		hinted := false
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-w.wake:
			hinted = true
		case <-timer.C:
		}
		timer.Stop()
		select {
		case <-ctx.Done():
			return
		case w.line.turns <- struct{}{}:
		}
		pause = w.once(ctx, hinted)
		<-w.line.turns
	}
}

// once looks at the pipeline and returns after how long it is looked at again.
func (w *watched) once(ctx context.Context, hinted bool) time.Duration {
	w.mu.Lock()
	heard := w.heard
	w.heard = nil
	w.mu.Unlock()
	at := time.Now()
	late, cancel := context.WithTimeout(ctx, lookTakes)
	defer cancel()
	err := w.safely(late, at, hinted)
	if err == nil {
		if w.lost != "" {
			w.of.o.Log.Info("a pipeline in AWS is seen again", "pipeline", w.row.Name, "bridge", w.bridge.Name)
		}
		w.failures, w.failing, w.lost = 0, time.Time{}, ""
		for _, done := range heard {
			done()
		}
		return w.interval()
	}
	if ctx.Err() != nil {
		return 0
	}
	w.failed(ctx, at, err)
	w.failures++
	return min(work.Backoff(w.failures-1), 30*time.Second)
}

// safely looks once. What AWS shows of one pipeline must not end the process, which
// would look at it again at its next start.
func (w *watched) safely(ctx context.Context, at time.Time, hinted bool) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			w.of.o.Log.Error("a look at a pipeline in AWS panicked", "pipeline", w.row.Name, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = &engineError{fmt.Errorf("the look panicked: %v", fault)}
		}
	}()
	if w.pauses != nil {
		return w.pauses.see(ctx, at, hinted)
	}
	return w.see(ctx, at, hinted)
}

// interval is how long the pipeline is left alone.
func (w *watched) interval() time.Duration {
	for _, x := range w.executions {
		if !x.final {
			return min(whileRunning, w.bridge.Poll)
		}
	}
	return w.bridge.Poll
}

// failed tells people that the pipeline is not seen, unless that may pass in a moment.
func (w *watched) failed(ctx context.Context, at time.Time, err error) {
	log := w.of.o.Log.With("pipeline", w.row.Name, "bridge", w.bridge.Name)
	var engine *engineError
	if errors.As(err, &engine) {
		if text := err.Error(); w.lost != text {
			w.lost = text
			log.Error("what AWS shows of a pipeline could not be taken in", "err", engine.err)
		}
		return
	}
	if w.failing.IsZero() {
		w.failing = at
	}
	class := accounts.Classify(err)
	quiet := w.failures+1 < quietFaults
	switch class {
	case accounts.Denied, accounts.Refused, accounts.Credentials:
		quiet = false
	case accounts.Throttled:
		quiet = at.Sub(w.failing) < quietThrottling
	}
	reason := w.reason(err)
	log.Debug("a look at a pipeline in AWS failed", "code", reason.Code, "problem", reason.Message)
	if quiet || w.lost == reason.Message {
		return
	}
	if err := w.of.o.Engine().Observe(ctx, work.Snapshot{Pipeline: w.row.Name, At: at, Lost: reason}); err != nil {
		log.Debug("it could not be noted that a pipeline is not seen: it was never seen", "err", err)
	}
	w.lost = reason.Message
	log.Warn("a pipeline in AWS is not seen any more; it is tried again", "code", reason.Code, "problem", reason.Message)
}

// arn is the pipeline's; empty: it is not known yet.
func (w *watched) arn() string {
	if w.inForce == nil {
		return ""
	}
	return w.inForce.Bridge.ARN
}

// reason is a failure in words.
func (w *watched) reason(err error) *workflows.Reason {
	code, message := accounts.Words(err)
	switch accounts.Classify(err) {
	case accounts.Credentials:
		return &workflows.Reason{Code: "Credentials", Message: "AWS does not accept rollcall's credentials: " + message}
	case accounts.Denied:
		return &workflows.Reason{Code: "AccessDenied", Message: message, Finding: explain(err, w.arn(), "")}
	case accounts.Throttled:
		return &workflows.Reason{Code: "Throttled", Message: "AWS answers no calls for now: too many are made"}
	case accounts.Refused:
		if w.pauses != nil && (code == "ClusterNotFound" || code == "ServiceNotFound") {
			message = fmt.Sprintf("there is no service %s in the cluster %s of %s", w.row.Hooks.Service, w.row.Hooks.Cluster, w.bridge.Region)
		}
		if code == "PipelineNotFound" {
			message = fmt.Sprintf("there is no pipeline %s in %s any more", w.row.External, w.bridge.Region)
		}
		return &workflows.Reason{Code: code, Message: message}
	}
	return &workflows.Reason{Code: "AWSUnavailable", Message: message}
}

// engineError is one of the engine's, and not AWS's.
type engineError struct{ err error }

// Error is the engine's.
func (e *engineError) Error() string { return e.err.Error() }

// Unwrap is the engine's.
func (e *engineError) Unwrap() error { return e.err }
