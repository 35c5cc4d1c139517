package inbound

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// remote is a Source: the heads of what actions follow, by repository and branch.
type remote struct {
	mu    sync.Mutex
	heads map[string]string
	looks []string
	err   error
	slow  chan struct{} // closed: answers come; nil: at once
}

func (r *remote) set(what, commit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heads == nil {
		r.heads = map[string]string{}
	}
	r.heads[what] = commit
}

func (r *remote) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *remote) looked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	looks := slices.Clone(r.looks)
	r.looks = nil
	return looks
}

func (r *remote) Head(_ context.Context, f work.Followed) (work.Change, error) {
	a := f.Action
	repository, ref := trigger.Followed(&a)
	r.mu.Lock()
	key := repository + " " + ref
	look := key
	if f.PipelineRole != "" {
		look += " as " + f.PipelineRole
	}
	r.looks = append(r.looks, look)
	c := work.Change{Provider: a.ActionType.Provider, Event: "push", Repository: repository, Branch: ref, Commit: r.heads[key]}
	if a.ActionType.Provider == "S3" {
		c.Kind = work.ObjectKind
	}
	err, slow := r.err, r.slow
	r.mu.Unlock()
	if slow != nil {
		<-slow
	}
	return c, err
}

// accounts is a Source that keeps what actions follow apart by their account.
type accounts struct{ remote }

func (a *accounts) Key(f work.Followed) string {
	of := f.Action
	repository, ref := trigger.Followed(&of)
	return of.Configuration["Account"] + "/" + repository + "/" + ref
}

func object(name, bucket, key, account string) workflows.Action {
	return workflows.Action{Name: name, ActionType: workflows.ActionType{Category: "Source", Provider: "S3"},
		Configuration: map[string]string{"S3Bucket": bucket, "S3ObjectKey": key, "Account": account}}
}

// poll runs a story with sources that poll.
func poll(t *testing.T, sources map[string]Source, story func(d *desk, m *member)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		m := d.member(func(o *Options) { o.Sources = sources })
		ctx, stop := context.WithCancel(t.Context())
		m.sources.Start(ctx)
		story(d, m)
		stop()
		m.work.Wait()
		for key := range m.o.Timers.(*clock).all {
			m.o.Timers.Drop(key)
		}
	})
}

func pass(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

func (m *member) put(p *workflows.Pipeline) {
	m.commitEvents(p.Name, []event.Event{{Kind: event.PipelineDefined, Defined: &event.Defined{Version: 1, Definition: *p}}}, m)
}

// The first look at a branch only records; what is new at a later one starts
// every pipeline that follows the branch, with one look for all of them.
func TestPollingStartsWhatIsNew(t *testing.T) {
	git1 := &remote{}
	git1.set("shop main", "c1")
	poll(t, map[string]Source{"Git": git1}, func(d *desk, m *member) {
		m.put(pipeline("web", git("App", "shop", "main")))
		m.put(pipeline("api", git("App", "shop", "main")))
		pass(time.Minute)
		if d.starts("web")+d.starts("api") != 0 {
			t.Fatal("a definition started something")
		}
		git1.looked()
		git1.set("shop main", "c2")
		pass(30 * time.Second)
		if looks := git1.looked(); len(looks) != 1 || d.starts("web") != 1 || d.starts("api") != 1 {
			t.Errorf("looked %q, started %d and %d", looks, d.starts("web"), d.starts("api"))
		}
		pass(time.Hour)
		next := d.member(func(o *Options) { o.Sources = m.o.Sources }) // another process sees nothing new
		ctx, stop := context.WithCancel(d.t.Context())
		next.sources.Start(ctx)
		pass(time.Hour)
		stop()
		for key := range next.o.Timers.(*clock).all {
			next.o.Timers.Drop(key)
		}
		if d.starts("web") != 1 || d.starts("api") != 1 {
			t.Errorf("one commit started %d and %d", d.starts("web"), d.starts("api"))
		}
	})
}

// A branch is looked at as the role of the pipeline that follows it.
func TestPollingLooksAsThePipelinesRole(t *testing.T) {
	branch := &remote{}
	branch.set("shop main", "c1")
	poll(t, map[string]Source{"Git": branch}, func(d *desk, m *member) {
		p := pipeline("web", git("App", "shop", "main"))
		p.RoleArn = "arn:aws:iam::111122223333:role/web"
		m.put(p)
		pass(time.Minute)
		if looks := branch.looked(); len(looks) == 0 || looks[0] != "shop main as "+p.RoleArn {
			t.Errorf("looked %q", looks)
		}
	})
}

// A source that names what its actions follow decides what is looked at once: one
// bucket's name in two accounts is two buckets, and what was seen in one is
// nothing in the other.
func TestASourceNamesItsOwnKey(t *testing.T) {
	s3 := &accounts{}
	s3.set("acme app.zip", "v1")
	poll(t, map[string]Source{"S3": s3}, func(d *desk, m *member) {
		m.put(pipeline("web", object("App", "acme", "app.zip", "111")))
		m.put(pipeline("api", object("App", "acme", "app.zip", "222")))
		m.put(pipeline("ops", object("App", "acme", "app.zip", "111")))
		pass(time.Minute)
		s3.looked()
		s3.set("acme app.zip", "v2")
		pass(30 * time.Second)
		if looks := s3.looked(); len(looks) != 2 {
			t.Errorf("looked %q, want once in each account", looks)
		}
		for _, name := range []string{"web", "api", "ops"} {
			if n := d.starts(name); n != 1 {
				t.Errorf("%s was started %d times", name, n)
			}
		}
		r := d.intents[len(d.intents)-1].Change[0]
		if r.RevisionID != "v2" || r.Type != "S3_OBJECT_VERSION_ID" || r.AnyBranch {
			t.Errorf("%+v", r)
		}
		moved := pipeline("web", object("App", "acme", "app.zip", "333")) // the same pipeline, another account
		m.put(moved)
		pass(time.Hour)
		if n := d.starts("web"); n != 1 {
			t.Errorf("what was never looked at started web %d times", n)
		}
	})
}

// A webhook and a look at the branch that bring one commit start once, whoever
// comes first; a head that is older than the webhook starts nothing.
func TestAWebhookAndAPollStartOnce(t *testing.T) {
	for _, first := range []string{"webhook", "poll", "the look is overtaken"} {
		git1 := &remote{}
		git1.set("https://git.example/shop.git main", "c1")
		poll(t, map[string]Source{"Git": git1}, func(d *desk, m *member) {
			m.define("web")
			pass(time.Minute)
			hook := func() {
				if _, _, err := m.receipts.Receive(d.t.Context(), work.Receipt{Key: "github/1", Source: "github"}, []work.Change{push("c2")}); err != nil {
					t.Error(err)
				}
			}
			switch first {
			case "webhook":
				git1.set("https://git.example/shop.git main", "c2")
				hook()
				pass(time.Minute)
			case "poll":
				git1.set("https://git.example/shop.git main", "c2")
				pass(30 * time.Second)
				hook()
			default: // the repository still answers c1 when the look began before the push
				slow := make(chan struct{})
				git1.mu.Lock()
				git1.slow = slow
				git1.mu.Unlock()
				pass(30 * time.Second)
				hook()
				close(slow)
				synctest.Wait()
			}
			if n := d.starts("web"); n != 1 {
				t.Errorf("%s: %d starts", first, n)
			}
		})
	}
}

// A branch that cannot be looked at is asked less and less often, for at most 10
// minutes, and as before once it can; one without a commit is such a branch.
func TestABranchThatCannotBeLookedAt(t *testing.T) {
	git1 := &remote{}
	git1.set("shop main", "c1")
	poll(t, map[string]Source{"Git": git1}, func(d *desk, m *member) {
		m.put(pipeline("web", git("App", "shop", "main")))
		pass(time.Second)
		for _, fault := range []func(){func() { git1.fail(errors.New("away")) }, func() { git1.fail(nil); git1.set("shop main", "") }} {
			fault()
			git1.looked()
			pass(4 * time.Hour)
			if n := len(git1.looked()); n < 28 || n > 36 {
				t.Errorf("looked %d times in 4 hours", n)
			}
		}
		git1.set("shop main", "c2")
		pass(10 * time.Minute)
		git1.looked()
		pass(5 * time.Minute)
		if n := len(git1.looked()); n != 10 || d.starts("web") != 1 {
			t.Errorf("looked %d times in 5 minutes, started %d", n, d.starts("web"))
		}
	})
}

// A source that panics hurts nobody else, and a pipeline that is archived, or
// whose polling is off, is not looked at.
func TestWhoIsNotLookedAt(t *testing.T) {
	good, bad := &remote{}, panics{}
	good.set("shop main", "c1")
	good.set("store main", "d1")
	poll(t, map[string]Source{"Git": good, "S3": bad}, func(d *desk, m *member) {
		m.put(pipeline("web", git("App", "shop", "main")))
		m.put(pipeline("store", git("App", "store", "main")))
		m.put(pipeline("obj", object("App", "acme", "app.zip", "")))
		pass(time.Minute)
		m.commitEvents("web", []event.Event{{Kind: event.PollingDisabled, At: time.Now()}}, m)
		m.commitEvents("store", []event.Event{{Kind: event.PipelineArchived, At: time.Now()}}, m)
		pass(time.Second)
		good.looked()
		good.set("shop main", "c2")
		pass(time.Hour)
		if looks := good.looked(); len(looks) != 0 {
			t.Errorf("looked %q", looks)
		}
		m.commitEvents("web", []event.Event{{Kind: event.PollingEnabled, At: time.Now()}}, m)
		pass(time.Hour)
		if n := d.starts("web"); n != 0 {
			t.Errorf("what came while nobody looked started %d", n)
		}
		good.set("shop main", "c3")
		pass(time.Minute)
		if n := d.starts("web"); n != 1 {
			t.Errorf("%d starts", n)
		}
	})
}

// What is polled again begins with a look that only records, also when it finds what
// was known before; the next commit starts.
func TestTheFirstLookOnlyRecords(t *testing.T) {
	good := &remote{}
	good.set("shop main", "c1")
	poll(t, map[string]Source{"Git": good}, func(d *desk, m *member) {
		m.put(pipeline("web", git("App", "shop", "main")))
		pass(time.Minute)
		m.commitEvents("web", []event.Event{{Kind: event.PollingEnabled, At: time.Now()}}, m)
		pass(time.Minute)
		good.set("shop main", "c2")
		pass(time.Minute)
		if n := d.starts("web"); n != 1 {
			t.Errorf("%d starts", n)
		}
	})
}

type panics struct{}

func (panics) Head(context.Context, work.Followed) (work.Change, error) { panic("a fault") }

// Whoever wants several keys gets them all or waits; nobody waits for ever, and
// the end of the process is an answer.
func TestKeysAreLockedForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newDesk(t).member()
		l := m.starter.locks
		var mu sync.Mutex
		inside := map[string]int{}
		var group sync.WaitGroup
		for i := range 40 {
			keys := []string{fmt.Sprint("k", i%3), fmt.Sprint("k", (i+1)%3), fmt.Sprint("k", i%3)}
			slices.Reverse(keys[:1+i%2])
			group.Go(func() {
				err := l.exclusively(t.Context(), t.Context(), slices.Clone(keys), func(context.Context) error {
					mu.Lock()
					for _, k := range slices.Compact(slices.Sorted(slices.Values(keys))) {
						if inside[k]++; inside[k] > 1 {
							t.Errorf("two work on %s", k)
						}
					}
					mu.Unlock()
					<-time.After(time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					for _, k := range slices.Compact(slices.Sorted(slices.Values(keys))) {
						inside[k]--
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		unlock, err := l.lock(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.lock(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		close(m.ended)
		if _, err := l.lock(t.Context(), "k"); !errors.Is(err, m.o.Stopped) {
			t.Errorf("%v", err)
		}
		unlock()
		if len(l.busy) != 0 {
			t.Errorf("%d keys are left", len(l.busy))
		}
	})
}
