package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// chronicle is a repository of one line, c1, c2, …, that knows who made what.
type chronicle struct {
	remote
	made  map[string][]workflows.Author
	lost  string // a commit that it no longer has
	away  error
	asked int
}

func (c *chronicle) Compare(_ context.Context, r work.Range) (out work.Changes, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.away != nil {
		return out, c.away
	}
	if r.From == c.lost && c.lost != "" {
		return work.Changes{Why: "commit " + c.lost + " is no longer there"}, nil
	}
	var from, to int
	fmt.Sscanf(r.From+" "+r.To, "c%d c%d", &from, &to)
	if r.From == "" {
		from = 0
		fmt.Sscanf(r.To, "c%d", &to)
	}
	for i := to; i > from; i-- {
		id := fmt.Sprint("c", i)
		out.Commits, out.Authors = append(out.Commits, id), append(out.Authors, c.made[id]...)
		out.New = append(out.New, work.Commit{ID: id, Summary: "Change " + id, Mentions: []string{"SHOP-" + id[1:]}})
	}
	for i := from; i > to; i-- {
		out.Lost = append(out.Lost, work.Commit{ID: fmt.Sprint("c", i), Summary: fmt.Sprint("Change c", i), Author: workflows.Author{Name: "Dora"}, Mentions: []string{fmt.Sprint("SHOP-", i)}, Unsafe: i == 3})
	}
	out.Complete, out.Count, out.Undone, out.CompareURL = true, len(out.Commits), max(0, from-to), "https://git.example/"+r.From+"..."+r.To
	return out, nil
}

// pushed delivers a commit: by whom it was written, and who pushed it.
func (w *world) pushed(commit, author, by string) string {
	w.t.Helper()
	w.options.Sources["Git"].(*chronicle).push(commit)
	c := push(commit)
	c[0].Commits = []string{commit}
	c[0].Author = &workflows.Author{Name: author, Email: author + "@acme.example"}
	c[0].By = workflows.Principal{ID: "github:" + by, Name: by, Email: by + "@acme.example", Via: "github"}
	got, _ := w.receive("github/"+commit, c)
	if len(got.Started) != 1 {
		w.t.Fatalf("%s starts %+v", commit, got)
	}
	synctest.Wait()
	return got.Started[0]
}

var four = strings.Replace(shop, "from: [ana@acme.example]", "from: [ana@acme.example, ben@acme.example]", 1)

// chronicled runs a story of the shop over a repository that knows its history;
// c1 is in production unless first is set.
func chronicled(t *testing.T, first bool, story func(w *world, c *chronicle)) {
	t.Helper()
	play(t, func(w *world) {
		c := &chronicle{remote: remote{head: "c0"}, made: map[string][]workflows.Author{}}
		w.options.Sources = map[string]runtime.Source{"Git": c}
		w.boot()
		w.define(four)
		if !first {
			id := w.pushed("c1", "cho", "cho")
			w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: id})
			synctest.Wait()
			w.status(id, workflows.StatusSucceeded)
		}
		story(w, c)
	})
}

// T2: Ana had a hand in c2, which did not stay in production; Dora's c3 on top of
// it brings it there. Whatever her part was and whatever became of c2, Ana cannot
// approve it, and Ben can. Where nothing runs yet only the push itself is known.
func TestNobodyApprovesWhatTheyHadAHandIn(t *testing.T) {
	before := map[string]func(w *world, id string){
		"waits before it": func(w *world, id string) {}, // at its gate, when c3 comes
		"superseded":      func(w *world, id string) {}, // its transition is disabled, see below
		"stopped": func(w *world, id string) {
			w.submit(ben, workflows.Intent{Verb: workflows.StopExecution, Execution: id, Abandon: true})
		},
		"rejected": func(w *world, id string) { w.submit(ben, workflows.Intent{Verb: workflows.Reject, Execution: id}) },
		"rolled back": func(w *world, id string) {
			w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: id})
			synctest.Wait()
			w.status(id, workflows.StatusSucceeded)
			w.submit(ben, workflows.Intent{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Production", Target: "webshop#1"})
			synctest.Wait()
			w.submit(ben, workflows.Intent{Verb: workflows.Unlock, Pipeline: "webshop", Stage: "Production"})
		},
		"first deploy": func(w *world, id string) {
			w.submit(ben, workflows.Intent{Verb: workflows.StopExecution, Execution: id, Abandon: true})
		},
	}
	for _, role := range []string{"author", "committer", "co-author", "merger", "pusher"} {
		for name, happens := range before {
			t.Run(role+", "+name, func(t *testing.T) {
				first := name == "first deploy"
				chronicled(t, first, func(w *world, c *chronicle) {
					by := "eli"
					c.made["c2"] = []workflows.Author{{Email: "eli@acme.example"}}
					switch role {
					case "merger", "pusher":
						by = "ana"
					default: // the repository tells of them alike
						c.made["c2"] = append(c.made["c2"], workflows.Author{Email: "Ana@acme.example"})
					}
					if name == "superseded" {
						w.submit(ben, workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: "Production"})
					}
					second := w.pushed("c2", "eli", by)
					happens(w, second)
					synctest.Wait()
					third := w.pushed("c3", "dora", "dora")
					switch name {
					case "superseded":
						w.status(second, workflows.StatusSuperseded)
						w.submit(ben, workflows.Intent{Verb: workflows.Unlock, Pipeline: "webshop", Stage: "Production"})
					case "waits before it":
						w.submit(ben, workflows.Intent{Verb: workflows.StopExecution, Execution: second, Abandon: true})
					}
					synctest.Wait()
					judged := []string{"https://git.example/shop.git c1..c3: 2 commits"}
					if first {
						judged = nil
						w.submit(ana, workflows.Intent{Verb: workflows.Approve, Execution: third})
					} else {
						p := w.refused(ana, workflows.Intent{Verb: workflows.Approve, Execution: third}, workflows.CodeSelfApproval)
						if !strings.Contains(p.Message, "you wrote, committed or pushed a part of what goes live with it") {
							t.Errorf("Ana hears %q", p.Message)
						}
						w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: third})
					}
					synctest.Wait()
					w.status(third, workflows.StatusSucceeded)
					if v := w.asked(third).Votes; len(v) != 1 || !slices.Equal(v[0].Judged, judged) {
						t.Errorf("votes %+v, want one about %v", v, judged)
					}
				})
			})
		}
	}
}

// T2: a history that cannot be looked at is no yes; one that is known to be gone leaves
// the authors of the push, and both are said. What is no person of ours harms nobody.
func TestAHistoryThatIsNotKnown(t *testing.T) {
	chronicled(t, false, func(w *world, c *chronicle) {
		c.mu.Lock()
		c.away = errors.New("connection refused")
		c.mu.Unlock()
		id := w.pushed("c2", "ana", "dora")
		p := w.refused(ben, workflows.Intent{Verb: workflows.Approve, Execution: id}, workflows.CodeUnavailable)
		if !strings.Contains(p.Message, "could not check who wrote what goes live") {
			t.Errorf("Ben hears %q", p.Message)
		}
		w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: w.known(c, id)})
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)

		c.lost = "c2"
		id = w.pushed("c9", "ana", "dora")
		w.refused(ana, workflows.Intent{Verb: workflows.Approve, Execution: id}, workflows.CodeSelfApproval)
		w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: id})
		synctest.Wait()
		if v := w.asked(id).Votes; !slices.Equal(v[0].Judged, []string{"https://git.example/shop.git c2..c9: not known, because commit c2 is no longer there"}) {
			t.Errorf("votes %+v", v)
		}
	})
}

// asked is the gate of an execution in Production.
func (w *world) asked(ref string) *workflows.Approval {
	w.t.Helper()
	x := w.execution(ref)
	st, _ := x.Stage("Production")
	return st.Actions[0].Approval
}

// known has the repository back.
func (w *world) known(c *chronicle, id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = nil
	return id
}

// T2: an answer is judged again with what goes live when the quorum is reached:
// a rollback beside it (PARALLEL) brings what Ana had a hand in into the range.
func TestAVoteFallsWithWhatGoesLive(t *testing.T) {
	play(t, func(w *world) {
		c := &chronicle{remote: remote{head: "c0"}, made: map[string][]workflows.Author{"c2": {{Email: "ana@acme.example"}}}}
		w.options.Sources = map[string]runtime.Source{"Git": c}
		w.boot()
		w.define(strings.Replace(strings.Replace(four, "name: webshop", "name: webshop\nexecutionMode: PARALLEL", 1), "ben@acme.example]", "ben@acme.example, cho@acme.example], required: 2", 1))
		cho := workflows.Principal{ID: "slack:U4", Name: "Cho", Email: "cho@acme.example", Via: "slack"}
		approve := func(id string, who ...workflows.Principal) {
			t.Helper()
			for _, p := range who {
				w.submit(p, workflows.Intent{Verb: workflows.Approve, Execution: id})
				synctest.Wait()
			}
		}
		two := w.pushed("c2", "eli", "eli")
		approve(two, ben, cho)
		w.status(two, workflows.StatusSucceeded)
		one := w.pushed("c1", "fay", "fay") // older, by its side
		three := w.pushed("c3", "dora", "dora")
		approve(three, ana) // c2..c3: not hers
		approve(one, ben, cho)
		w.status(one, workflows.StatusSucceeded)
		approve(three, ben) // c1..c3
		if g := w.asked(three); g.Closed != "" || g.Approvals() != 1 || w.disk.count(event.GateVoteDropped) != 1 {
			t.Errorf("the gate is %+v", g)
		}
		approve(three, cho)
		w.status(three, workflows.StatusSucceeded)
	})
}

// U4: what an execution brings is noted when it enters a stage where people ask,
// against what ran then, and stays as it was; a rollback says what it undoes.
func TestWhatAnExecutionBringsIsNoted(t *testing.T) {
	chronicled(t, false, func(w *world, c *chronicle) {
		note := func(ref, stage string) string {
			w.t.Helper()
			var found string
			for _, n := range w.execution(ref).Notes {
				if n.Name == "changes/"+stage {
					if lines := strings.Count(n.Detail, "\n") + 1; n.State == "done" && lines != 3 {
						w.t.Errorf("%s in %s: %d lines: %q", ref, stage, lines, n.Detail)
					}
					found += n.State + ": " + n.Text + " " + n.URL
				}
			}
			return found
		}
		check := func(ref, want string) {
			w.t.Helper()
			if got := note(ref, "Production"); got != want {
				w.t.Errorf("%s: %q, want %q", ref, got, want)
			}
		}
		check("webshop#1", "") // nothing ran there
		c.mu.Lock()
		c.away = errors.New("connection refused")
		c.mu.Unlock()
		id := w.pushed("c4", "dora", "dora")
		check("webshop#2", "")
		w.known(c, id)
		pass(2 * time.Minute)
		check("webshop#2", "done: 3 commits since #1 https://git.example/c1...c4")
		w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: id})
		synctest.Wait()
		check("webshop#2", "done: 3 commits since #1 https://git.example/c1...c4")
		targets, err := w.Targets(w.t.Context(), ana, "webshop", "Production")
		if err != nil || len(targets) != 2 || targets[0].Compared || !targets[1].Compared || targets[1].Undoes != 3 || targets[1].Brings != 0 || targets[1].CompareURL != "https://git.example/c4...c1" || len(targets[1].Lines) != 3 {
			w.t.Errorf("targets %+v, %v", targets, err)
		}
		if got := note("webshop#2", "Build"); got != "" {
			w.t.Errorf("nobody asks in Build: %q", got)
		}
		w.submit(ben, workflows.Intent{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Production", Target: "webshop#1"})
		synctest.Wait()
		check("webshop#3", "done: undoes 3 commits of #2 https://git.example/c4...c1")
		w.submit(ben, workflows.Intent{Verb: workflows.Unlock, Pipeline: "webshop", Stage: "Production"})
		c.lost = "c1"
		w.pushed("c5", "dora", "dora")
		check("webshop#4", "refused: what is new since #1 is not known, because commit c1 is no longer there ")
		w.reboot()
		pass(time.Minute)
		check("webshop#4", "refused: what is new since #1 is not known, because commit c1 is no longer there ")
	})
}

// T2: a pipeline that reads another repository than before has no history to
// compare: the authors of the push are kept from approving, and it is said that
// no more is known.
func TestAnotherRepositoryIsNoSameRevision(t *testing.T) {
	chronicled(t, false, func(w *world, c *chronicle) {
		w.define(strings.Replace(four, "https://git.example/shop.git", "https://git.example/store.git", 1))
		c.push("e1")
		change := push("e1")
		change[0].Repository = "https://git.example/store.git"
		got, _ := w.receive("github/e1", change)
		synctest.Wait()
		id := got.Started[0]
		notes := w.execution(id).Notes
		if len(notes) != 1 || notes[0].State != "refused" || notes[0].Text != "what is new since #1 is not known, because nothing of https://git.example/store.git ran there before" {
			w.t.Errorf("notes %+v", notes)
		}
		w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: id})
		synctest.Wait()
		if v := w.asked(id).Votes; len(v) != 1 || len(v[0].Judged) != 1 || !strings.HasSuffix(v[0].Judged[0], "not known, because nothing of https://git.example/store.git ran there before") {
			w.t.Errorf("votes %+v", v)
		}
	})
}

// T2: where people approve in a stage of its own, in front of the one that
// deploys, an approval is judged by what both run: what was approved and did not
// stay in production is not live.
func TestAnApprovalCoversTheStagesBehindIt(t *testing.T) {
	for name, took := range map[string]func(w *world, id string){
		"it was rolled back": func(w *world, id string) {
			w.submit(ben, workflows.Intent{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Deploy", Target: "webshop#1"})
			synctest.Wait()
			w.submit(ben, workflows.Intent{Verb: workflows.Unlock, Pipeline: "webshop", Stage: "Deploy"})
		},
		"it never came there": func(w *world, id string) {
			w.submit(ben, workflows.Intent{Verb: workflows.StopExecution, Execution: id, Abandon: true})
			w.submit(ben, workflows.Intent{Verb: workflows.Unlock, Pipeline: "webshop", Stage: "Deploy"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(w *world) {
				c := &chronicle{remote: remote{head: "c0"}, made: map[string][]workflows.Author{"c2": {{Email: "ana@acme.example"}}}}
				w.options.Sources = map[string]runtime.Source{"Git": c}
				w.boot()
				w.define(strings.Replace(four, "      - {name: Deploy,", "  - name: Deploy\n    actions:\n      - {name: Deploy,", 1))
				approved := func(commit, author string) string {
					id := w.pushed(commit, author, author)
					w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: id})
					synctest.Wait()
					return id
				}
				w.status(approved("c1", "cho"), workflows.StatusSucceeded)
				if name == "it never came there" {
					w.submit(ben, workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: "Deploy"})
				}
				took(w, approved("c2", "eli"))
				synctest.Wait()
				third := w.pushed("c3", "dora", "dora")
				w.refused(ana, workflows.Intent{Verb: workflows.Approve, Execution: third}, workflows.CodeSelfApproval)
				w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: third})
				synctest.Wait()
				w.status(third, workflows.StatusSucceeded)
				want := []string{"https://git.example/shop.git c2..c3: 1 commit", "https://git.example/shop.git c1..c3: 2 commits"}
				if v := w.asked(third).Votes; len(v) != 1 || !slices.Equal(v[0].Judged, want) {
					w.t.Errorf("votes %+v, want one about %v", v, want)
				}
			})
		})
	}
}

// What is in an execution is the difference to what ran when it entered the
// stage: before that to what runs, and afterwards it stays.
func TestWhatAnExecutionBrings(t *testing.T) {
	chronicled(t, true, func(w *world, c *chronicle) {
		check := func(ref, stage, from, to string, direction changes.Direction, total int, complete bool) {
			w.t.Helper()
			got, err := w.Changes(w.t.Context(), ana, ref, stage)
			was := "nothing"
			if got.From != nil {
				was = *got.From
			}
			if err != nil || was != from || got.To != to || got.Direction != direction || got.Total != total || got.Complete != complete || len(got.Commits) != total {
				w.t.Errorf("%s in %s: from %s, %+v, %v", ref, stage, was, got, err)
			}
		}
		first := w.pushed("c2", "cho", "cho")
		check("webshop#1", "Production", "nothing", "c2", changes.Ahead, 2, true)
		w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: first})
		synctest.Wait()
		check("webshop#1", "Production", "nothing", "c2", changes.Ahead, 2, true)

		second := w.pushed("c5", "dora", "dora")
		check("webshop#2", "Production", "c2", "c5", changes.Ahead, 3, true)
		w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: second})
		synctest.Wait()
		w.status(second, workflows.StatusSucceeded)
		check("webshop#2", "", "c2", "c5", changes.Ahead, 3, true)

		w.submit(ben, workflows.Intent{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Production", Target: "webshop#1"})
		synctest.Wait()
		check("webshop#3", "", "c5", "c2", changes.Back, 3, true)
		w.reboot()
		check("webshop#2", "Production", "c2", "c5", changes.Ahead, 3, true)
		check("webshop#3", "Production", "c5", "c2", changes.Back, 3, true)

		for since, want := range map[string]string{"": "webshop#1 in Production", "#2": "webshop#1 in Production, since #2", "webshop#3": "webshop#1 in Production, since #3"} {
			n, err := w.Notes(w.t.Context(), ana, "webshop", "Production", since)
			if err != nil || n.Title != want || !n.Complete || !strings.HasPrefix(n.Text, "# "+want+"\n") {
				w.t.Errorf("notes since %q: %+v, %v", since, n, err)
			}
		}
		for _, ask := range [][3]string{{"shop", "Production", ""}, {"webshop", "Prod", ""}, {"webshop", "Production", "#9"}} {
			if _, err := w.Notes(w.t.Context(), ana, ask[0], ask[1], ask[2]); err == nil {
				w.t.Errorf("%v has notes", ask)
			}
		}

		_, err := w.Changes(w.t.Context(), eve, "webshop#2", "Production")
		w.problem(err, workflows.CodeExecutionNotFound)
		_, err = w.Notes(w.t.Context(), eve, "webshop", "Production", "")
		w.problem(err, workflows.CodePipelineNotFound)

		c.lost = "c5"
		w.reboot()
		got, err := w.Changes(w.t.Context(), ana, "webshop#3", "")
		if err != nil || got.Complete || got.Why != "commit c5 is no longer there" || *got.From != "c5" || got.To != "c2" {
			w.t.Errorf("what nobody can know: %+v, %v", got, err)
		}
		c.lost, c.away = "", errors.New("connection refused")
		w.reboot()
		if got, err = w.Changes(w.t.Context(), ana, "webshop#2", ""); err != nil || got.Complete || got.Why == "" || got.To != "c5" {
			w.t.Errorf("what cannot be known now: %+v, %v", got, err)
		}
		c.mu.Lock()
		c.away = nil
		c.mu.Unlock()
		check("webshop#2", "Production", "c2", "c5", changes.Ahead, 3, true)

		for _, ask := range [][2]string{{"webshop#9", ""}, {"webshop#2", "Prod"}, {"webshop#3", "Build"}} {
			if _, err := w.Changes(w.t.Context(), ana, ask[0], ask[1]); err == nil {
				w.t.Errorf("%v has changes", ask)
			}
		}
	})
}

// slowTracker is a Jira that knows every issue, and takes its time.
type slowTracker struct{ takes time.Duration }

func (s slowTracker) Issues(ctx context.Context, keys []string, _ int) (all work.Tracked, err error) {
	time.Sleep(s.takes)
	for _, key := range keys {
		all.Issues, all.Asked = append(all.Issues, work.Issue{Key: key}), append(all.Asked, key)
	}
	return all, ctx.Err()
}

// gapped is a history in which one execution cannot be read while it is damaged.
type gapped struct {
	runtime.History
	damaged atomic.Value // its ID
	removed atomic.Value // the ID of one that is not there any more
}

func (g *gapped) Execution(ctx context.Context, id string) (workflows.Execution, bool, error) {
	if g.damaged.Load() == id {
		return workflows.Execution{}, false, errors.New("the disk does not answer")
	}
	if g.removed.Load() == id {
		return workflows.Execution{}, false, nil
	}
	return g.History.Execution(ctx, id)
}

// The issues of a release are noted on it also where the tracker takes longer than
// somebody who looks would wait, and where the store fails meanwhile.
func TestIssuesAreNotedHoweverLongItTakes(t *testing.T) {
	for _, c := range []struct {
		name    string
		takes   time.Duration
		damaged bool
	}{{"the tracker is slow", 20 * time.Second, false}, {"the store fails", 0, true}} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(w *world) {
				w.plug = &plug{disk: w.disk}
				history := &gapped{History: w.plug}
				w.options.History, w.options.Issues = history, slowTracker{c.takes}
				w.options.Sources = map[string]runtime.Source{"Git": &chronicle{remote: remote{head: "c0"}, made: map[string][]workflows.Author{}}}
				w.start()
				w.define(four)
				first := w.pushed("c1", "cho", "cho")
				w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: first})
				synctest.Wait()
				w.status(first, workflows.StatusSucceeded)
				if c.damaged {
					history.damaged.Store(first)
				}
				second := w.pushed("c2", "dora", "dora")
				time.Sleep(time.Second / 2)
				history.damaged.Store("")
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				noted := w.execution(second).Notes
				if !slices.ContainsFunc(noted, func(n workflows.Note) bool { return n.Name == "issues/Production" && n.Text == "SHOP-2" }) {
					w.t.Errorf("noted: %+v", noted)
				}
			})
		})
	}
}

// Release notes since an execution do not need what ran before: it may have been removed.
func TestNotesSinceWhereWhatRanBeforeIsRemoved(t *testing.T) {
	play(t, func(w *world) {
		w.plug = &plug{disk: w.disk}
		history := &gapped{History: w.plug}
		w.options.History = history
		w.options.Sources = map[string]runtime.Source{"Git": &chronicle{remote: remote{head: "c0"}, made: map[string][]workflows.Author{}}}
		w.start()
		w.define(four)
		var ids []string
		for _, commit := range []string{"c1", "c2"} {
			id := w.pushed(commit, "cho", "cho")
			w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: id})
			synctest.Wait()
			w.status(id, workflows.StatusSucceeded)
			ids = append(ids, id)
		}
		history.removed.Store(ids[0])
		_, err := w.Notes(w.t.Context(), ana, "webshop", "Production", "")
		w.problem(err, workflows.CodeExecutionNotFound)
		if n, err := w.Notes(w.t.Context(), ana, "webshop", "Production", "#2"); err != nil || n.Title != "webshop#2 in Production, since #2" {
			t.Errorf("%+v, %v", n, err)
		}
	})
}

// hanging is a repository that does not answer.
type hanging struct{ *remote }

func (hanging) Compare(ctx context.Context, _ work.Range) (work.Changes, error) {
	<-ctx.Done()
	return work.Changes{}, ctx.Err()
}

// However many repositories do not answer, whoever looks is answered before Slack or a proxy gives up.
func TestRepositoriesThatHang(t *testing.T) {
	play(t, func(w *world) {
		w.options.Sources = map[string]runtime.Source{"Git": &hanging{&remote{head: "c1"}}}
		w.boot()
		const app = `{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}`
		more := app
		for _, name := range []string{"Config", "Charts"} {
			more += ", " + strings.NewReplacer("App", name, "shop.git", name+".git", "[app]", "["+strings.ToLower(name)+"]").Replace(app)
		}
		w.outside.answer = func(t work.Task) (work.Outcome, error) {
			o := succeeded(t)
			if o.Revision != nil {
				o.Revision.Repository = t.Action.Configuration["Repository"]
			}
			return o, nil
		}
		w.define(strings.Replace(named("webshop"), app, more, 1))
		w.begin("webshop")
		synctest.Wait()
		began := time.Now()
		got, err := w.Changes(w.t.Context(), ana, "webshop#1", "Deploy")
		if took := time.Since(began); err != nil || got.Complete || len(got.Sources) != 3 || took > 30*time.Second {
			t.Errorf("after %v: %+v, %v", took, got, err)
		}
	})
}
