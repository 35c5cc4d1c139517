package runner_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// site is where builds run, and how often they were asked about.
type site struct {
	t     *testing.T
	frame *runner.Frame
	polls *runner.Runner
	ended map[string]bool
	calls int
}

func atSite(t *testing.T, test func(s *site)) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
	t.Setenv("HOME", t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, ended: map[string]bool{}}
		list := runner.NewList(100, func(_ context.Context, _ aws.Config, ids []string) (map[string]bool, error) {
			s.calls++
			all := map[string]bool{}
			for _, id := range ids {
				all[id] = s.ended[id]
			}
			return all, nil
		})
		s.frame = runner.New(runner.Options{Accounts: accounts.Open(accounts.Options{Region: "eu-west-1"}), Now: time.Now})
		s.polls = s.frame.Runner(runner.Kind{Category: "Build", Provider: "CodeBuild", Poll: func(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
			ended, _, err := list.Look(ctx, a, a.Handle())
			o := work.Outcome{State: work.Running, Handle: a.Handle(), ExternalID: a.Handle()}
			if ended {
				o.State = work.Succeeded
			}
			return o, err
		}})
		test(s)
	})
}

// poll polls the task of a build.
func (s *site) poll(build string, settings map[string]string) work.Outcome {
	s.t.Helper()
	o, err := s.polls.Poll(s.t.Context(), work.Task{ID: "task of " + build, Handle: build, Deadline: time.Now().Add(time.Hour), Configuration: settings,
		PipelineRole: "arn:aws:iam::111122223333:role/pipeline", Action: workflows.Action{Name: "Build"}}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// A hint has the next poll ask AWS, although it was asked a moment ago; what it says
// is not taken for true.
func TestAHintShortensTheWait(t *testing.T) {
	atSite(t, func(s *site) {
		s.poll("shop:1", nil)
		time.Sleep(10 * time.Minute)
		s.poll("shop:1", nil)
		time.Sleep(4 * time.Second)
		s.ended["shop:1"] = true
		if o := s.poll("shop:1", nil); o.State != work.Running {
			t.Fatalf("it is asked about every %s, and is %s after 4 s", o.PollAfter, o.State)
		}
		s.ended["shop:1"] = false
		if tasks := s.frame.Hint("eu-west-1", "111122223333", "shop:1"); !slices.Equal(tasks, []string{"task of shop:1"}) {
			t.Errorf("the hint is about %v", tasks)
		}
		if o := s.poll("shop:1", nil); o.State != work.Running || o.PollAfter != 3*time.Second {
			t.Errorf("a forged hint made it %s; it is polled again in %s", o.State, o.PollAfter)
		}
		s.ended["shop:1"] = true
		time.Sleep(3 * time.Second)
		s.frame.Hint("eu-west-1", "111122223333", "shop:1")
		if o := s.poll("shop:1", nil); o.State != work.Succeeded {
			t.Errorf("after a hint it is %s", o.State)
		}
		if tasks := s.frame.Hint("eu-west-1", "111122223333", "shop:1"); tasks != nil {
			t.Errorf("a hint about what has ended is about %v", tasks)
		}
	})
}

// A hint is about the tasks whose handle, ID or settings have the name, in the
// account and Region; tasks that nobody polls any more are forgotten.
func TestWhatAHintIsAbout(t *testing.T) {
	atSite(t, func(s *site) {
		s.poll("b:1", map[string]string{"ServiceName": "shop", "Alarms": "5xx, slow"})
		s.poll("b:2", map[string]string{"AlarmNames": `["slow","full"]`})
		for _, c := range []struct {
			region, account, name string
			want                  int
		}{
			{"eu-west-1", "111122223333", "b:1", 1}, {"eu-west-1", "111122223333", "shop", 1}, {"eu-west-1", "111122223333", "slow", 2},
			{"eu-west-1", "111122223333", "full", 1}, {"eu-west-1", "111122223333", "5xx", 1}, {"eu-west-1", "111122223333", "", 0},
			{"eu-west-1", "111122223333", "sho", 0}, {"us-east-1", "111122223333", "b:1", 0}, {"eu-west-1", "999900001111", "b:1", 0},
		} {
			if got := s.frame.Hint(c.region, c.account, c.name); len(got) != c.want {
				t.Errorf("%s in %s of %s: %v, want %d", c.name, c.region, c.account, got, c.want)
			}
		}
		time.Sleep(time.Hour)
		if got := s.frame.Hint("eu-west-1", "111122223333", "b:1"); got != nil {
			t.Errorf("after an hour: %v", got)
		}
	})
}

// A storm of hints costs no more calls than the shortest interval allows.
func TestAStormOfHints(t *testing.T) {
	atSite(t, func(s *site) {
		for range 600 { // a minute
			for n := range 50 {
				build := fmt.Sprint("b:", n)
				s.poll(build, nil)
				s.frame.Hint("eu-west-1", "111122223333", build)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if s.calls > 24 {
			t.Errorf("%d calls in a minute", s.calls)
		}
	})
}
