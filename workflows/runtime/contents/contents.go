// Package contents finds out what is in a release beyond its commits: by which
// pull requests they came, and which issues commits, branches and pull requests
// mention.
//
// What is once found out stays true, and asking costs calls of which GitHub and
// Jira allow few: it is kept in one memo for each newest commit of a repository,
// so that neither another look, nor another stage, nor a restart asks again. A
// release has a budget of calls. What is not known is said, and asked about again by
// whoever looks next, not more often than every half minute.
//
// Imports: record, words, work.
package contents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	// Prefix begins the keys of the memos, which hold the time in "at".
	Prefix = "contents/"
	// Kept is how long they are.
	Kept = 90 * 24 * time.Hour

	mostCalls   = 95               // for one release, of GitHub and Jira together; their limits count for all releases
	forIssues   = 30               // of those that are kept for Jira, where there is one
	furtherMost = 3                // for one further look at what is known
	mostKeys    = 200              // issue keys of one release
	askedAtOnce = 50               // issue keys in one question
	askAgain    = 30 * time.Second // after somebody did not answer
	lookFor     = 3 * time.Minute  // 95 calls of a GitHub that takes a second for each, and of Jira
	askAnew     = time.Hour        // about keys that were none: the right to see an issue may have been given since
	keepWithin  = 10 * time.Second // what was found, also when the look has run out of time
	mostFailed  = 1000
)

// Contents knows what is in releases.
type Contents struct {
	o *Options

	mu     sync.Mutex
	under  map[string]*look   // those that are being found out now, by question
	newest map[string]*look   // of those the newest of each memo: the next one comes after it
	failed map[string]failure // those that could not be, lately
}

// look is one finding out, for all who want to know.
type look struct {
	done   chan struct{}
	answer Answer
}

type failure struct {
	at  time.Time
	why string
}

// New returns contents that have asked nothing yet.
func New(o *Options) *Contents {
	return &Contents{o: o, under: map[string]*look{}, newest: map[string]*look{}, failed: map[string]failure{}}
}

// Question is about commits of one repository, newest first, and the branch they came from.
type Question struct {
	Repository string
	Branch     string
	Commits    []work.Commit
	Dropped    []work.Commit // that are lost beside them, as after a forced push
	Pulls      bool          // the repository is one of which pull requests may be known
}

// Answer is what is known. Why says what is not; empty: all is.
type Answer struct {
	Pulls   map[string]*work.Pull // by commit, dropped ones too
	Issues  []work.Issue          // that Commits and Branch mention
	Dropped []work.Issue          // that only Dropped mention
	Why     string
}

// all are the commits of a question.
func (q *Question) all() []work.Commit { return slices.Concat(q.Commits, q.Dropped) }

// Of answers a question, from memory where it can. It waits until ctx ends, and no
// longer; what it asked for is found out behind the asker's back.
func (c *Contents) Of(ctx context.Context, q Question) Answer {
	if len(q.Commits)+len(q.Dropped) == 0 || c.o.Pulls == nil && c.o.Issues == nil {
		return Answer{}
	}
	l := c.join(q)
	if l == nil {
		return Answer{Why: "the service is ending"}
	}
	select {
	case <-l.done:
		return l.answer
	case <-ctx.Done():
	}
	return Answer{Why: "pull requests and issues are still being looked up"}
}

// join returns the look that finds a question's answer; nil: the process is ending.
// Looks that write the same memo come one after another: each goes on from what
// the one before has found and spent.
func (c *Contents) join(q Question) *look {
	key := q.key()
	question := key + "/" + q.print()
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.under[question]; l != nil {
		return l
	}
	l, before := &look{done: make(chan struct{})}, c.newest[key]
	began := c.o.Go(func() {
		if before != nil {
			<-before.done
		}
		ctx, cancel := context.WithTimeout(context.Background(), lookFor)
		defer cancel()
		go func() {
			select {
			case <-c.o.Stopping:
				cancel()
			case <-ctx.Done():
			}
		}()
		l.answer = c.contained(ctx, q)
		c.mu.Lock()
		delete(c.under, question)
		if c.newest[key] == l {
			delete(c.newest, key)
		}
		c.mu.Unlock()
		close(l.done)
	})
	if !began {
		return nil
	}
	c.under[question], c.newest[key] = l, l
	return l
}

// print tells questions about the same newest commit apart.
func (q *Question) print() string {
	sum := sha256.New()
	fmt.Fprintln(sum, q.Branch, q.Pulls)
	for _, one := range q.all() {
		fmt.Fprintln(sum, one.ID)
	}
	fmt.Fprintln(sum, len(q.Commits))
	return hex.EncodeToString(sum.Sum(nil))
}

// key names what is known of a question: by its repository and newest commit.
func (q *Question) key() string {
	sum := sha256.Sum256([]byte(strings.ToLower(q.Repository)))
	return Prefix + hex.EncodeToString(sum[:8]) + "/" + q.all()[0].ID
}

// known is what was found out, as its memo holds it.
type known struct {
	At     time.Time      `json:"at"`
	Calls  int            `json:"calls,omitempty"` // that it took, those of the tracker too
	Track  int            `json:"track,omitempty"` // of them, those of the tracker
	Pulls  []kept         `json:"pulls,omitempty"`
	Came   map[string]int `json:"came,omitempty"`  // commit to its pull request; 0: none
	Asked  []string       `json:"asked,omitempty"` // issue keys
	Issues []work.Issue   `json:"issues,omitempty"`

	asks int // questions about issues that were answered just now
}

// kept is a pull request in a memo.
type kept struct {
	work.Pull
	From string `json:"from,omitempty"` // its branch
}

// contained is find, and an answer also where that panics over what somebody says.
func (c *Contents) contained(ctx context.Context, q Question) (a Answer) {
	defer func() {
		if fault := recover(); fault != nil {
			c.o.Log.Error("finding out what is in a release panicked", "repository", q.Repository, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			a = Answer{Why: "pull requests and issues could not be looked up: the service's log says why"}
		}
	}()
	return c.find(ctx, q)
}

// find answers from the memo, and asks for what is missing.
func (c *Contents) find(ctx context.Context, q Question) Answer {
	key := q.key()
	k, err := c.read(ctx, key)
	if err != nil {
		c.o.Log.Warn("what is known of a release could not be read", "key", key, "err", err)
		return Answer{Why: "what is known of it could not be read"}
	}
	before := fmt.Sprint(k.Calls, len(k.Came), k.asks)
	var whys []string
	if c.o.Pulls != nil && q.Pulls {
		whys = append(whys, c.addPulls(ctx, key, q, &k))
	}
	if c.o.Issues != nil {
		whys = append(whys, c.addIssues(ctx, key, q, &k))
	}
	if fmt.Sprint(k.Calls, len(k.Came), k.asks) != before {
		k.At = c.o.Now()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepWithin)
		defer cancel()
		if err := c.o.Commits.Persist(ctx, record.Commit{Memos: []record.Memo{record.NewMemo(record.RuntimeOwner, key, k)}}); err != nil {
			c.o.Log.Warn("what was found out about a release could not be kept", "key", key, "err", err)
		}
	}
	return k.answer(q, whys)
}

func (c *Contents) read(ctx context.Context, key string) (k known, err error) {
	value, ok, err := c.o.Memos.Memo(ctx, record.RuntimeOwner, key)
	if err == nil && ok {
		err = json.Unmarshal(value, &k)
	}
	for i := range k.Pulls {
		k.Pulls[i].Branch = k.Pulls[i].From
	}
	if k.Came == nil {
		k.Came = map[string]int{}
	}
	return k, err
}

// addPulls asks for the pull requests that are not known; why they still are not.
func (c *Contents) addPulls(ctx context.Context, key string, q Question, k *known) (why string) {
	open := slices.DeleteFunc(q.all(), func(one work.Commit) bool {
		_, known := k.Came[one.ID]
		return known
	})
	if len(open) == 0 {
		return ""
	}
	if why := c.lately(key + " pulls"); why != "" {
		return why
	}
	most := mostCalls - k.Calls
	if c.o.Issues != nil {
		most = min(most, mostCalls-forIssues-(k.Calls-k.Track))
	}
	found, err := c.o.Pulls.Pulls(ctx, q.Repository, open, max(most, 0))
	k.take(found)
	if err != nil {
		return c.failing(key+" pulls", err)
	}
	left := 0
	for _, one := range open {
		if _, known := k.Came[one.ID]; !known {
			left++
		}
	}
	if left == 0 {
		return ""
	}
	return fmt.Sprintf("by which pull requests %d of %s came is not known: too many calls would be needed", left, words.Count(len(q.all()), "commit"))
}

// take notes what was found.
func (k *known) take(found work.Pulled) {
	k.Calls += found.Calls
	for id, pull := range found.By {
		if pull == nil {
			k.Came[id] = 0
			continue
		}
		k.Came[id] = pull.Number
		if !slices.ContainsFunc(k.Pulls, func(p kept) bool { return p.Number == pull.Number }) {
			k.Pulls = append(k.Pulls, kept{*pull, pull.Branch})
		}
	}
	slices.SortFunc(k.Pulls, func(a, b kept) int { return a.Number - b.Number })
}

// addIssues asks for the issues that are mentioned; why they are not known.
func (c *Contents) addIssues(ctx context.Context, key string, q Question, k *known) (why string) {
	all := mentioned(q.Branch, q.all(), k)
	if len(all) > mostKeys {
		why = fmt.Sprintf("only %d of %d issue keys are looked up", mostKeys, len(all))
		all = all[:mostKeys]
	}
	open, most := slices.DeleteFunc(slices.Clone(all), func(key string) bool { return slices.Contains(k.Asked, key) }), mostCalls-k.Calls
	first := len(open) > 0
	if !first && !c.o.Now().Before(k.At.Add(askAnew)) {
		open, most = slices.DeleteFunc(all, k.has), furtherMost
	}
	if len(open) == 0 {
		return why
	}
	if why := c.lately(key + " issues"); why != "" {
		return why
	}
	left := 0
	for part := range slices.Chunk(open, askedAtOnce) {
		found, err := c.o.Issues.Issues(ctx, part, max(most, 0))
		k.track(found, first)
		if err != nil {
			return c.failing(key+" issues", err)
		}
		most, left = most-found.Calls, left+len(part)-len(found.Asked)
	}
	if first && left > 0 {
		return fmt.Sprintf("of %d of %s it is not known whether there are such issues: too many calls would be needed", left, words.Count(len(all), "issue key"))
	}
	return why
}

// track notes what the tracker said. Calls of a further look are nobody's budget.
func (k *known) track(found work.Tracked, first bool) {
	k.asks++
	if first {
		k.Calls, k.Track = k.Calls+found.Calls, k.Track+found.Calls
	}
	for _, key := range found.Asked {
		if !slices.Contains(k.Asked, key) {
			k.Asked = append(k.Asked, key)
		}
	}
	for _, i := range found.Issues {
		if !k.has(i.Key) {
			k.Issues = append(k.Issues, i)
		}
	}
}

func (k *known) has(key string) bool {
	return slices.ContainsFunc(k.Issues, func(i work.Issue) bool { return i.Key == key })
}

// mentioned are the issue keys in commits, branches and pull requests. People write
// branches in lower case.
func mentioned(branch string, commits []work.Commit, k *known) []string {
	var all []string
	seen := map[string]bool{}
	add := func(keys []string) {
		for _, key := range keys {
			if !seen[key] {
				seen[key], all = true, append(all, key)
			}
		}
	}
	add(work.Mentions(strings.ToUpper(branch)))
	for _, one := range commits {
		add(one.Mentions)
		i := slices.IndexFunc(k.Pulls, func(p kept) bool { return p.Number == k.Came[one.ID] })
		if i >= 0 {
			add(work.Mentions(k.Pulls[i].Title))
			add(work.Mentions(strings.ToUpper(k.Pulls[i].From)))
		}
	}
	return all
}

// answer is what of a memo concerns a question: it may know more.
func (k *known) answer(q Question, whys []string) Answer {
	a := Answer{Pulls: map[string]*work.Pull{}, Why: strings.Join(slices.DeleteFunc(whys, func(why string) bool { return why == "" }), "; ")}
	byNumber := map[int]*work.Pull{}
	for i := range k.Pulls {
		byNumber[k.Pulls[i].Number] = &k.Pulls[i].Pull
	}
	for _, one := range q.all() {
		if pull := byNumber[k.Came[one.ID]]; pull != nil {
			a.Pulls[one.ID] = pull
		}
	}
	keys, dropped := mentioned(q.Branch, q.Commits, k), mentioned("", q.Dropped, k)
	for _, i := range k.Issues {
		switch {
		case slices.Contains(keys, i.Key):
			a.Issues = append(a.Issues, i)
		case slices.Contains(dropped, i.Key):
			a.Dropped = append(a.Dropped, i)
		}
	}
	return a
}

// lately says why somebody who did not answer is not asked again yet; empty: they may be.
func (c *Contents) lately(key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.failed[key]; ok && c.o.Now().Before(f.at.Add(askAgain)) {
		return f.why
	}
	delete(c.failed, key)
	return ""
}

func (c *Contents) failing(key string, err error) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failed) >= mostFailed {
		clear(c.failed)
	}
	c.failed[key] = failure{at: c.o.Now(), why: err.Error()}
	c.o.Log.Warn("what is in a release is not wholly known", "key", key, "err", err)
	return err.Error()
}
