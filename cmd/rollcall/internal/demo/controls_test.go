package demo

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func ownDemo(t *testing.T) *Demo {
	t.Helper()
	path := filepath.Join(t.TempDir(), "own.yaml")
	write(t, path, own)
	p, err := readPipelineFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d := &Demo{o: Options{Beat: time.Second}, play: p, place: &dataDir{dir: dir}}
	p.runner.beat, p.runner.fails = d.beat, d.failNow
	return d
}

// What the visitor sets holds, is refused when it means nothing, and is kept with the notes.
func TestControls(t *testing.T) {
	d := ownDemo(t)
	for _, bad := range []wish{{What: "speed", Speed: 3}, {What: "fail", Stage: "Build", Action: "Nothing"}, {What: "fail", Stage: "Live", Action: "Ok"}, {What: "gate", Stage: "Source"}, {What: "skip", To: "yesterday"}, {What: "dance"}} {
		if err := d.control(t.Context(), bad); err == nil {
			t.Errorf("%+v is done", bad)
		}
	}
	if d.beat() != time.Second {
		t.Errorf("a beat is %s", d.beat())
	}
	for _, w := range []wish{{What: "speed", Speed: 4}, {What: "fail", Stage: "Build", Action: "Pack"}} {
		if err := d.control(t.Context(), w); err != nil {
			t.Errorf("%+v: %v", w, err)
		}
	}
	again := &dataDir{dir: d.place.dir}
	if err := again.read(); err != nil || again.note.Controls.Speed != 4 || !slices.Equal(again.note.Controls.Fail, []string{"Build/Pack"}) {
		t.Errorf("kept: %+v (%v)", again.note.Controls, err)
	}
	if d.beat() != time.Second/4 {
		t.Errorf("a beat is %s", d.beat())
	}
	task := work.Task{ID: "t", Stage: "Build", Action: workflows.Action{Name: "Pack"}, Handle: time.Now().Add(-time.Second).Format(time.RFC3339Nano)}
	if o, err := d.play.runner.Poll(t.Context(), task, nil); err != nil || o.State != work.Failed || o.Error == nil {
		t.Errorf("the action ended with %+v (%v)", o, err)
	}
	if d.failNow("Build/Pack") {
		t.Error("it fails a second time")
	}
	if err := (&Demo{place: &dataDir{}}).control(t.Context(), wish{What: "speed", Speed: 4}); err == nil {
		t.Error("the shop has controls")
	}
}

// A gate that is added is asked before everything else in its stage, and the rest stays.
func TestAnAddedGate(t *testing.T) {
	d := ownDemo(t)
	if string(d.play.file(nil)) != string(d.play.data) {
		t.Error("without gates the file is another one")
	}
	p, faults := spec.Parse("own.yaml", d.play.file([]string{"Build"}))
	if p == nil {
		t.Fatal(faults)
	}
	st, _ := p.Stage("Build")
	if len(st.Actions) != 2 || st.Actions[0].Name != addedGate || !st.Actions[0].IsApproval() || st.Actions[1].RunOrder != st.Actions[0].RunOrder+1 {
		t.Errorf("the stage is %+v", st.Actions)
	}
	if live, _ := p.Stage("Live"); len(live.Actions) != 2 || live.Actions[0].Approval.Required != 2 {
		t.Errorf("another stage is %+v", live.Actions)
	}
}

// The clock skips forward only.
func TestTheClockSkips(t *testing.T) {
	d := ownDemo(t)
	if err := d.skip("hour"); err != nil {
		t.Fatal(err)
	}
	if ahead := time.Until(d.Now()); ahead < 59*time.Minute || ahead > time.Hour {
		t.Errorf("an hour is %s", ahead)
	}
	if err := d.skip("monday"); err != nil {
		t.Fatal(err)
	}
	if now := d.Now(); now.Weekday() != time.Monday || now.Format("15:04") != "09:00" || now.Before(time.Now().Add(time.Hour)) {
		t.Errorf("Monday is %s", now)
	}
	for _, at := range []string{"2027-03-01T08:59:00Z", "2027-03-01T09:00:00Z", "2027-03-07T23:00:00Z", "2027-03-03T10:00:00Z"} {
		from, _ := time.Parse(time.RFC3339, at)
		if to := nextMonday(from); to.Weekday() != time.Monday || to.Hour() != 9 || !to.After(from) || to.Sub(from) > 7*24*time.Hour {
			t.Errorf("after %s it is %s", at, to)
		}
	}
}

// What AWS would do otherwise is said of what is ours.
func TestWhatWouldDifferInAWS(t *testing.T) {
	var text strings.Builder
	for _, d := range ownDemo(t).play.differences {
		text.WriteString(d.Where + " " + d.Text + "\n")
	}
	for _, want := range []string{"Live/Ok/approval AWS takes the answer of one person", "channel AWS posts nothing in Slack"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("nothing is said of %q:\n%s", want, &text)
		}
	}
}
