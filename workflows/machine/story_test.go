package machine

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

var update = flag.Bool("update", false, "rewrite the scenarios with what happens now")

// TestStories plays the scenarios of testdata. Each is a text of given, when
// and then lines (and: the same again); what follows from a line is indented
// below it. Lines that begin with "- " belong to the line above. Run with
// -update to rewrite what follows; understand every difference before you keep it.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := play(string(want))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(got, "BROKEN") {
				t.Errorf("an invariant does not hold:\n%s", got)
			}
			if got == string(want) {
				return
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("the story goes differently now:\n%s", firstDifference(string(want), got))
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant:\n%s\ngot:\n%s", i+1, strings.Join(w[i:min(i+8, len(w))], "\n"), strings.Join(g[min(i, len(g)):min(i+8, len(g))], "\n"))
		}
	}
	return "more lines than before"
}

// story is a scenario being played.
type story struct {
	*world
	kind  string // given, when or then
	watch string // the newest task that watched alarms
}

func play(text string) (string, error) {
	s := &story{world: newWorld()}
	var out []string
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, "    ") {
			continue // written anew below
		}
		out = append(out, line)
		kind, rest, _ := strings.Cut(line, " ")
		if !slices.Contains([]string{"given", "when", "then", "and"}, kind) {
			continue
		}
		if kind != "and" {
			s.kind = kind
		}
		var args []string
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "- ") {
			i++
			out = append(out, lines[i])
			args = append(args, strings.TrimPrefix(lines[i], "- "))
		}
		begin := len(s.log)
		said, err := s.do(fieldsOf(rest), args)
		var problem *workflows.Problem
		switch {
		case errors.As(err, &problem):
			said = append(said, refusal(problem))
		case err != nil && strings.HasPrefix(err.Error(), "BROKEN"):
			said = append(said, err.Error())
		case err != nil:
			return "", fmt.Errorf("%q: %w", line, err)
		}
		if s.kind == "when" {
			for _, e := range s.log[begin:] {
				said = append(said, s.describe(e))
			}
			if len(said) == 0 {
				said = []string{"nothing happens"}
			}
		}
		for _, l := range said {
			out = append(out, "    "+l)
		}
	}
	return strings.Join(out, "\n") + "\n", nil
}

// fieldsOf splits a line at blanks, keeping "quoted words" together.
func fieldsOf(line string) []string {
	var all []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			all = append(all, `"`+part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}

// options takes key=value words, "quoted text" and #numbers out of a command.
type options struct {
	set  map[string]string
	text string
	rest []string
}

func parse(words []string) options {
	o := options{set: map[string]string{}}
	for _, w := range words {
		if quoted, ok := strings.CutPrefix(w, `"`); ok {
			o.text = quoted
		} else if k, v, ok := strings.Cut(w, "="); ok {
			o.set[k] = v
		} else {
			o.rest = append(o.rest, w)
		}
	}
	return o
}

func (o options) has(word string) bool { return slices.Contains(o.rest, word) }

func (s *story) id(ref string) string {
	n, err := strconv.Atoi(strings.TrimPrefix(ref, "#"))
	if err != nil {
		return ref
	}
	if id, ok := s.ids[n]; ok {
		return id
	}
	return fmt.Sprintf("00000000-0000-7000-8000-%012d", n)
}

// do carries out one line.
func (s *story) do(w, args []string) ([]string, error) {
	if s.kind == "then" {
		return s.query(w)
	}
	if len(w) < 2 {
		return nil, errors.New("say more")
	}
	rest := parse(w[2:])
	switch {
	case w[1] == "pipeline":
		return nil, s.edit(person("ana"), "api", args)
	case len(w) > 4 && w[1] == "pushes" && w[3] == "to": // dee pushes c1 to main with README.md
		return s.change(w[0], "push", w[2], w[3:])
	case len(w) > 8 && w[3] == "pull": // dee has a pull request c1 from dev into main OPEN
		return s.change(w[0], "pull", w[5], w[6:])
	case w[1] == "belongs": // #70 belongs to shop
		s.ids[number(w[0][1:])] = s.id(w[0])
		s.archive[s.id(w[0])] = &workflows.Execution{ID: s.id(w[0]), Number: number(w[0][1:]), Pipeline: w[3]}
		return nil, nil
	case w[1] == "rings": // shop-5xx rings in Prod
		return nil, s.alarms(w[3], work.Outcome{State: work.Failed, ExternalID: w[0], Error: &workflows.Reason{Code: work.AlarmRang, Message: w[0] + " is in ALARM"}})
	case w[0] == "alarms": // alarms of Prod fail "why", alarms of Prod are quiet
		o := work.Outcome{State: work.Running}
		if why := parse(w[3:]).text; why != "" {
			o = work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "AlarmMissing", Message: why}}
		}
		return nil, s.alarms(w[2], o)
	case rest.has("unseen"):
		d, err := time.ParseDuration(w[0])
		s.at = s.at.Add(d)
		return nil, err
	case w[1] == "backup": // a backup of 2h ago is restored
		ago, err := time.ParseDuration(w[3])
		if err == nil {
			_, err = s.restore(ago)
		}
		return nil, err
	case w[1] == "passes" || w[1] == "pass":
		return nil, s.wait(w[0])
	case w[1] == "executions": // 50 executions start
		for range number(w[0]) {
			if _, err := s.ask(person("bea"), workflows.Intent{Verb: workflows.Start}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case len(w) > 3 && w[3] == "answers": // App of #2 answers with 122881 bytes of outputs
		return nil, s.outcome(w[0], w[2], []string{"k=" + strings.Repeat("v", number(w[5])-1), "succeeds"})
	case w[1] == "is" || w[1] == "are":
		s.members[w[0]] = keys(w[2:])
		return nil, nil
	case w[1] == "may" && w[2] == "approve":
		s.may = keys(w[:1])
		return nil, nil
	case w[1] == "comes" || w[1] == "succeeds" && strings.HasPrefix(w[0], "#"):
		return nil, s.bring(w[0], w[len(w)-1], w[1] == "succeeds")
	case w[1] == "of":
		return nil, s.outcome(w[0], w[2], w[3:])
	case w[1] == "edits":
		by := "api"
		if from, ok := rest.set["file"]; ok {
			by = "file:" + from
		}
		return nil, s.edit(person(w[0]), by, args)
	}
	in, err := s.intent(w[1], rest)
	if err != nil {
		return nil, err
	}
	_, err = s.ask(person(w[0]), in)
	return nil, err
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

func keys(names []string) []string {
	var all []string
	for _, n := range names {
		all = append(all, person(strings.Trim(n, ",")).Key())
	}
	return all
}

func (s *story) edit(by workflows.Principal, managed string, lines []string) error {
	p, err := define(lines)
	if err != nil {
		return err
	}
	_, err = s.ask(by, workflows.Intent{Verb: workflows.Edit, NewDefinition: p, ManagedBy: managed})
	return err
}

func (s *story) wait(text string) error {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil {
			return err
		}
		text = strconv.Itoa(n*24) + "h"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	_, err = s.pass(d)
	return err
}

// intent reads what somebody asks for.
func (s *story) intent(verb string, o options) (workflows.Intent, error) {
	in := workflows.Intent{Token: o.set["token"], Reason: o.text, IfCurrent: s.id(o.set["ifCurrent"])}
	delete(o.set, "token")
	for _, w := range o.rest {
		if strings.HasPrefix(w, "#") {
			in.Execution = s.id(w)
		}
		if n, ok := strings.CutPrefix(w, "gate"); ok {
			i, err := strconv.Atoi(n)
			if err != nil {
				return in, err
			}
			in.Gate = "00000000-0000-7000-8000-999999999999"
			if i <= len(s.tokens) {
				in.Gate = s.tokens[i-1]
			}
		}
	}
	switch verb {
	case "starts", "pushes":
		s.startIntent(&in, verb, o)
	case "stops":
		in.Verb, in.Abandon = workflows.StopExecution, o.has("abandon")
		in.Stage = o.set["stage"]
	case "retries":
		in.Verb, in.All, in.Stage = workflows.Retry, o.has("all"), o.set["stage"]
	case "approves":
		in.Verb, in.Stage, in.Action = workflows.Approve, o.set["stage"], o.set["action"]
	case "rejects":
		in.Verb, in.Stage, in.Action = workflows.Reject, o.set["stage"], o.set["action"]
	case "rolls": // Prod back to #1
		in.Verb, in.Stage, in.Target, in.Execution = workflows.RollBack, o.rest[0], in.Execution, ""
		in.WhileRunning, in.Definition = o.set["while"], o.set["definition"]
		if chosen, ok := o.set["afterwards"]; ok {
			lock := chosen == "locked"
			in.LockAfter = &lock
		}
		if len(o.rest) > 3 {
			in.Target = s.id(o.rest[3])
		}
	case "locks":
		in.Verb, in.Stage = workflows.Lock, o.rest[0]
	case "unlocks":
		in.Verb, in.Stage = workflows.Unlock, o.rest[0]
	case "resolves": // Deploy of #1 as succeeded
		in.Verb, in.Action, in.As = workflows.Resolve, o.rest[0], o.rest[4]
	case "archives":
		in.Verb, in.ManagedBy = workflows.Archive, "api"
		if file, ok := o.set["file"]; ok {
			in.ManagedBy = "file:" + file
		}
	case "overrides": // #1 in Prod [condition=BEFORE_ENTRY] "why"
		in.Verb, in.Condition, in.Action = workflows.Override, o.set["condition"], o.set["action"]
		if len(o.rest) > 2 {
			in.Stage = o.rest[2]
		}
	case "freezes": // year-end from 1h to 49h on */Prod by group:sre; …
		in.Verb = workflows.ReplaceFreezes
		for one := range strings.SplitSeq(strings.Join(o.rest, " "), "; ") {
			w := strings.Fields(one)
			from, _ := time.ParseDuration(w[2])
			to, _ := time.ParseDuration(w[4])
			f := workflows.Freeze{Name: w[0], From: s.at.Add(from), To: s.at.Add(to), On: []string{w[6]}}
			if len(w) > 8 {
				f.MayPass = people(strings.Split(w[8], ","))
			}
			in.Freezes = append(in.Freezes, f)
		}
	case "thaws":
		in.Verb = workflows.ReplaceFreezes
	case "notes":
		in.Verb = workflows.Annotate
		for k, v := range o.set {
			in.Note = &workflows.Note{Name: k, State: "done", Text: v}
		}
	default:
		return in, fmt.Errorf("nobody can %q", verb)
	}
	return in, nil
}

func (s *story) startIntent(in *workflows.Intent, verb string, o options) {
	in.Verb, in.Variables = workflows.Start, map[string]string{}
	for k, v := range o.set {
		if action, kind, ok := strings.Cut(k, "@"); ok {
			if kind == "" {
				kind = "COMMIT_ID"
			}
			in.Revisions = append(in.Revisions, workflows.RevisionOverride{ActionName: action, RevisionType: kind, RevisionValue: v})
		} else {
			in.Variables[k] = v
		}
	}
	if verb == "pushes" {
		login := o.rest[1] // REVISION as LOGIN
		if len(o.rest) > 2 {
			login = o.rest[2]
		}
		in.Trigger = &workflows.StartedBy{Type: workflows.TriggerWebhook, Detail: "push to main", By: workflows.Principal{ID: "github:" + login, Name: login, Via: "github"}}
		in.Change = []workflows.SourceRevision{{ActionName: "App", RevisionID: o.rest[0], Branch: "main", Author: &workflows.Author{Login: login}}}
	}
}

// outcome brings a runner's answer about the newest attempt of an action.
func (s *story) outcome(action, ref string, w []string) error {
	e, ok := s.execution(s.id(ref))
	if !ok {
		return fmt.Errorf("there is no %s", ref)
	}
	o := parse(w)
	out := work.Outcome{Handle: o.set["handle"]}
	for _, st := range e.Stages {
		if a, ok := st.Action(action); ok {
			attempt := a.Attempt
			if n, ok := o.set["attempt"]; ok {
				attempt, _ = strconv.Atoi(n)
			}
			out.Task = TaskID(e.ID, st.Name, action, attempt)
			if ran, err := time.ParseDuration(o.set["within"]); err == nil { // the runner knows when it ended
				out.EndedAt = a.StartedAt.Add(ran)
			}
		}
	}
	switch what := o.rest[len(o.rest)-1]; what {
	case "succeeds":
		out.State, out.Summary = work.Succeeded, o.text
	case "fails":
		out.State, out.Error = work.Failed, &workflows.Reason{Code: cmp.Or(o.set["code"], reasonFailed), Message: o.text}
	case "runs":
		out.State, out.Summary = work.Running, o.text
	case "cancelled":
		out.State = work.Cancelled
	case "doubt":
		out.State = work.InDoubt
	case "repeated": // "why"
		out.State, out.Error = work.Retrying, &workflows.Reason{Message: o.text}
	default:
		return fmt.Errorf("an action cannot %q", what)
	}
	for _, k := range words.Keys(o.set) {
		v := o.set[k]
		switch k {
		case "handle", "attempt", "within", "code":
		case "revision":
			out.Revision = &workflows.SourceRevision{RevisionID: v, Author: &workflows.Author{Login: o.set["login"], Email: person(o.set["author"]).Email}}
		case "author", "login":
		case "artifact": // NAME, or NAME/DIGEST
			name, digest, given := strings.Cut(v, "/")
			if !given {
				digest = strings.Repeat("a", 8) + ref[1:]
			}
			out.Artifacts = append(out.Artifacts, workflows.Artifact{Name: name, Digest: digest})
		default:
			if out.Outputs == nil {
				out.Outputs = map[string]string{}
			}
			out.Outputs[k] = v
		}
	}
	_, err := s.answer(out)
	return err
}

// alarms brings an answer about the alarms that were ever watched in a stage, of
// the newest success there: also when nobody waits for it any more.
func (s *story) alarms(stage string, o work.Outcome) error {
	for _, t := range s.s.Tasks() {
		if t.Stage == stage && t.Configuration[work.WatchedAlarms] != "" {
			s.watch = t.ID
		}
	}
	o.Task = s.watch
	_, err := s.answer(o)
	return err
}

// bring takes an execution, started by bea if need be, to a stage (in it, or before it), or through it.
func (s *story) bring(ref, stage string, through bool) error {
	n, _ := strconv.Atoi(strings.TrimPrefix(ref, "#"))
	if s.ids[n] == "" {
		if _, err := s.ask(person("bea"), workflows.Intent{Verb: workflows.Start}); err != nil {
			return err
		}
		if s.ids[n] == "" {
			return fmt.Errorf("the next execution is not %s", ref)
		}
	}
	for range 50 {
		e, _ := s.execution(s.ids[n])
		st, ok := e.Stage(stage)
		if !ok {
			return fmt.Errorf("%s has no stage %s", ref, stage)
		}
		there := st.Status != workflows.StatusNotStarted || e.WaitsFor != nil && e.WaitsFor.Stage == stage
		if through && st.Status == workflows.StatusSucceeded || !through && there {
			return nil
		}
		in := e.Inside()
		if in == nil {
			return fmt.Errorf("%s does not get to %s: it is %s", ref, stage, e.Status)
		}
		if err := s.push(&e, in); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s never gets to %s", ref, stage)
}

// push makes one open action of a stage succeed.
func (s *story) push(e *workflows.Execution, st *workflows.StageExecution) error {
	for _, a := range st.Actions {
		switch {
		case a.Status != workflows.StatusInProgress:
		case a.Needs == workflows.NeedsApproval:
			who := person("zoe")
			if from := a.Approval.From; len(from) > 0 {
				who = person(strings.TrimSuffix(from[a.Approval.Approvals()], "@acme.example"))
			} else {
				s.may = append(s.may, who.Key())
			}
			_, err := s.ask(who, workflows.Intent{Verb: workflows.Approve, Gate: a.Approval.Token})
			return err
		default:
			o := work.Outcome{Task: TaskID(e.ID, st.Name, a.Name, a.Attempt), State: work.Succeeded}
			def := s.s.actionOf(e, st.Name, a.Name)
			for _, f := range def.OutputArtifacts {
				o.Artifacts = append(o.Artifacts, workflows.Artifact{Name: f.Name, Digest: fmt.Sprintf("%s-of-%d", f.Name, e.Number)})
			}
			if def.IsSource() {
				o.Revision = &workflows.SourceRevision{RevisionID: fmt.Sprintf("rev%d", e.Number)}
			}
			_, err := s.answer(o)
			return err
		}
	}
	return errors.New("nothing is open")
}
