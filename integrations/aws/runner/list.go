package runner

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
)

// forgetAfter is how long a thing stays in a list that nobody asks about any more.
const forgetAfter = 5 * time.Minute

// List keeps the newest answers about things of one kind, and asks for those that
// are due together: a thousand builds are ten calls an interval, whoever polls
// them. It is safe for concurrent use.
type List[T any] struct {
	most  int
	fetch func(ctx context.Context, c aws.Config, ids []string) (map[string]T, error)

	mu     sync.Mutex
	places map[string]*listPlace[T]
}

// listPlace is a list in one place: a Region as one role.
type listPlace[T any] struct {
	things map[string]*listed[T]
	asked  time.Time  // when AWS was asked last, by anybody
	asking sync.Mutex // held by who asks AWS; the others go on with what is known
}

type listed[T any] struct {
	value         T
	known         bool
	looked, asked time.Time
	since         time.Time
}

// NewList returns a list. fetch asks about at most that many at once, and leaves
// out what AWS does not know.
func NewList[T any](most int, fetch func(ctx context.Context, c aws.Config, ids []string) (map[string]T, error)) *List[T] {
	return &List[T]{most: most, fetch: fetch, places: map[string]*listPlace[T]{}}
}

// Look returns the newest answer about a thing; false: AWS has not been asked
// yet, or does not know it. An error says that AWS could not be asked; asked too
// often is none where something is known from before.
func (l *List[T]) Look(ctx context.Context, a *Attempt, id string) (value T, known bool, err error) {
	p, one := l.entry(a, id)
	a.drop = append(a.drop, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		one.asked = time.Time{}
	})
	if l.isDue(one, a.Now()) {
		err = l.refresh(ctx, a, p, one)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.known && err != nil && accounts.Classify(err) == accounts.Throttled {
		err = nil // what was known is what is known
	}
	return one.value, one.known, err
}

func (l *List[T]) entry(a *Attempt, id string) (*listPlace[T], *listed[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := a.Config.Region + " " + a.Task.PipelineRole + " " + a.Task.Action.RoleArn
	p := l.places[name]
	if p == nil {
		p = &listPlace[T]{things: map[string]*listed[T]{}}
		l.places[name] = p
	}
	one := p.things[id]
	if one == nil {
		one = &listed[T]{since: a.Began()}
		p.things[id] = one
	}
	one.looked = a.Now()
	if a.hinted {
		one.asked = time.Time{}
	}
	return p, one
}

func (l *List[T]) isDue(one *listed[T], now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return one.due(now)
}

func (one *listed[T]) due(now time.Time) bool {
	return !now.Before(one.asked.Add(intervalAt(now.Sub(one.since)) - shortInterval/2))
}

// refresh asks about everything that is due in a place, unless somebody does so already.
func (l *List[T]) refresh(ctx context.Context, a *Attempt, p *listPlace[T], wanted *listed[T]) error {
	p.asking.Lock()
	defer p.asking.Unlock()
	ids := l.dueIn(p, wanted, a.Now())
	for len(ids) > 0 {
		batch := ids[:min(l.most, len(ids))]
		ids = ids[len(batch):]
		answers, err := l.fetch(ctx, a.Config, batch)
		if err != nil {
			return err
		}
		l.mu.Lock()
		for _, id := range batch {
			one := p.things[id]
			if one == nil {
				continue
			}
			one.value, one.known = answers[id]
			one.asked = a.Now()
		}
		l.mu.Unlock()
	}
	return nil
}

// dueIn lists what is to be asked about, and drops what nobody asks about any more.
func (l *List[T]) dueIn(p *listPlace[T], wanted *listed[T], now time.Time) (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !wanted.due(now) || now.Before(p.asked.Add(shortInterval*9/10)) {
		return nil // somebody has asked just now: what is new is asked about with the others
	}
	p.asked = now
	for id, one := range p.things {
		switch {
		case now.Sub(one.looked) > forgetAfter:
			delete(p.things, id)
		case one.due(now):
			ids = append(ids, id)
		}
	}
	return ids
}
