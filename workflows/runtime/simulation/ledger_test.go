package simulation

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

const (
	tokenLife   = 24 * time.Hour     // how long the same client request token has the same answer
	receiptLife = 7 * 24 * time.Hour // how long the same delivery has the same result
)

// ledger is what the log says, folded as it becomes durable, by nobody but
// itself. world.mu guards what committed writes.
type ledger struct {
	w        *world
	hash     bool // is wanted
	books    map[string]*book
	feed     uint64
	opened   map[string]bool      // task IDs of attempts whose opening is durable
	doubted  map[string]bool      // task IDs of attempts that were in doubt: people said what became of them
	restarts map[string]int       // by execution, stage and action: starts that nobody asked for
	tokens   map[string][]granted // by token
	refusals map[string]int       // by the ID of the problem
	asked    map[string]*asking   // by token
	refs     map[string]string    // execution ID -> "shop#3"
	commits  int
	events   int
	last     string // the last commit, in words
	tickets  []string
	branches map[string]string    // of a delivery, by key
	receipts map[string]receipt   // results of deliveries, by key
	accepted map[string]time.Time // requests that were acknowledged, by key
	removed  map[string]bool      // executions whose rows retention has removed
}

// receipt is what the sender of a delivery was told first.
type receipt struct {
	at     time.Time
	result string
}

// granted is an event that carries a token.
type granted struct {
	at        time.Time
	pipeline  string
	execution string
	kind      event.Kind
}

// book is one pipeline.
type book struct {
	name        string
	text        []byte // everything, as stored
	state       *machine.State
	seq         uint64
	hash        string
	at          time.Time // of the newest event
	decided     time.Time // of the newest one that is no refusal
	versions    map[int]*workflows.Pipeline
	version     int
	archived    bool
	numbers     []string // IDs, by number
	archive     map[string]workflows.Execution
	succeeded   map[string][]string // by stage: standard executions that have succeeded there
	running     map[string]string   // by stage: whose content runs there
	transitions map[string]workflows.Transition
	finals      map[string]workflows.Status // of executions that must not move again
	voters      map[string]map[string]bool  // of the open gates, by token
	freezes     []workflows.Freeze
	planned     map[string]bool      // by stage: a rollback waits for it to be free
	fired       map[string]time.Time // by schedule: the newest moment dealt with
}

func newLedger(w *world) *ledger {
	return &ledger{
		w: w, books: map[string]*book{}, opened: map[string]bool{}, doubted: map[string]bool{}, restarts: map[string]int{}, tokens: map[string][]granted{},
		refusals: map[string]int{}, asked: map[string]*asking{}, refs: map[string]string{}, branches: map[string]string{}, receipts: map[string]receipt{}, accepted: map[string]time.Time{}, removed: map[string]bool{},
	}
}

func (l *ledger) book(name string) *book {
	b := l.books[name]
	if b == nil {
		b = &book{
			name: name, state: machine.New(name), versions: map[int]*workflows.Pipeline{}, archive: map[string]workflows.Execution{},
			succeeded: map[string][]string{}, running: map[string]string{}, transitions: map[string]workflows.Transition{},
			finals: map[string]workflows.Status{}, voters: map[string]map[string]bool{},
			fired: map[string]time.Time{}, planned: map[string]bool{},
		}
		l.books[name] = b
	}
	return b
}

// ref is what people call an execution.
func (l *ledger) ref(id string) string {
	if ref, ok := l.refs[id]; ok {
		return ref
	}
	return id
}

// digest is the hash of everything that has become durable, pipeline by
// pipeline. IDs count by when they first appear: they are drawn in the order in
// which pipelines are decided, and that is nobody's concern.
func (l *ledger) digest() string {
	if !l.hash {
		return ""
	}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(l.books)) {
		b := l.books[name]
		ids := map[string]string{}
		sum.Write(uuid.ReplaceAllFunc(b.text, func(id []byte) []byte {
			if ids[string(id)] == "" {
				ids[string(id)] = fmt.Sprint("id-", len(ids))
			}
			return []byte(ids[string(id)])
		}))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"id":"[0-9a-f]{12}"`)

// write keeps what became durable, should anybody want to know its hash.
func (l *ledger) write(b *book, text []byte) {
	if l.hash {
		b.text = append(append(b.text, text...), '\n')
	}
}

// committed takes in a commit that has become durable. w.mu is held.
func (l *ledger) committed(c *runtime.Commit) {
	l.commits++
	l.last = describe(c)
	touched := []*book{}
	for _, f := range c.Frames {
		b := l.book(f.Pipeline)
		touched = append(touched, b)
		l.checkpoints(b, c.Checkpoints)
		l.frame(b, f)
	}
	for _, cp := range slices.SortedFunc(slices.Values(c.Checkpoints), func(a, b runtime.Checkpoint) int { return cmp.Compare(a.Pipeline, b.Pipeline) }) {
		l.write(l.book(cp.Pipeline), cp.State)
		b := l.book(cp.Pipeline)
		l.checkpoints(b, c.Checkpoints)
		if cp.Seq > b.seq {
			l.violated("a checkpoint is of what is in the log", "%s: it is of %d, the log ends with %d", b.name, cp.Seq, b.seq)
		}
	}
	for _, b := range touched {
		l.judgeState(b)
	}
	l.removals(c)
}

// checkpoints compares the checkpoints of where the book is now with what it has folded.
func (l *ledger) checkpoints(b *book, all []runtime.Checkpoint) {
	for _, cp := range all {
		if cp.Pipeline != b.name || cp.Seq != b.seq || b.seq == 0 {
			continue
		}
		if folded := written(b.state); !bytes.Equal(folded, cp.State) {
			l.violated("folding the log gives the state", "%s at %d:\nfolded     %s\ncheckpoint %s", b.name, cp.Seq, folded, cp.State)
		}
	}
}

func (l *ledger) violated(invariant, format string, args ...any) {
	l.w.violatedLocked(invariant, format, args...)
}

// frame takes in one frame, as the store would give it back.
func (l *ledger) frame(b *book, f event.Frame) {
	raw := bytesOf(f.Events)
	l.write(b, raw)
	if f.Seq != b.seq+1 {
		l.violated("the log has no gaps", "%s: frame %d follows %d", b.name, f.Seq, b.seq)
	}
	if f.Feed != l.feed+1 {
		l.violated("the feed has no gaps", "%s: %d follows %d", b.name, f.Feed, l.feed)
	}
	if f.Prev != b.hash || f.Hash == "" || f.Hash == b.hash {
		l.violated("the frames are a chain", "%s: frame %d names %q as the one before, which is %q", b.name, f.Seq, f.Prev, b.hash)
	}
	b.seq, l.feed, b.hash = f.Seq, f.Feed, f.Hash
	if len(f.Events) == 0 {
		l.violated("no frame is empty", "%s: frame %d", b.name, f.Seq)
	}
	for _, ev := range parsed[[]event.Event](raw) {
		l.events++
		l.judge(b, f, ev)
		b.state.Evolve(ev)
		for _, row := range b.state.Departed() {
			b.archive[row.ID] = row
		}
		l.note(b, ev)
	}
}

// note keeps what later judgements need.
func (l *ledger) note(b *book, ev event.Event) {
	if ev.Token != "" {
		l.tokens[ev.Token] = append(l.tokens[ev.Token], granted{ev.At, b.name, ev.Execution, ev.Kind})
	}
	switch ev.Kind {
	case event.PipelineDefined:
		d := ev.Defined.Definition
		b.version, b.versions[ev.Defined.Version], b.archived = ev.Defined.Version, &d, false
	case event.PipelineArchived:
		b.archived = true
	case event.ExecutionStarted:
		b.numbers = append(b.numbers, ev.Execution)
		if ev.Started.Type == workflows.TypeRollback {
			b.planned[ev.Stage] = false
		}
		l.refs[ev.Execution] = ev.Started.Ref()
	case event.ActionStarted:
		l.opened[ev.Start.Task] = true
	case event.ActionInDoubt:
		l.doubted[machine.TaskID(ev.Execution, ev.Stage, ev.Action, ev.Attempt)] = true
	case event.TransitionDisabled, event.TransitionEnabled:
		b.transitions[ev.Stage] = *ev.Transition
	case event.ReturnPlanned, event.ReturnDropped:
		b.planned[ev.Stage] = ev.Kind == event.ReturnPlanned
	case event.FreezesSet:
		b.freezes = ev.Freezes
	case event.GateOpened:
		b.voters[ev.Gate.Token] = map[string]bool{}
	case event.StageSucceeded:
		x, _ := b.execution(ev.Execution)
		if x.Rollback != nil {
			b.running[ev.Stage] = x.Rollback.Target
			break
		}
		b.running[ev.Stage] = x.ID
		b.succeeded[ev.Stage] = append(slices.DeleteFunc(b.succeeded[ev.Stage], func(id string) bool { return id == x.ID }), x.ID)
	case event.ExecutionSuperseded, event.ExecutionCancelled, event.ExecutionSucceeded:
		x, _ := b.execution(ev.Execution)
		b.finals[ev.Execution] = x.Status
	case event.ExecutionFailed:
		l.tickets = append(l.tickets, fmt.Sprintf("%s/%d", b.name, b.seq))
	case event.IntentRefused:
		l.refusals[ev.Refused.Problem.ID]++
	}
}

// execution returns an execution as the log says it is, unfinished or ended.
func (b *book) execution(id string) (workflows.Execution, bool) {
	if x, ok := b.state.Execution(id); ok {
		return x, true
	}
	x, ok := b.archive[id]
	return x, ok
}

func (b *book) definition() *workflows.Pipeline { return b.versions[b.version] }

// runs is whose content runs in a stage.
func (b *book) runs(stage string) string { return b.running[stage] }

// openGate is a gate that waits.
type openGate struct{ execution, token, stage, action string }

func (b *book) gates() (open []openGate) {
	for _, x := range b.state.Unfinished() {
		for _, st := range x.Stages {
			for _, a := range st.Actions {
				if a.Needs == workflows.NeedsApproval {
					open = append(open, openGate{x.ID, a.Approval.Token, st.Name, a.Name})
				}
			}
		}
	}
	return open
}

// doubts are the executions with an action in doubt.
func (b *book) doubts() (ids []string) {
	for _, x := range b.state.Unfinished() {
		if needs(x, workflows.NeedsResolve) {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

// open are the actions of a stage, and the rules of its conditions, which are in every way like them.
func open(st *workflows.StageExecution) []workflows.ActionExecution {
	all := slices.Clone(st.Actions)
	for _, c := range st.Conditions {
		all = append(all, c.Rules...)
	}
	return all
}

func needs(x workflows.Execution, what string) bool {
	for i := range x.Stages {
		for _, a := range open(&x.Stages[i]) {
			if a.Status == workflows.StatusInProgress && a.Needs == what {
				return true
			}
		}
	}
	return false
}

// refused judges a refusal: it has changed nothing, and it is on record.
func (l *ledger) refused(a *asking, p *workflows.Problem) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if p.ID == "" && p.Code != workflows.CodeUnavailable || p.Code == "" || p.Message == "" {
		l.violated("a refusal has words", "%s: %+v", phrase(l.w, a.in), p)
	}
	if n := l.refusals[p.ID]; n > 1 {
		l.violated("a refusal is on record once", "%s: %d times", phrase(l.w, a.in), n)
	}
	if a.refused == "" {
		a.refused = p.Code
	}
	if n := len(l.tokens[a.in.Token]); a.in.Token != "" && n > 0 && a.tries == 1 {
		l.violated("a refusal changes nothing", "%s was refused (%s), and %v is in the log", phrase(l.w, a.in), p.Code, l.tokens[a.in.Token])
	}
}

// granted judges a success: it is in the log, once, and the same token has the same result.
func (l *ledger) granted(a *asking, r event.Result) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	found := l.tokens[a.in.Token]
	if r.Changed && a.in.Token != "" && len(found) == 0 {
		l.violated("what was acknowledged is in the log", "%s: nothing is", phrase(l.w, a.in))
	}
	if a.in.Verb != workflows.Start {
		return
	}
	if r.Execution == nil || l.refs[r.Execution.ID] == "" {
		l.violated("what was acknowledged is in the log", "%s: the execution %+v is not", phrase(l.w, a.in), r.Execution)
		return
	}
	if a.result != nil && r.Execution.ID != a.result.Execution.ID && l.fresh(found) {
		l.violated("the same token has the same result", "%s led to %s and to %s", phrase(l.w, a.in), a.result.Execution.Ref(), r.Execution.Ref())
	}
}

// fresh says whether events with a token are all within its life.
func (l *ledger) fresh(found []granted) bool {
	return len(found) == 0 || l.w.now().Sub(found[0].at) < tokenLife
}
