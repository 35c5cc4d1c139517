package wait

import (
	"errors"
	"io"
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// desk is a workspace that stores nothing. Its trouble is met when packing.
type desk struct {
	dir     string
	trouble error
}

func (d desk) Dir() string                             { return d.dir }
func (d desk) LogFile() string                         { return d.dir + "/log" }
func (d desk) Log() (io.WriteCloser, error)            { return nil, io.ErrClosedPipe }
func (d desk) Unpack(workflows.Artifact, string) error { return nil }
func (d desk) Pack(name, _ string, _ []string) (workflows.Artifact, error) {
	return workflows.Artifact{Name: name, Digest: "empty"}, d.trouble
}

func task(configuration map[string]string) work.Task {
	return work.Task{ID: "e1/Test/Try/1", Configuration: configuration, Action: workflows.Action{Name: "Try"}}
}

// The end of a wait is in its handle: another runner, after a restart, knows it too.
func TestWaits(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	tk := task(map[string]string{"seconds": "1.5", "outputVariables": "VERSION=7, COLOUR=a=b"})
	o, err := New(clock).Start(t.Context(), tk, desk{dir: t.TempDir()})
	if err != nil || o.State != work.Running || o.PollAfter != 1500*time.Millisecond {
		t.Fatalf("Start: %+v %v", o, err)
	}
	tk.Handle = o.Handle
	now = now.Add(time.Second)
	if o, err := New(clock).Poll(t.Context(), tk, desk{dir: t.TempDir()}); err != nil || o.State != work.Running || o.PollAfter != 500*time.Millisecond {
		t.Errorf("too early: %+v %v", o, err)
	}
	now = now.Add(500 * time.Millisecond)
	o, err = New(clock).Poll(t.Context(), tk, desk{dir: t.TempDir()})
	if err != nil || o.State != work.Succeeded || !maps.Equal(o.Outputs, map[string]string{"VERSION": "7", "COLOUR": "a=b"}) {
		t.Errorf("in time: %+v %v", o, err)
	}
}

func TestEndsAtOnce(t *testing.T) {
	for _, c := range []struct {
		name          string
		configuration map[string]string
		state, code   string
		outputs       map[string]string
	}{
		{"nothing to wait for", nil, work.Succeeded, "", nil},
		{"set to succeed", map[string]string{"seconds": "0", "outcome": "succeed", "outputVariables": `{"A": "b,c"}`}, work.Succeeded, "", map[string]string{"A": "b,c"}},
		{"set to fail", map[string]string{"outcome": "fail", "outputVariables": "A=b"}, work.Failed, "ActionFailed", nil},
		{"not a number", map[string]string{"seconds": "soon"}, work.Failed, "ConfigurationInvalid", nil},
		{"not a time", map[string]string{"seconds": "NaN"}, work.Failed, "ConfigurationInvalid", nil},
		{"before now", map[string]string{"seconds": "-1"}, work.Failed, "ConfigurationInvalid", nil},
		{"for ever", map[string]string{"seconds": "1e300"}, work.Failed, "ConfigurationInvalid", nil},
		{"another outcome", map[string]string{"outcome": "maybe"}, work.Failed, "ConfigurationInvalid", nil},
		{"no pairs", map[string]string{"outputVariables": "A"}, work.Failed, "ConfigurationInvalid", nil},
		{"no strings", map[string]string{"outputVariables": `{"A": 1}`}, work.Failed, "ConfigurationInvalid", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := New(nil).Start(t.Context(), task(c.configuration), desk{dir: t.TempDir()})
			code := ""
			if o.Error != nil {
				code = o.Error.Code
			}
			if err != nil || o.State != c.state || code != c.code || !maps.Equal(o.Outputs, c.outputs) {
				t.Errorf("outcome %+v %+v %v", o, o.Error, err)
			}
		})
	}
}

func TestArtifactsAreHandedOn(t *testing.T) {
	tk := task(nil)
	tk.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "dist"}}
	o, err := New(nil).Start(t.Context(), tk, desk{dir: t.TempDir()})
	if diff := cmp.Diff([]workflows.Artifact{{Name: "dist", Digest: "empty"}}, o.Artifacts); err != nil || diff != "" {
		t.Errorf("without input: %v\n%s", err, diff)
	}
	tk.Inputs = []workflows.Artifact{{Name: "app", Digest: "d", Size: 3}}
	o, err = New(nil).Start(t.Context(), tk, desk{dir: t.TempDir()})
	if diff := cmp.Diff([]workflows.Artifact{{Name: "dist", Digest: "d", Size: 3}}, o.Artifacts); err != nil || diff != "" {
		t.Errorf("with input: %v\n%s", err, diff)
	}
}

// C2: only what passes by itself is tried again.
func TestTroubleWhenPacking(t *testing.T) {
	tk := task(nil)
	tk.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "dist"}}
	for trouble, again := range map[error]bool{syscall.ENOSPC: true, syscall.EIO: true, syscall.EPERM: false, errors.New("it has 100001 files"): false} {
		o, err := New(nil).Start(t.Context(), tk, desk{t.TempDir(), trouble})
		if (err != nil) != again || !again && (o.State != work.Failed || !strings.Contains(o.Error.Message, trouble.Error())) {
			t.Errorf("%v: %v, %s %+v", trouble, err, o.State, o.Error)
		}
	}
}

func TestCancelAndFind(t *testing.T) {
	r := New(nil)
	if o, err := r.Cancel(t.Context(), task(nil), desk{}); err != nil || o.State != work.Cancelled {
		t.Errorf("Cancel: %+v %v", o, err)
	}
	if _, ok, err := r.Find(t.Context(), task(nil), desk{}); ok || err != nil {
		t.Errorf("Find: %v %v", ok, err)
	}
	if o, err := r.Poll(t.Context(), task(nil), desk{}); err != nil || o.State != work.Failed {
		t.Errorf("Poll without a handle: %+v %v", o, err)
	}
}

// What a runner answers from the task alone needs no workspace; an empty
// artifact does, because it has to be packed.
func TestInlineTouchesNothing(t *testing.T) {
	r := New(nil)
	for name, c := range map[string]struct {
		outputs []workflows.OutputArtifact
		inputs  []workflows.Artifact
		inline  bool
	}{
		"nothing":              {inline: true},
		"hands an artifact on": {[]workflows.OutputArtifact{{Name: "out"}}, []workflows.Artifact{{Name: "in", Digest: "d"}}, true},
		"packs an empty one":   {[]workflows.OutputArtifact{{Name: "out"}}, nil, false},
	} {
		one := work.Task{ID: "t", Action: workflows.Action{OutputArtifacts: c.outputs}, Inputs: c.inputs}
		if r.Inline(one) != c.inline {
			t.Errorf("%s: inline is %v", name, !c.inline)
		}
		if !c.inline {
			continue
		}
		if o, err := r.Start(t.Context(), one, nil); err != nil || o.State != work.Succeeded {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}
