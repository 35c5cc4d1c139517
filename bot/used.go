package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

const (
	ownKept       = 40 // executions of one person
	rollbacksKept = 20
	rollbacksKey  = "home/rollbacks"
)

// begun is an execution in the memo of a person, or of all rollbacks. What has become of
// it is read when somebody looks.
type begun struct {
	Execution string    `json:"execution"`
	Pipeline  string    `json:"pipeline"`
	At        time.Time `json:"at"`
}

// personKey names somebody across Slack, sources and the console: by their
// address where one is known, else by their ID. Empty for machines and for rollcall.
func (b *Bot) personKey(id, email string) string {
	if address := b.known[strings.ToLower(id)]; address != "" {
		email = address
	}
	if email != "" {
		return "home/mail:" + strings.ToLower(email)
	}
	if id == "" || strings.HasPrefix(id, "token:") {
		return ""
	}
	return "home/" + strings.ToLower(id)
}

// behind are the memos of those who started an execution or wrote what it brings.
func (b *Bot) behind(e *workflows.Execution) []string {
	var keys []string
	add := func(key string) {
		if key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if by := e.Trigger.By; !by.IsEngine() {
		add(b.personKey(by.ID, by.Email))
	}
	for _, r := range e.SourceRevisions {
		if a := r.Author; a != nil && len(keys) < 10 {
			login := ""
			if a.Login != "" {
				login = "github:" + a.Login
			}
			add(b.personKey(login, a.Email))
		}
	}
	return keys
}

// noteBegun notes for App Home whose an execution is, and that it is a rollback.
// Only what begins, and what its sources brought, can change that.
func (f *following) noteBegun(ctx context.Context, all []workflows.Execution) error {
	news := func(e event.Event) bool { return e.Kind == event.ExecutionStarted || e.Kind == event.StageSucceeded }
	if !f.anyEvent(news) {
		return nil
	}
	for i := range all {
		e := &all[i]
		if e.Status.Final() && e.Rollback == nil {
			continue
		}
		if err := f.noteOwn(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// noteOwn notes whose an execution is, and that it is a rollback.
func (b *Bot) noteOwn(ctx context.Context, e *workflows.Execution) error {
	keys := b.behind(e)
	if e.Rollback != nil {
		keys = append(keys, rollbacksKey)
	}
	for _, key := range keys {
		if err := b.addBegun(ctx, key, begun{e.ID, e.Pipeline, e.StartedAt}); err != nil {
			return fmt.Errorf("note whose %s is: %w", e.Ref(), err)
		}
	}
	return nil
}

// addBegun puts an execution into a memo, newest first, unless it is there.
func (b *Bot) addBegun(ctx context.Context, key string, one begun) error {
	most := ownKept
	if key == rollbacksKey {
		most = rollbacksKept
	}
	done, err := b.lockPipeline(ctx, "home/") // no pipeline's name
	if err != nil {
		return err
	}
	defer done()
	all, err := b.begun(ctx, key)
	if err != nil || slices.ContainsFunc(all, func(x begun) bool { return x.Execution == one.Execution }) {
		return err
	}
	at, _ := slices.BinarySearchFunc(all, one, func(x, y begun) int { return y.At.Compare(x.At) })
	if at >= most {
		return nil
	}
	all = slices.Insert(all, at, one)
	value, err := json.Marshal(all[:min(len(all), most)])
	if err != nil {
		return fmt.Errorf("note whose executions are: %w", err)
	}
	return b.memos.Note(ctx, key, value)
}

// begun reads such a memo, newest first.
func (b *Bot) begun(ctx context.Context, key string) (all []begun, err error) {
	value, ok, err := b.memos.Memo(ctx, key)
	if err != nil || !ok {
		return nil, err
	}
	if err := json.Unmarshal(value, &all); err != nil {
		return nil, fmt.Errorf("what was noted in %s cannot be read: %w", key, err)
	}
	return all, nil
}
