package store

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// benchStep is what one commit adds to one pipeline when the last of three
// actions has ended: the stage is left, the next one entered, its three actions start.
func benchStep(pipeline string, seq uint64) event.Frame {
	id := fmt.Sprintf("0195a000-0001-7000-8000-%012x", seq)
	at := goldenNoon.Add(time.Duration(seq) * time.Second)
	of := func(kind event.Kind, stage, action string) event.Event {
		at = at.Add(13 * time.Microsecond)
		e := event.Event{Kind: kind, At: at, By: workflows.EnginePrincipal(), Execution: id, Stage: stage, Action: action}
		if action != "" {
			e.Attempt = 1
		}
		switch kind {
		case event.ActionSucceeded:
			e.Outcome = &event.Outcome{}
		case event.ActionStarted:
			e.Start = &event.ActionStart{Task: usualTask(id, stage, action, 1), Host: "build-1-0a1b2c3d", Deadline: at.Add(time.Hour)}
		}
		return e
	}
	return event.Frame{Pipeline: pipeline, Seq: seq, Events: []event.Event{
		of(event.ActionSucceeded, "Staging", "Deploy"), of(event.ActionSucceeded, "Staging", "Migrate"), of(event.ActionSucceeded, "Staging", "Smoke"),
		of(event.StageSucceeded, "Staging", ""), of(event.StageEntered, "Production", ""),
		of(event.ActionStarted, "Production", "Deploy"), of(event.ActionStarted, "Production", "Migrate"), of(event.ActionStarted, "Production", "Smoke"),
	}}
}

// benchClick is what an approval adds.
func benchClick(pipeline string, seq uint64) event.Frame {
	f := benchStep(pipeline, seq)
	vote := event.Event{Kind: event.GateVoted, At: f.Events[0].At, By: goldenAna, Execution: f.Events[0].Execution, Stage: "Staging", Action: "SignOff", Attempt: 1, Token: f.Events[0].Execution,
		Vote: &workflows.Vote{By: goldenAna, Answer: "approve", At: goldenNoon, Via: "slack", In: []string{"group:release-managers"}}}
	closed := vote
	closed.Kind, closed.Vote, closed.Text, closed.Token = event.GateClosed, nil, "approved", ""
	f.Events = append([]event.Event{vote, closed}, f.Events[3:]...)
	return f
}

// benchEnded is an execution of four stages of three actions.
func benchEnded(pipeline string, n int) workflows.Execution {
	x := goldenExecution(41, workflows.StatusSucceeded)
	x.ID, x.Number, x.Pipeline, x.EndedAt = fmt.Sprintf("0195a000-0001-7000-8000-%012x", n), n, pipeline, &goldenNoon
	for i := range 4 {
		st := workflows.StageExecution{Name: fmt.Sprint("Stage", i), Status: workflows.StatusSucceeded, Attempt: 1}
		for j := range 3 {
			at := goldenNoon.Add(time.Duration(n+i*1000+j) * time.Millisecond)
			st.Actions = append(st.Actions, workflows.ActionExecution{Name: fmt.Sprint("Action", j), RunOrder: 1, Provider: "Commands", Status: workflows.StatusSucceeded, Attempt: 1, StartedAt: &goldenNoon, EndedAt: &at, Host: "build-1-0a1b2c3d"})
		}
		x.Stages = append(x.Stages, st)
	}
	return x
}

// BenchmarkRows says what one row costs to make and to read. row-B is its size,
// json-B that of the same as JSON.
func BenchmarkRows(b *testing.B) {
	c := &codec{}
	x := benchEnded("webshop", 41)
	state := asBench(b, map[string]any{"name": "webshop", "definitions": map[string]any{"1": addedDefinition()}, "executions": []workflows.Execution{x, x}})
	step, click := benchStep("webshop", 7), benchClick("webshop", 7)
	for _, one := range []struct {
		name string
		as   []byte
		make func() ([]byte, error)
		read func(row []byte) error
	}{
		{"frame of a step", asBench(b, step), func() ([]byte, error) { return encodeBench(c, &step) }, func(row []byte) error { _, err := c.decodeFrame(1, row); return err }},
		{"frame of a click", asBench(b, click), func() ([]byte, error) { return encodeBench(c, &click) }, func(row []byte) error { _, err := c.decodeFrame(1, row); return err }},
		{"ended execution", asBench(b, x), func() ([]byte, error) { return c.encodeExecution(x) }, func(row []byte) error { _, err := c.decodeExecution(ended, row); return err }},
		{"checkpoint", state, func() ([]byte, error) { return c.encodeCheckpoint(&record.Checkpoint{Seq: 9, State: state}) }, func(row []byte) error { _, err := c.decodeCheckpoint("webshop", row); return err }},
		{"head", nil, func() ([]byte, error) {
			return encodeHead(&headRow{Last: 900, Feed: 90000, Hash: hash(nil), Due: goldenNoon})
		}, func(row []byte) error { _, err := decodeHead(row); return err }},
	} {
		row, err := one.make()
		if err != nil {
			b.Fatal(err)
		}
		b.Run("make "+one.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := one.make(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(row)), "row-B")
			b.ReportMetric(float64(len(one.as)), "json-B")
		})
		b.Run("read "+one.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := one.read(row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func encodeBench(c *codec, f *event.Frame) ([]byte, error) {
	body, err := c.encodeFrame(f)
	if err != nil {
		return nil, err
	}
	return chained(9, hash(nil), body)
}

func asBench(b *testing.B, v any) []byte {
	b.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// BenchmarkWrite says what a commit costs without the disk: of one click, of a
// step in 30 pipelines, and the same with every eighth execution ending.
func BenchmarkWrite(b *testing.B) {
	for _, one := range []struct {
		name    string
		commits func(seq uint64) *record.Commit
	}{
		{"click", func(seq uint64) *record.Commit {
			return &record.Commit{Frames: []event.Frame{benchClick("p000", seq)}, Dues: []record.Due{{Pipeline: "p000", At: goldenNoon}}}
		}},
		{"30 steps", func(seq uint64) *record.Commit { return benchSteps(seq, 0) }},
		{"30 steps, 4 ends", func(seq uint64) *record.Commit { return benchSteps(seq, 8) }},
	} {
		b.Run(one.name, func(b *testing.B) {
			db, err := Open(filepath.Join(b.TempDir(), "rollcall.db"), Options{NoSync: true})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			seq := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				seq++
				if err := db.Commit(context.Background(), one.commits(seq)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchSteps(seq uint64, ends int) *record.Commit {
	c := &record.Commit{}
	for i := range 30 {
		p := fmt.Sprintf("p%03d", i)
		c.Frames = append(c.Frames, benchStep(p, seq))
		c.Dues = append(c.Dues, record.Due{Pipeline: p, At: goldenNoon})
		if ends > 0 && i%ends == 0 {
			x := benchEnded(p, int(seq)*100+i)
			c.Executions = append(c.Executions, x)
			c.Successes = append(c.Successes, record.Success{Pipeline: p, Stage: "Stage0", Execution: x.ID, Number: x.Number})
		}
	}
	return c
}

// BenchmarkPipelines lists the ends of all pipelines' logs, as a start does. One
// operation is one listing.
func BenchmarkPipelines(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db, err := Open(filepath.Join(b.TempDir(), "rollcall.db"), Options{NoSync: true})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			c := &record.Commit{}
			for i := range n {
				p := fmt.Sprintf("service-%05d", i)
				c.Frames, c.Dues = append(c.Frames, benchStep(p, 1)), append(c.Dues, record.Due{Pipeline: p, At: goldenNoon})
			}
			if err := db.Commit(context.Background(), c); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if all, err := db.Pipelines(context.Background()); err != nil || len(all) != n {
					b.Fatal(len(all), err)
				}
			}
		})
	}
}

// BenchmarkNewest reads the newest page, one execution and a pipeline's state out
// of few and of many finished executions.
func BenchmarkNewest(b *testing.B) {
	for _, n := range []int{50, 50_000} {
		db, err := Open(filepath.Join(b.TempDir(), "rollcall.db"), Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		for i := 0; i < n; {
			c := &record.Commit{}
			for range 50 {
				i++
				p := fmt.Sprintf("p%03d", i%2*(i%100))
				c.Executions = append(c.Executions, benchEnded(p, i))
				c.Frames = append(c.Frames, benchStep("p000", uint64(i)))
			}
			if err := db.Commit(context.Background(), c); err != nil {
				b.Fatal(err)
			}
		}
		for name, read := range map[string]func() error{
			"page": func() error {
				_, err := db.Executions(context.Background(), record.Query{Pipeline: "p000"})
				return err
			},
			"execution": func() error { _, _, err := db.Execution(context.Background(), benchEnded("", 2).ID); return err },
			"frames":    func() error { _, err := db.Frames(context.Background(), "p000", uint64(n-20), 20); return err },
		} {
			b.Run(fmt.Sprintf("%s of %d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := read(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
