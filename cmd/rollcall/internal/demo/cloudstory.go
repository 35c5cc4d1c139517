package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// InConsole is the step of approving in AWS's console. It comes only where there is an AWS.
const InConsole Step = "console"

// sky is how things stand in AWS, as rollcall knows them.
type sky struct {
	web, pay []workflows.Execution // newest first
	gates    []say.OpenApproval
	me       string
}

func (d *Demo) readSky(ctx context.Context) (*sky, error) {
	at := d.engine.Load()
	if at == nil {
		return nil, errStarting
	}
	e, us := *at, workflows.EnginePrincipal()
	s := &sky{me: mail("ana")}
	var err error
	for name, list := range map[string]*[]workflows.Execution{"webshop": &s.web, "payments": &s.pay} {
		if *list, err = e.Executions(ctx, us, record.Query{Pipeline: name, Limit: 30}); err != nil && !strings.Contains(err.Error(), "no pipeline") {
			return nil, fmt.Errorf("look at the executions: %w", err)
		}
	}
	if s.gates, err = e.Approvals(ctx, us); err != nil {
		return nil, fmt.Errorf("look at the gates: %w", err)
	}
	return s, nil
}

func (d *Demo) cloudState(ctx context.Context, s *State) error {
	sky, err := d.readSky(ctx)
	if err != nil {
		return err
	}
	if s.AWS, err = d.cloud.shown(); err != nil {
		return err
	}
	s.Step, s.Next = sky.step()
	s.Deploying = slices.ContainsFunc(slices.Concat(sky.web, sky.pay), deploys)
	return nil
}

func deploys(x workflows.Execution) bool {
	st, ok := x.Stage("Production")
	if !ok {
		return false
	}
	a, ok := st.Action("Deploy")
	return ok && a.Status == workflows.StatusInProgress
}

// newestRun is the newest execution that is no rollback, and what rolled back after it.
func newestRun(list []workflows.Execution) (run, back *workflows.Execution) {
	for i := range list {
		if list[i].Type == workflows.TypeRollback {
			if back == nil {
				back = &list[i]
			}
			continue
		}
		return &list[i], back
	}
	return nil, back
}

// forConsole says whether a gate is the one that the visitor answers in AWS.
func forConsole(g *say.OpenApproval) bool { return g.Number == 3 }

func (s *sky) gate() *say.OpenApproval {
	for i := range s.gates {
		if !answered(&s.gates[i], s.me) {
			return &s.gates[i]
		}
	}
	return nil
}

// step is what the visitor should do next.
func (s *sky) step() (Step, string) {
	web, _ := newestRun(s.web)
	pay, back := newestRun(s.pay)
	switch g := s.gate(); {
	case web == nil || pay == nil:
		return Watch, "rollcall looks at two pipelines in AWS: a few seconds"
	case g != nil && forConsole(g):
		return InConsole, fmt.Sprintf("Approve %s in the AWS console, as somebody without rollcall would", ref(g))
	case g != nil:
		return Approve, fmt.Sprintf("Click Approve on the card for %s: AWS waits for it", ref(g))
	case len(s.gates) > 0:
		return Watch, fmt.Sprintf("Ben looks at %s", ref(&s.gates[0]))
	case back != nil && !back.Status.Final():
		return Watch, fmt.Sprintf("AWS rolls payments back to #%d", back.Rollback.TargetNumber)
	case pay.Status == workflows.StatusFailed && (back == nil || back.Status != workflows.StatusSucceeded):
		return RollBack, fmt.Sprintf("%s failed in AWS: click Roll back Production on its card", pay.Ref())
	case !web.Status.Final():
		return Watch, fmt.Sprintf("AWS runs %s: watch its card and the console", web.Ref())
	case !pay.Status.Final():
		return Watch, fmt.Sprintf("AWS runs %s: watch its card and the console", pay.Ref())
	case web.Number < 3:
		return Watch, "Dan pushes the next change"
	}
	return Done, "That was the story. Push again, approve here or in AWS, or press kill -9"
}

func ref(g *say.OpenApproval) string { return fmt.Sprintf("%s#%d", g.Pipeline, g.Number) }

// playCloud plays Dan, who pushes, and Ben, who looks at gates, until ctx ends. What is to be done is derived anew every time.
func (d *Demo) playCloud(ctx context.Context, _ Engine) {
	clicked := map[string]time.Time{}
	for ctx.Err() == nil {
		_, changed := d.beats.now()
		d.cloud.aws.CatchUp()
		s, err := d.readSky(ctx)
		if err == nil {
			d.answerCloud(ctx, s, clicked)
			err = d.pushNext(s)
		}
		if err != nil && ctx.Err() == nil {
			d.log.Debug("the demo's people could not act yet", "err", err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// answerCloud has Ben approve in Slack where it is not the visitor's turn.
func (d *Demo) answerCloud(ctx context.Context, s *sky, clicked map[string]time.Time) {
	sc := &scene{me: s.me, gates: slices.DeleteFunc(slices.Clone(s.gates), func(g say.OpenApproval) bool { return forConsole(&g) })}
	d.answerGates(ctx, sc, clicked)
}

// pushNext has the story's next change arrive in AWS, once.
func (d *Demo) pushNext(s *sky) error {
	web, err := d.cloud.executions(webPipeline)
	if err != nil {
		return err
	}
	pay, err := d.cloud.executions(payPipeline)
	if err != nil {
		return err
	}
	newest, _ := newestRun(s.web)
	_, back := newestRun(s.pay)
	switch {
	case len(web) == 2 && len(pay) == 2 && newest != nil && newest.Number == 2 && newest.Status == workflows.StatusSucceeded:
		return d.cloud.start(payPipeline)
	case len(web) == 2 && len(pay) > 3 && back != nil && back.Status == workflows.StatusSucceeded:
		return d.cloud.start(webPipeline)
	}
	return nil
}

// pushToCloud has a change arrive in the repository of a pipeline.
func (d *Demo) pushToCloud(_ context.Context, what string) error {
	name := what + "-pipeline"
	if name != webPipeline && name != payPipeline {
		return fmt.Errorf("there is nothing called %q to push to: webshop or payments", what)
	}
	web, err := d.cloud.executions(webPipeline)
	if err != nil {
		return err
	}
	if len(web) < 3 {
		return errors.New("the story pushes by itself until its end: do its next step first")
	}
	defer d.beats.bump()
	return d.cloud.start(name)
}
