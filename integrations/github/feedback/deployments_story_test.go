package feedback

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// deploymentStories is how many the contract wants.
const deploymentStories = 1000

// Every execution that ever had a GitHub deployment ends with a final status,
// one deployment each, whatever happened: crashes before and after every
// effect, commits of unknown outcome, lost answers, 5xx, limits, silence, a
// permission that was taken away for a while.
func TestDeploymentsAfterRandomStories(t *testing.T) {
	n := deploymentStories
	if testing.Short() {
		n /= 10
	}
	made, crashes := 0, 0
	for seed := range n {
		ok := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &story{t: t, dice: rand.New(rand.NewPCG(uint64(seed), 13)), world: newWorld(), hub: githubfake.New(githubfake.Options{Token: token})}
				s.play()
				made, crashes = made+len(s.hub.Deployments()), crashes+s.boots-1
			})
		})
		if !ok {
			return
		}
	}
	t.Logf("%d stories, %d deployments, %d crashes", n, made, crashes)
	if made < n || crashes < n/2 {
		t.Error("the stories are too quiet to show anything")
	}
}

// story is one seed.
type story struct {
	t     *testing.T
	dice  *rand.Rand
	world *world
	hub   *githubfake.Server
	lane  *lane
	boots int
	fuse  int // effects until the power goes; 0: it stays
	dead  bool
	next  map[int][]func(*workflows.Execution) // what each execution still does
	lines []string
}

// power is asked at every effect: whether it may happen, and whether anybody lives to see it.
func (s *story) power() (before, after bool) {
	if s.dead {
		return false, false
	}
	if s.fuse > 0 {
		if s.fuse--; s.fuse == 0 {
			s.dead = true
			return s.dice.IntN(2) == 0, false
		}
	}
	return true, true
}

// RoundTrip is a process's way to GitHub.
func (s *story) RoundTrip(r *http.Request) (*http.Response, error) {
	before, after := s.power()
	if !before {
		return nil, errPower
	}
	resp, err := wirefake.Direct(s.hub).RoundTrip(r)
	if !after {
		return nil, errPower
	}
	return resp, err
}

// boot starts a process on what is durable. The position in the feed may be older.
func (s *story) boot() {
	taken := 0
	if s.lane != nil {
		taken = max(0, s.lane.taken-s.dice.IntN(4))
	}
	s.boots++
	s.dead, s.fuse = false, 0
	d, err := NewDeployments(Options{APIURL: "http://github.test/", Token: token, PublicURL: "https://rollcall.example", Reader: s.world, Notes: s.world, Transport: s})
	if err != nil {
		s.t.Fatal(err)
	}
	s.lane = &lane{follow: d.Follow, world: s.world, taken: taken, again: time.Now()} // its retry row has it called
	s.world.broken = func() error {
		switch before, after := s.power(); {
		case !before:
			return errPower
		case !after:
			return fmt.Errorf("%w: %w", errApplied, errPower)
		}
		return nil
	}
}

// pass lets time pass; when the power goes, a new process begins.
func (s *story) pass(d time.Duration) {
	for end := time.Now().Add(d); ; {
		err := s.lane.run(s.t, time.Until(end))
		if err == nil && !s.dead {
			return
		}
		s.log("the power went out")
		time.Sleep(time.Duration(s.dice.IntN(5)) * time.Second)
		s.boot()
	}
}

func (s *story) log(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// plan is what an execution will do.
func (s *story) plan(number int) []func(*workflows.Execution) {
	if number > 1 && s.dice.IntN(4) == 0 {
		return append([]func(*workflows.Execution){rollback(1+s.dice.IntN(number-1), "Production"), enter("Production")}, s.end("Production")...)
	}
	steps := []func(*workflows.Execution){begin, enter("Staging"), act("Staging")}
	switch s.dice.IntN(8) {
	case 0:
		return append(steps, fail("Staging", "ActionFailed"))
	case 1:
		return append(steps, stop)
	case 2:
		return append(steps, fail("Staging", "ActionFailed"), retry("Staging"), stop)
	}
	steps = append(steps, succeed("Staging"), enter("Production"), ask)
	switch s.dice.IntN(8) {
	case 0:
		return append(steps, reject("Ben"))
	case 1:
		return append(steps, stepBack, supersede)
	case 2:
		return append(steps, stop)
	case 3:
		steps = append(steps, stepBack, enter("Production"), ask)
	}
	return append(append(steps, approve("Ana", "Cho")), s.end("Production")...)
}

func (s *story) end(name string) []func(*workflows.Execution) {
	switch s.dice.IntN(5) {
	case 0:
		return []func(*workflows.Execution){act(name), fail(name, "ActionFailed")}
	case 1:
		return []func(*workflows.Execution){act(name), stop}
	case 2:
		return []func(*workflows.Execution){act(name), fail(name, "ActionFailed"), retry(name), succeed(name)}
	}
	return []func(*workflows.Execution){act(name), succeed(name)}
}

// trouble puts a fault on for what GitHub is asked about deployments.
func (s *story) trouble() {
	all := []fault.Fault{{Status: 500}, {Status: 502, After: true}, {Status: 503, RetryAfter: 7 * time.Second}, {Cut: true}, {Cut: true, After: true},
		{Status: 429, RetryAfter: 11 * time.Second}, {Status: 403, RetryAfter: 45 * time.Second, Body: `{"message":"You have exceeded a secondary rate limit"}`},
		{Hang: true, After: true}, {Status: 403, Body: `{"message":"Resource not accessible"}`}, {Delay: 8 * time.Second}}
	f := all[s.dice.IntN(len(all))]
	f.Match = []string{"", "POST /repos/acme/webshop/deployments$", "POST /repos/acme/webshop/deployments/", "GET /repos/acme/webshop/deployments"}[s.dice.IntN(4)]
	f.Times = s.dice.IntN(4)
	s.log("trouble %+v", f)
	s.hub.Faults.Set(f)
}

// play lets a few executions do what they do, in any order, with trouble in between.
func (s *story) play() {
	s.boot()
	s.hub.ListLate(time.Duration(s.dice.IntN(4)) * time.Second)
	s.next = map[int][]func(*workflows.Execution){}
	for number := range 1 + s.dice.IntN(4) {
		s.next[number+1] = s.plan(number + 1)
	}
	for len(s.next) > 0 {
		var numbers []int
		for number := range s.next {
			numbers = append(numbers, number)
		}
		slices.Sort(numbers)
		number := numbers[s.dice.IntN(len(numbers))]
		steps := s.next[number]
		s.world.change(number, steps[0])
		s.log("%d does one of %d steps", number, len(steps))
		if s.next[number] = steps[1:]; len(steps) == 1 {
			delete(s.next, number)
		}
		switch s.dice.IntN(8) {
		case 0:
			s.trouble()
		case 1:
			s.hub.Faults.Set()
		case 2, 3:
			s.fuse = 1 + s.dice.IntN(8)
		}
		s.pass([]time.Duration{0, time.Second, 30 * time.Second, 2 * time.Minute}[s.dice.IntN(4)])
	}
	s.hub.Faults.Set()
	s.fuse = 0
	s.pass(70 * time.Second)
	s.judge()
}

func (s *story) judge() {
	found := map[payload][]githubfake.Deployment{}
	for _, d := range s.hub.Deployments() {
		var p payload
		if err := json.Unmarshal(d.Payload, &p); err != nil {
			s.t.Fatal(err)
		}
		found[p] = append(found[p], d)
	}
	for p, all := range found {
		e := s.world.all[p.Execution]
		want := map[workflows.Status]string{workflows.StatusSucceeded: "success", workflows.StatusFailed: "failure"}[in(&e, p.Stage).Status]
		if want == "" || e.StatusReason != nil && e.StatusReason.Code == "NotApproved" {
			want = "inactive"
		}
		if p.Stage == "Staging" && in(&e, p.Stage).Status == workflows.StatusSucceeded {
			want = all[0].State() // a later one makes it inactive
			if want != "success" && want != "inactive" {
				s.wrong("%v shows %s", p, want)
			}
		}
		if len(all) != 1 || !isFinal(all[0].State()) || all[0].State() != want {
			s.wrong("%v has %d deployments, the first is %q, want %q", p, len(all), all[0].State(), want)
		}
		if all[0].Task != map[string]string{workflows.TypeStandard: "deploy", workflows.TypeRollback: "deploy:rollback"}[e.Type] {
			s.wrong("%v has the task %s", p, all[0].Task)
		}
	}
	for _, e := range s.world.all {
		for _, st := range e.Stages {
			if p := (payload{e.ID, e.Number, e.Pipeline, st.Name}); st.Status == workflows.StatusSucceeded && len(found[p]) == 0 {
				s.wrong("%v has no deployment", p)
			}
		}
	}
	if _, ok := s.world.memos["queue/webshop"]; ok {
		s.wrong("something still waits: %s", s.world.memos["queue/webshop"])
	}
}

func (s *story) wrong(format string, args ...any) {
	s.t.Errorf(format+"\n%s", append(args, strings.Join(s.lines, "\n"))...)
}
