package rehearsal

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clock"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Fault is something wrong with a test file, or an expectation that does not
// hold, at a line and a column (from 1).
type Fault struct {
	File      string
	Line, Col int
	Message   string // without a full stop
	Hint      string // what to do; may be empty
}

// String is FILE:LINE:COL: message (hint).
func (f Fault) String() string {
	text := fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Message)
	if f.Hint != "" {
		text += " (" + f.Hint + ")"
	}
	return text
}

// File is a test file that has been read, with the pipelines it needs.
type File struct {
	Path  string
	Tests []Test

	root        *node
	main        string // path of the pipeline file
	pipeline    *workflows.Pipeline
	definitions map[string]*workflows.Pipeline // by path; those of edits too
	people      directory
	zone        *time.Location
	begins      time.Time
}

// Test is one test of a file.
type Test struct {
	Name string
	Line int

	file *File
	body *node
}

// Read reads a test file. Pipeline files are read through open, by their path
// relative to what path is relative to. All faults are found at once, in the
// order of the file; after any of them there is no File.
func Read(path string, data []byte, open func(path string) ([]byte, error)) (*File, []Fault) {
	f := &faults{file: path}
	root := tree(data, f)
	if root == nil {
		return nil, f.list
	}
	file := &File{Path: path, root: root, definitions: map[string]*workflows.Pipeline{}}
	file.pipelines(f, open)
	file.zone = zone(root, f, time.UTC)
	c := &checker{faults: f, names: file.names()}
	section("the file", fileKeys()).check(c, root)
	if len(f.list) == 0 {
		file.complete(f)
	}
	if len(f.list) > 0 {
		slices.SortStableFunc(f.list, func(a, b Fault) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
		})
		return nil, slices.Compact(f.list)
	}
	return file, nil
}

// pipelines reads the pipeline file, and those of edits.
func (f *File) pipelines(faults *faults, open func(string) ([]byte, error)) {
	read := func(n *node) *workflows.Pipeline {
		if n == nil || n.kind != scalar {
			return nil
		}
		name := path.Join(path.Dir(f.Path), n.text)
		if p, ok := f.definitions[name]; ok {
			return p
		}
		data, err := open(name)
		if err != nil {
			faults.add(n, fmt.Sprintf("the pipeline file cannot be read: %s", err), "name it relative to this file")
			return nil
		}
		p, diagnostics := spec.ParseWith(name, data, open)
		for _, d := range diagnostics {
			if !d.Warning {
				faults.list = append(faults.list, Fault{d.File, d.Line, d.Col, d.Message, d.Hint})
			}
		}
		if p != nil {
			f.definitions[name] = p
			if f.pipeline == nil {
				f.pipeline, f.main = p, name
			}
		}
		return p
	}
	read(f.root.get("pipeline"))
	f.eachStep(func(n *node) {
		edit := n.get("edit")
		if edit != nil && edit.kind == mapping {
			edit = edit.get("file")
		}
		if p := read(edit); p != nil && p.Name != f.pipeline.Name {
			faults.add(edit, fmt.Sprintf("this file defines %s, the tests are about %s", p.Name, f.pipeline.Name), "an edit keeps the pipeline's name")
		}
	})
}

func (f *File) eachStep(visit func(*node)) {
	tests := f.root.get("tests")
	if tests == nil {
		return
	}
	for _, t := range tests.items {
		if steps := t.get("steps"); steps != nil {
			for _, s := range steps.items {
				visit(s)
			}
		}
	}
}

// zone reads the key `timezone` of a section.
func zone(n *node, f *faults, otherwise *time.Location) *time.Location {
	t := n.get("timezone")
	if t == nil || t.kind != scalar {
		return otherwise
	}
	z, err := clock.Zone(t.text)
	if err != nil {
		f.add(t, err.Error(), "such as Europe/Berlin")
		return otherwise
	}
	return z
}

func timezone() shape {
	return value("a time zone such as Europe/Berlin", func(_ *checker, text string) (string, string) {
		if _, err := clock.Zone(text); err != nil {
			return err.Error(), "such as Europe/Berlin"
		}
		return "", ""
	})
}

// names are what the file can refer to: everything of every definition.
func (f *File) names() names {
	n := names{zone: f.zone}
	if people := f.root.get("people"); people != nil {
		n.people = words.Keys(people.table())
	}
	for _, name := range words.Keys(f.definitions) {
		n.define(f.definitions[name])
	}
	return n
}

func (n *names) define(p *workflows.Pipeline) {
	add := func(to *[]string, name string) {
		if !slices.Contains(*to, name) {
			*to = append(*to, name)
		}
	}
	for _, v := range p.Variables {
		add(&n.variables, v.Name)
	}
	for i, st := range p.Stages {
		add(&n.stages, st.Name)
		for _, a := range st.Actions {
			add(&n.actions, st.Name+"/"+a.Name)
			if a.IsApproval() {
				add(&n.gates, st.Name+"/"+a.Name)
			}
			if i == 0 && a.IsSource() {
				add(&n.sources, a.Name)
			}
		}
		if len(st.Rollback.OnAlarm.Alarms) > 0 {
			add(&n.actions, st.Name+"/rollback:onAlarm")
		}
		for kind, c := range conditionsOf(st) {
			add(&n.conditions, st.Name+"/"+kind)
			for _, r := range c.Rules {
				add(&n.actions, st.Name+"/"+kind+":"+r.Name)
			}
		}
	}
}

func conditionsOf(st workflows.Stage) map[string]*workflows.Condition {
	all := map[string]*workflows.Condition{workflows.BeforeEntry: st.BeforeEntry, workflows.OnSuccess: st.OnSuccess}
	if st.OnFailure != nil {
		all[workflows.AfterFailed] = st.OnFailure.Condition
	}
	for kind, c := range all {
		if c == nil {
			delete(all, kind)
		}
	}
	return all
}

// complete reads what the shapes have found to be right.
func (f *File) complete(faults *faults) {
	f.people = readDirectory(f.root, faults)
	f.begins = time.Date(2026, 3, 2, 9, 0, 0, 0, f.zone)
	if now := f.root.get("now"); now != nil {
		f.begins, _ = momentIn(now.text, f.zone)
	}
	f.strangers(faults)
	if len(f.root.get("tests").items) == 0 {
		faults.add(f.root.get("tests"), "there are no tests", "such as - {name: it starts, steps: [push: main]}")
	}
	seen := map[string]bool{}
	for _, t := range f.root.get("tests").items {
		name := t.str("name")
		if seen[name] {
			faults.add(t.get("name"), "there are two tests of this name", "give one of them another name")
		}
		seen[name] = true
		f.Tests = append(f.Tests, Test{Name: name, Line: t.line, file: f, body: t})
	}
}

// strangers reports groups that the pipeline's gates name and the file does not know.
func (f *File) strangers(faults *faults) {
	for _, name := range words.Keys(f.definitions) {
		for _, who := range asked(f.definitions[name]) {
			kind, group, _ := subject.Split(who)
			_, inside := f.people.policy.Groups[group]
			_, outside := f.people.outside[who]
			if kind == subject.Group && !inside || (kind == subject.SlackGroup || kind == subject.GitHubTeam) && !outside {
				at := f.root.get("groups")
				if at == nil {
					at = f.root.get("pipeline")
				}
				faults.add(at, fmt.Sprintf("a gate of %s asks %s, and nobody is said to be in it", f.definitions[name].Name, who),
					"add it to groups: {"+strings.TrimPrefix(who, "group:")+": [ana]}")
			}
		}
	}
}

// asked are the who-expressions that decide about gates.
func asked(p *workflows.Pipeline) []string {
	var all []string
	for _, st := range p.Stages {
		for _, a := range st.Actions {
			if a.Approval != nil {
				all = append(all, a.Approval.From...)
				all = append(all, words.Keys(a.Approval.AtLeast)...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
