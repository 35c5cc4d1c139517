package demo

import (
	"cmp"
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

// State is what the demo's page shows beside the local Slack.
type State struct {
	Version   uint64    `json:"version"`
	Me        string    `json:"me"`
	People    []Person  `json:"people"`
	Captions  []Caption `json:"captions"` // newest last
	Step      Step      `json:"step"`
	Next      string    `json:"next"`
	Shop      *Shop     `json:"shop"` // null with a pipeline of one's own
	Tickets   []Ticket  `json:"tickets"`
	GitHub    []Deploy  `json:"github"`    // the newest deployment of each environment, as GitHub shows it
	Deploying bool      `json:"deploying"` // a command runs in production
	Restarts  int       `json:"restarts"`
	File      string    `json:"file"`
	AWS       *Console  `json:"aws"`     // null without AWS
	Picture   *Picture  `json:"picture"` // of a pipeline of one's own, else null
}

// Person is somebody the visitor may act as.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

// Shop is the web shop as customers see it.
type Shop struct {
	URL       string  `json:"url"`
	Execution string  `json:"execution"`
	Title     string  `json:"title"`
	ErrorRate []Rate  `json:"errorRate"` // the last 90 s, oldest first; shares from 0 to 1
	Marks     []Mark  `json:"marks"`     // the deployments of that time, oldest first
	Threshold float64 `json:"threshold"` // the share above which somebody should act
	Healthy   bool    `json:"healthy"`
}

// Mark is a deployment on the curve of errors: "#43", "↩ #41", "#44 failed".
type Mark struct {
	At   int64  `json:"at"` // Unix milliseconds
	Text string `json:"text"`
}

// Deploy is a deployment on the local GitHub.
type Deploy struct {
	Environment string `json:"environment"`
	Commit      string `json:"commit"` // 7 characters
	State       string `json:"state"`
	URL         string `json:"url"` // of the repository's page
}

// Ticket is an issue of the local Jira.
type Ticket struct {
	Key     string `json:"key"`
	Summary string `json:"summary"`
	Status  string `json:"status"`
	URL     string `json:"url"`
}

// Step is what the visitor should do next.
type Step string

// The steps of the story.
const (
	Approve  Step = "approve"
	Look     Step = "look"
	RollBack Step = "rollback"
	Careless Step = "careless"
	AdmitOne Step = "admit"
	Good     Step = "good"
	Watch    Step = "watch"
	Done     Step = "done"
)

// errStarting is the answer while there is nothing to show yet.
var errStarting = errors.New("the demo is starting")

// scene is how things stand, as committed and as deployed.
type scene struct {
	me         string // the visitor's mail address
	pipeline   string
	newest     []workflows.Execution
	production *workflows.StageView
	gates      []say.OpenApproval
	rate       float64
	seeding    bool
}

func (d *Demo) state(ctx context.Context) (*State, error) {
	version, _ := d.beats.now() // before looking, so that nothing is missed
	n := d.place.known()
	s := &State{Version: version, Me: visitor, People: d.demoUsers(), Captions: withRestarts(d.told.all(), n.Restarts), Tickets: d.tickets(), GitHub: d.deploys(), Restarts: len(n.Restarts)}
	if d.cloud != nil {
		return s, d.cloudState(ctx, s)
	}
	sc, err := d.readScene(ctx)
	if err != nil {
		return nil, err
	}
	s.Deploying = sc.deploying() != nil
	if d.play != nil {
		s.File = d.play.name
		s.Step, s.Next = sc.ownStep()
		s.Picture, err = d.picture(ctx, sc)
		return s, err
	}
	s.Step, s.Next = sc.step()
	s.Shop = d.window(sc)
	return s, nil
}

// readScene reads how things stand.
func (d *Demo) readScene(ctx context.Context) (*scene, error) {
	at := d.engine.Load()
	if at == nil {
		return nil, errStarting
	}
	e, us := *at, workflows.EnginePrincipal()
	sc := &scene{me: mail("ana"), pipeline: d.pipeline()}
	var err error
	if sc.newest, err = e.Executions(ctx, us, record.Query{Pipeline: d.pipeline(), Limit: 30}); err != nil {
		return nil, fmt.Errorf("look at the executions: %w", err)
	}
	view, err := e.Pipeline(ctx, us, d.pipeline(), 0)
	if err != nil {
		return nil, fmt.Errorf("look at the pipeline: %w", err)
	}
	sc.production, _ = view.Stage("Production")
	if sc.gates, err = e.Approvals(ctx, us); err != nil {
		return nil, fmt.Errorf("look at the gates: %w", err)
	}
	if d.shop != nil {
		sc.seeding = sc.unseeded()
		sc.rate = rateAt(d.shop.releases(), time.Now())
	}
	return sc, nil
}

// unseeded says whether the story has not come yet to where the visitor finds it.
func (sc *scene) unseeded() bool {
	if len(sc.newest) == 0 || sc.newest[0].Number < opens {
		return true
	}
	if sc.newest[0].Number > opens {
		return false
	}
	if sc.newest[0].Status.Final() {
		return false
	}
	gate := sc.gate(opens)
	deployed := sc.deploying() != nil && sc.deploying().Number == opens
	return !deployed && (gate == nil || len(gate.Approval.Votes) == 0)
}

func (sc *scene) gate(number int) *say.OpenApproval {
	i := slices.IndexFunc(sc.gates, func(g say.OpenApproval) bool { return g.Number == number })
	if i < 0 {
		return nil
	}
	return &sc.gates[i]
}

// deploying is the execution that is being deployed; nil: none.
func (sc *scene) deploying() *workflows.Execution {
	for i := range sc.newest {
		for _, s := range sc.newest[i].Stages {
			if a, ok := s.Action("Deploy"); ok && a.Status == workflows.StatusInProgress {
				return &sc.newest[i]
			}
		}
	}
	return nil
}

// step is what the visitor of the shop should do next.
func (sc *scene) step() (Step, string) {
	if sc.seeding {
		return Watch, "The shop's last releases are being played: a few seconds"
	}
	if x := sc.deploying(); x != nil {
		if x.Type == workflows.TypeRollback {
			return Watch, fmt.Sprintf("The shop goes back to #%d", x.Rollback.TargetNumber)
		}
		return Watch, fmt.Sprintf("#%d is being deployed: watch its card and the shop", x.Number)
	}
	if g := sc.asksMe(); g != nil {
		return Approve, fmt.Sprintf("Click Approve on the card for #%d", g.Number)
	}
	if len(sc.gates) > 0 {
		return Watch, fmt.Sprintf("Ben looks at #%d", sc.gates[0].Number)
	}
	moving := sc.moving()
	if runs := sc.runs(); runs != nil && sc.trouble() {
		if moving != nil && moving.WaitsFor == nil {
			return Watch, fmt.Sprintf("#%d is on its way", moving.Number)
		}
		return RollBack, fmt.Sprintf("Customers see errors: click Roll back Production on the card for #%d", runs.Number)
	}
	switch {
	case moving != nil && moving.WaitsFor != nil && moving.WaitsFor.For == "transition":
		return AdmitOne, fmt.Sprintf("%s is locked: click Let only #%d in on its card", moving.WaitsFor.Stage, moving.Number)
	case moving != nil:
		return Watch, fmt.Sprintf("#%d is on its way", moving.Number)
	case sc.suspicious():
		return Look, "Look at the shop: coupons are there. Keep an eye on the error rate"
	case !sc.carelessPushed():
		return Careless, "Push a careless fix"
	case !sc.goodOut():
		return Good, "Push a good fix: it waits at the locked Production, then needs two approvals, Ben's and yours"
	}
	return Done, "That was the story. Push another good fix, and press kill -9 while it deploys: it goes on where it was"
}

// asksMe is the oldest gate at which the visitor has not answered.
func (sc *scene) asksMe() *say.OpenApproval {
	var oldest *say.OpenApproval
	for i := range sc.gates {
		g := &sc.gates[i]
		if !answered(g, sc.me) && (oldest == nil || g.Number < oldest.Number) {
			oldest = g
		}
	}
	return oldest
}

// answered says whether somebody has said what they can at a gate: nobody
// answers for what they started themselves.
func answered(g *say.OpenApproval, mail string) bool {
	return voted(g, mail) || g.StartedBy.By.Email == mail
}

func voted(g *say.OpenApproval, mail string) bool {
	return slices.ContainsFunc(g.Approval.Votes, func(v workflows.Vote) bool { return v.By.Email == mail })
}

// people are those whom a gate asks by name, when it asks nobody else.
func people(from []string) string {
	var names []string
	for _, f := range from {
		name, _, isMail := strings.Cut(f, "@")
		if !isMail {
			return ""
		}
		names = append(names, name)
	}
	return strings.Join(names, " or ")
}

// moving is the oldest execution that has not ended.
func (sc *scene) moving() *workflows.Execution {
	for i := range slices.Backward(sc.newest) {
		if !sc.newest[i].Status.Final() {
			return &sc.newest[i]
		}
	}
	return nil
}

// runs is the execution whose content production runs.
func (sc *scene) runs() *workflows.Execution {
	if sc.production == nil || sc.production.Running == nil {
		return nil
	}
	for i := range sc.newest {
		if sc.newest[i].ID == sc.production.Running.Execution {
			return &sc.newest[i]
		}
	}
	return nil
}

// trouble says whether so many requests fail that somebody should act.
func (sc *scene) trouble() bool { return sc.rate > trouble }

// suspicious says whether what runs is new, and nothing has come after it.
func (sc *scene) suspicious() bool {
	runs := sc.runs()
	return runs != nil && len(sc.newest) > 0 && runs.ID == sc.newest[0].ID && title(runs) == "Add coupons"
}

func (sc *scene) carelessPushed() bool {
	return slices.ContainsFunc(sc.newest, func(x workflows.Execution) bool {
		return x.Status == workflows.StatusFailed && strings.Contains(title(&x), "quickly")
	})
}

// goodOut says whether a good fix has come to customers.
func (sc *scene) goodOut() bool {
	return slices.ContainsFunc(sc.newest, func(x workflows.Execution) bool {
		return x.Status == workflows.StatusSucceeded && x.Type != workflows.TypeRollback && x.Number > opens && title(&x) != "Add coupons"
	})
}

func title(x *workflows.Execution) string {
	if len(x.SourceRevisions) == 0 {
		return ""
	}
	return x.SourceRevisions[0].RevisionSummary
}

// ownStep is what the visitor should do next with a pipeline of their own.
func (sc *scene) ownStep() (Step, string) {
	if g := sc.asksMe(); g != nil {
		as := ""
		if only := people(g.Approval.From); only != "" {
			as = "As " + only + ": "
		}
		return Approve, fmt.Sprintf("%sClick Approve on the card for #%d", as, g.Number)
	}
	if len(sc.gates) > 0 {
		return Watch, fmt.Sprintf("Others look at #%d", sc.gates[0].Number)
	}
	x := sc.moving()
	switch {
	case len(sc.newest) == 0:
		return Watch, "Begin: type /rollcall start " + sc.pipeline
	case x != nil && x.WaitsFor != nil && x.WaitsFor.For == "transition":
		return AdmitOne, fmt.Sprintf("%s is locked: click Let only #%d in on its card", x.WaitsFor.Stage, x.Number)
	case x != nil && waitsForWindow(x) != "":
		return Watch, fmt.Sprintf("#%d waits for its deployment window: it %s", x.Number, waitsForWindow(x))
	case x != nil:
		return Watch, fmt.Sprintf("#%d runs with simulated actions", x.Number)
	}
	return Done, "Your pipeline has run. Run it again: /rollcall start " + sc.pipeline
}

// waitsForWindow says when the deployment window opens that an execution waits
// for, in the words of its rule; empty: it waits for none.
func waitsForWindow(x *workflows.Execution) string {
	in := x.Inside()
	if in == nil {
		return ""
	}
	for _, c := range in.Conditions {
		for _, r := range c.Rules {
			if r.Provider == "DeploymentWindow" && r.Status == workflows.StatusInProgress {
				return cmp.Or(r.Summary, "is closed")
			}
		}
	}
	return ""
}

// marks are the deployments to production that have ended, oldest first.
func (sc *scene) marks() (all []Mark) {
	for i := range slices.Backward(sc.newest) {
		x := &sc.newest[i]
		st, ok := x.Stage("Production")
		if !ok {
			continue
		}
		a, ok := st.Action("Deploy")
		if !ok || a.EndedAt == nil {
			continue
		}
		text := fmt.Sprintf("#%d", x.Number)
		if x.Rollback != nil {
			text = fmt.Sprintf("↩ #%d", x.Rollback.TargetNumber)
		}
		if a.Status == workflows.StatusFailed {
			text += " failed"
		}
		all = append(all, Mark{a.EndedAt.UnixMilli(), text})
	}
	return all
}

// window is the shop as the page shows it.
func (d *Demo) window(sc *scene) *Shop {
	s := &Shop{URL: "/shop/", ErrorRate: rates(d.shop.releases(), time.Now()), Marks: sc.marks(), Threshold: trouble, Healthy: !sc.trouble()}
	if x := sc.runs(); x != nil {
		s.Execution, s.Title = x.Ref(), title(x)
	}
	return s
}

func (d *Demo) tickets() []Ticket {
	all := []Ticket{}
	for _, i := range d.jira.Issues() {
		all = append(all, Ticket{Key: i.Key, Summary: i.Summary, Status: i.Status, URL: jiraMount + "/browse/" + i.Key})
	}
	return all
}

// deploys are the newest deployments, one per environment.
func (d *Demo) deploys() []Deploy {
	all := []Deploy{}
	for _, one := range slices.Backward(d.github.Deployments()) {
		if !slices.ContainsFunc(all, func(known Deploy) bool { return known.Environment == one.Environment }) {
			all = append(all, Deploy{Environment: one.Environment, Commit: one.SHA[:min(7, len(one.SHA))], State: one.State(), URL: codePage})
		}
	}
	return all
}

// withRestarts puts the demo's own deaths where they belong among the captions.
func withRestarts(captions []Caption, restarts []time.Time) []Caption {
	for _, at := range restarts {
		captions = append(captions, Caption{At: at, Text: "Killed with -9, and back: nothing was lost"})
	}
	slices.SortStableFunc(captions, func(a, b Caption) int { return a.At.Compare(b.At) })
	if captions == nil {
		captions = []Caption{}
	}
	return captions
}
