// Package auditor answers what the record says, to those who have the right
// audit: it reads the log as it lies in the store, and nothing it answers is
// kept anywhere else.
package auditor

import (
	"bytes"
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Log is the record as it lies in the store.
type Log interface {
	// Records returns records of all pipelines after a feed position, in order.
	Records(ctx context.Context, after uint64, limit int) ([]record.Stored, error)
	// RecordsOf returns records of one pipeline after a number, in order.
	RecordsOf(ctx context.Context, pipeline string, after uint64, limit int) ([]record.Stored, error)
	// Executions lists rows, newest first.
	Executions(ctx context.Context, q record.Query) ([]workflows.Execution, error)
}

// Engine judges who may audit, and knows the executions.
type Engine interface {
	Verdict(ctx context.Context, by workflows.Principal, v workflows.Verb, pipeline, stage string) (*workflows.Problem, []string, error)
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	Pipelines(ctx context.Context, viewer workflows.Principal) ([]workflows.PipelineView, error)
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
	// Versions lists the versions of a pipeline's definition, newest first.
	Versions(ctx context.Context, viewer workflows.Principal, pipeline string) ([]event.Version, error)
}

// atOnce is how many records are read together.
const atOnce = 256

// Auditor reads the record for whoever asks.
type Auditor struct {
	log    Log
	engine Engine
}

// New returns an auditor of a log.
func New(log Log, e Engine) *Auditor { return &Auditor{log: log, engine: e} }

// Records calls visit for the records of a selection that somebody may audit, in
// the order of their commits. A refusal comes before the first one.
func (a *Auditor) Records(ctx context.Context, by workflows.Principal, sel record.Selection, visit func(*record.Stored) error) error {
	s, err := a.selection(ctx, by, sel)
	if err != nil {
		return err
	}
	for {
		page, err := s.next(ctx)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			if wanted, err := s.wants(ctx, &page[i]); err != nil {
				return err
			} else if !wanted {
				continue
			}
			if err := visit(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < atOnce {
			return nil // what was committed meanwhile is for the next time
		}
	}
}

// selection is a walk along the record.
type selection struct {
	*Auditor
	record.Selection
	by      workflows.Principal
	mention []byte          // the execution's ID, as its events name it
	number  uint64          // where the walk is, of one pipeline
	may     map[string]bool // by pipeline
}

// selection checks that somebody may audit what they select, and finds where it begins.
func (a *Auditor) selection(ctx context.Context, by workflows.Principal, sel record.Selection) (*selection, error) {
	s := &selection{Auditor: a, Selection: sel, by: by, may: map[string]bool{}}
	if sel.Execution != "" {
		x, err := a.execution(ctx, by, sel.Execution)
		if err != nil {
			return nil, err
		}
		s.Pipeline, s.mention = x.Pipeline, []byte(x.ID)
		if s.number, err = a.before(ctx, x.Pipeline, x.StartedAt); err != nil {
			return nil, err
		}
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if s.Pipeline != "" {
		return s, a.checkPipeline(ctx, by, s.Pipeline)
	}
	return s, s.checkAny(ctx)
}

// begin turns the place of a record into one of the feed.
func (s *selection) begin(ctx context.Context) error {
	if s.Behind == "" {
		return nil
	}
	pipeline, number, ok := Place(s.Behind)
	if !ok {
		return noPlace(s.Behind)
	}
	if err := s.checkPipeline(ctx, s.by, pipeline); err != nil {
		return err
	}
	at, err := s.log.RecordsOf(ctx, pipeline, number-1, 1)
	if err != nil {
		return fmt.Errorf("find %s: %w", s.Behind, err)
	}
	if len(at) == 0 || at[0].Number != number {
		return &workflows.Problem{Code: workflows.CodeValidation, Field: "after", Message: fmt.Sprintf("%s has no record %d", pipeline, number), Hint: "name a record of an export, as webshop@42, or a time"}
	}
	s.After = at[0].Feed
	return nil
}

// Place reads "webshop@42".
func Place(text string) (pipeline string, number uint64, ok bool) {
	i := strings.LastIndexByte(text, '@')
	if i < 1 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(text[i+1:], 10, 63)
	return text[:i], n, err == nil && n > 0
}

func noPlace(text string) error {
	return &workflows.Problem{Code: workflows.CodeValidation, Field: "after", Message: fmt.Sprintf("%q is neither a time nor a record", text), Hint: "give a time as 2026-03-02T12:00:00Z, or a record as webshop@42"}
}

// next reads the next page.
func (s *selection) next(ctx context.Context) (page []record.Stored, err error) {
	if s.Pipeline != "" {
		if page, err = s.log.RecordsOf(ctx, s.Pipeline, s.number, atOnce); len(page) > 0 {
			s.number = page[len(page)-1].Number
		}
	} else if page, err = s.log.Records(ctx, s.After, atOnce); len(page) > 0 {
		s.After = page[len(page)-1].Feed
	}
	if err != nil {
		return nil, fmt.Errorf("read the record: %w", err)
	}
	return page, nil
}

func (s *selection) wants(ctx context.Context, r *record.Stored) (bool, error) {
	switch {
	case s.Pipeline != "" && r.Feed <= s.After, !s.Since.IsZero() && !r.At.After(s.Since), s.mention != nil && !bytes.Contains(r.Events, s.mention):
		return false, nil
	case s.Pipeline != "":
		return true, nil
	}
	may, known := s.may[r.Pipeline]
	if !known {
		refusal, _, err := s.engine.Verdict(ctx, s.by, workflows.Audit, r.Pipeline, "")
		if err != nil {
			return false, err
		}
		may = refusal == nil
		s.may[r.Pipeline] = may
	}
	return may, nil
}

// checkAny refuses whoever may audit nothing at all.
func (s *selection) checkAny(ctx context.Context) error {
	refusal, _, err := s.engine.Verdict(ctx, s.by, workflows.Audit, "", "")
	if err != nil || refusal == nil {
		return err
	}
	all, err := s.engine.Pipelines(ctx, workflows.EnginePrincipal())
	if err != nil {
		return err
	}
	for _, p := range all {
		no, _, err := s.engine.Verdict(ctx, s.by, workflows.Audit, p.Name, "")
		if err != nil {
			return err
		}
		if no == nil {
			return nil
		}
	}
	return refusal
}

// checkPipeline refuses whoever may not audit a pipeline, in the words for what
// is not there when they may not even see it.
func (a *Auditor) checkPipeline(ctx context.Context, by workflows.Principal, pipeline string) error {
	if _, err := a.engine.Pipeline(ctx, workflows.EnginePrincipal(), pipeline, 0); err != nil {
		return err
	}
	refusal, _, err := a.engine.Verdict(ctx, by, workflows.Audit, pipeline, "")
	if err != nil || refusal == nil {
		return err
	}
	if _, err := a.engine.Pipeline(ctx, by, pipeline, 0); err != nil {
		return err
	}
	return refusal
}

// execution finds an execution whose pipeline somebody may audit.
func (a *Auditor) execution(ctx context.Context, by workflows.Principal, ref string) (workflows.Execution, error) {
	x, err := a.engine.Execution(ctx, workflows.EnginePrincipal(), ref)
	if err != nil {
		return x, err
	}
	refusal, _, err := a.engine.Verdict(ctx, by, workflows.Audit, x.Pipeline, "")
	if err != nil || refusal == nil {
		return x, err
	}
	if _, err := a.engine.Execution(ctx, by, ref); err != nil {
		return x, err
	}
	return x, refusal
}

// before is the number of the last record of a pipeline before a time, found by
// halving: times never go back within a pipeline.
func (a *Auditor) before(ctx context.Context, pipeline string, at time.Time) (uint64, error) {
	var failed error
	earlier := func(number uint64) bool { // of record number+1; none is later than anything
		rs, err := a.log.RecordsOf(ctx, pipeline, number, 1)
		if err != nil {
			failed = err
		}
		return err == nil && len(rs) == 1 && rs[0].At.Before(at)
	}
	high := uint64(1)
	for earlier(high) {
		high *= 2
	}
	n := sort.Search(int(high), func(i int) bool { return !earlier(uint64(i)) }) //nolint:gosec // numbers of records are small
	if failed != nil {
		return 0, fmt.Errorf("find %s in the record of %s: %w", at.Format(time.RFC3339), pipeline, failed)
	}
	return uint64(n), nil //nolint:gosec // not negative
}
