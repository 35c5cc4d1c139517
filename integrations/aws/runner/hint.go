package runner

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// longestNames is how long a setting may be to hold names; anything longer is a text.
const longestNames = 2000

// waiting is a task whose work runs in AWS.
type waiting struct {
	region, account string
	words           map[string]bool // its handle, AWS's ID, and what its settings name
	polled          time.Time
	hinted          bool // something is said to have happened since the last poll
}

// Hint says that something has happened to things of these names in a Region of an
// account. It returns the tasks that may be about them: their next poll asks AWS,
// however short a time ago it was asked.
func (f *Frame) Hint(region, account string, names ...string) (tasks []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, w := range f.waiting {
		switch {
		case f.o.Now().Sub(w.polled) > forgetAfter:
			delete(f.waiting, id) // nobody polls it any more
		case w.region == region && (w.account == "" || w.account == account) && w.names(names):
			w.hinted = true
			tasks = append(tasks, id)
		}
	}
	return tasks
}

func (w *waiting) names(names []string) bool {
	for _, name := range names {
		if name != "" && w.words[name] {
			return true
		}
	}
	return false
}

// takeHint says whether there was a hint since the last poll.
func (f *Frame) takeHint(task string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.waiting[task]
	if w == nil || !w.hinted {
		return false
	}
	w.hinted = false
	return true
}

// noteWaiting keeps in mind what runs, and forgets what has ended.
func (f *Frame) noteWaiting(a *Attempt, o *work.Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.State != work.Running {
		delete(f.waiting, a.Task.ID)
		return
	}
	w := f.waiting[a.Task.ID]
	if w == nil {
		w = &waiting{region: a.Config.Region, account: a.Place.Account}
		f.waiting[a.Task.ID] = w
	}
	w.polled = f.o.Now()
	w.words = map[string]bool{o.Handle: true, o.ExternalID: true}
	for _, value := range a.Task.Configuration {
		for _, word := range listedIn(value) {
			w.words[word] = true
		}
	}
}

// listedIn are the names in a setting: itself, or those of a list.
func listedIn(value string) []string {
	if len(value) > longestNames {
		return nil
	}
	var list []string
	if strings.HasPrefix(value, "[") && json.Unmarshal([]byte(value), &list) == nil {
		return list
	}
	all := strings.Split(value, ",")
	for i, one := range all {
		all[i] = strings.TrimSpace(one)
	}
	return append(all, value)
}
