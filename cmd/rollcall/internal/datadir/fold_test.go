package datadir

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// decided is a data folder of a pipeline that the machine has decided about: two
// executions, one of which has ended; change has its way with what is kept beside the log.
func decided(t *testing.T, change func(c *record.Commit)) (dir string) {
	t.Helper()
	dir = t.TempDir()
	db, err := store.Open(filepath.Join(dir, database), store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, at := machine.New("shop"), time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var c record.Commit
	decide := func(in machine.Input) {
		at = at.Add(time.Minute)
		in.At, in.By = at, workflows.EnginePrincipal()
		in.Seed[0]++
		events, err := s.Decide(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			s.Evolve(e)
		}
		c.Frames = append(c.Frames, event.Frame{Pipeline: "shop", Seq: uint64(len(c.Frames) + 1), Events: events})
		c.Executions = append(c.Executions, s.Departed()...)
	}
	action := workflows.Action{Name: "App", RunOrder: 1, ActionType: workflows.ActionType{Category: "Source", Owner: "Custom", Provider: "Git", Version: "1"}}
	p := &workflows.Pipeline{Name: "shop", ExecutionMode: workflows.ModeSuperseded, Stages: []workflows.Stage{{Name: "Source", Actions: []workflows.Action{action}}, {Name: "Deploy", Actions: []workflows.Action{action}}}}
	decide(machine.Input{Intent: &workflows.Intent{Verb: workflows.Edit, Pipeline: "shop", NewDefinition: p, ManagedBy: "api"}})
	for range 2 {
		decide(machine.Input{Intent: &workflows.Intent{Verb: workflows.Start, Pipeline: "shop"}})
		one := s.Unfinished()[0]
		decide(machine.Input{Intent: &workflows.Intent{Verb: workflows.StopExecution, Pipeline: "shop", Execution: one.ID, Abandon: true}})
	}
	decide(machine.Input{Intent: &workflows.Intent{Verb: workflows.Start, Pipeline: "shop"}})
	unfinished := s.Unfinished()
	unfinished[0].Artifacts = map[string]workflows.Artifact{}
	c.Executions = append(c.Executions, unfinished...)
	state, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	c.Checkpoints = []record.Checkpoint{{Pipeline: "shop", Seq: uint64(len(c.Frames)), State: state}}
	change(&c)
	if err := db.Commit(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What is decided by is compared with the log that it must follow from.
func TestCheckFoldsTheLog(t *testing.T) {
	replaced := func(old, now string) func(c *record.Commit) {
		return func(c *record.Commit) {
			before := string(c.Checkpoints[0].State)
			if c.Checkpoints[0].State = []byte(strings.ReplaceAll(before, old, now)); string(c.Checkpoints[0].State) == before {
				t.Fatalf("the state has no %s", old)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(c *record.Commit)
		kind   string // empty: all is well
		want   string
	}{
		"as it should be":                 {func(*record.Commit) {}, "", ""},
		"rows that retention has removed": {func(c *record.Commit) { c.Executions = c.Executions[1:] }, "", ""},
		"a lower count":                   {replaced(`"count":3`, `"count":2`), ofState, `shop: the checkpoint of frame 6 says "version 1, archived false, 2 executions so far", and the log says otherwise`},
		"an action that ended":            {replaced(`"status":"InProgress","attempt":1`, `"status":"Succeeded","attempt":1`), ofState, "is Succeeded, attempt 1"},
		"a locked stage":                  {replaced(`"enabled":true`, `"enabled":false`), ofState, "enabled false"},
		"no state":                        {replaced(`{"name":"shop"`, `["name"`), ofDatabase, "shop: "},
		"a row with another end":          {func(c *record.Commit) { c.Executions[0].Status = workflows.StatusFailed }, ofState, "the row of shop#1 says Failed, and the log says Stopped"},
		"an execution that is gone": {func(c *record.Commit) {
			s := &machine.State{}
			if err := json.Unmarshal(c.Checkpoints[0].State, s); err != nil {
				t.Fatal(err)
			}
			s.Executions = nil
			c.Checkpoints[0].State, _ = json.Marshal(s)
		}, ofState, "shop#3"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := decided(t, c.change)
			db, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			faults, err := Check(t.Context(), dir, db, Elsewhere{})
			if err != nil || (c.kind == "") != (len(faults) == 0) {
				t.Fatalf("found %q, %v", faults, err)
			}
			if c.kind != "" && (faults[0].Kind != c.kind || !strings.Contains(strings.Join(texts(faults), "\n"), c.want)) {
				t.Errorf("found %q, want %s: %s", faults, c.kind, c.want)
			}
			for _, f := range faults {
				if means, do := f.Explain(); means == "" || do == "" {
					t.Errorf("nothing is said of %s", f.Kind)
				}
			}
		})
	}
}

// An artifact that a running execution has, and that is not there, is named, and a restore goes on.
func TestCheckNamesMissingArtifacts(t *testing.T) {
	gone := strings.Repeat("ab", 32)
	for at, want := range map[string]string{"": "artifact " + gone + " is missing, which shop#3 may need", "s3://elsewhere": ""} {
		dir := decided(t, leaves(t, gone, at))
		db, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		faults, err := Check(t.Context(), dir, db, Elsewhere{})
		if got := strings.Join(texts(faults), "\n"); err != nil || got != want || want != "" && faults[0].Kind != ofMissing {
			t.Errorf("found %q, %v, want %q", faults, err, want)
		}
		file := filepath.Join(t.TempDir(), "b.tar")
		out, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := Backup(t.Context(), dir, db, out); err != nil {
			t.Fatal(err)
		}
		out.Close()
		db.Close()
		r, err := Restore(t.Context(), filepath.Join(t.TempDir(), "data"), file, "t", noon)
		if err != nil || (want != "") != (len(r.Missing) == 1) {
			t.Errorf("restored %+v, %v", r, err)
		}
	}
}

// leaves has the running execution have an artifact of that digest, there.
func leaves(t *testing.T, digest, at string) func(c *record.Commit) {
	return func(c *record.Commit) {
		s := &machine.State{}
		if err := json.Unmarshal(c.Checkpoints[0].State, s); err != nil {
			t.Fatal(err)
		}
		e := s.Executions[0]
		ev := event.Event{Kind: event.ActionSucceeded, At: s.At, By: workflows.EnginePrincipal(), Execution: e.ID, Stage: "Source", Action: "App", Attempt: 1,
			Outcome: &event.Outcome{Artifacts: []workflows.Artifact{{Name: "app", Digest: digest, At: at}}}}
		s.Evolve(ev)
		c.Frames = append(c.Frames, event.Frame{Pipeline: "shop", Seq: uint64(len(c.Frames) + 1), Events: []event.Event{ev}})
		c.Checkpoints[0].Seq++
		c.Checkpoints[0].State, _ = json.Marshal(s)
	}
}

// What a bucket has and no execution refers to is named, once it is old enough, and what
// may be needed and is not there; of another bucket nothing is known.
func TestCheckComparesWhatABucketHas(t *testing.T) {
	const bucket, ours = "s3://acme-art/rollcall/", "s3://acme-art/rollcall/shop/app/1.zip"
	old, young := noon.Add(-48*time.Hour), noon.Add(-time.Hour)
	for name, c := range map[string]struct {
		at   string // of the artifact that is needed
		has  []work.Stored
		want string
	}{
		"all is well":         {ours, []work.Stored{{Name: ours, At: old}}, ""},
		"an orphan":           {ours, []work.Stored{{Name: ours, At: old}, {Name: bucket + "gone/app/2.zip", At: old}, {Name: bucket + "shop/app/3.zip", At: young}}, "orphan artifact s3://acme-art/rollcall/gone/app/2.zip is of no execution"},
		"one that is missing": {ours, nil, "missing artifact " + ours + " is missing, which shop#3 may need"},
		"another bucket":      {"s3://other/1.zip", nil, ""},
	} {
		dir := decided(t, leaves(t, strings.Repeat("ab", 32), c.at+"?versionId=1"))
		db, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		faults, err := Check(t.Context(), dir, db, Elsewhere{Below: []string{bucket}, At: noon, All: c.has})
		got := ""
		for _, f := range faults {
			got += f.Kind + " " + f.What
			if means, do := f.Explain(); means == "" || do == "" || f.Wrong() == (f.Kind == ofOrphan) {
				t.Errorf("%s: it is wrong: %v; %q, %q", name, f.Wrong(), means, do)
			}
		}
		if err != nil || got != c.want {
			t.Errorf("%s: found %q, %v, want %q", name, got, err, c.want)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
