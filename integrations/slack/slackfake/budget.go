package slackfake

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// Budget is how often a method may be called.
type Budget struct {
	PerMinute  float64 // in the long run; 0 lets no call through
	Burst      int     // how many at once after a rest
	PerChannel bool    // each channel, or response URL, has its own
}

// Budgets are the budgets of a workspace by method ([ResponseURLs] too). A
// method that is not among them is not limited. "chat.postMessage" is what one
// channel takes; what the whole workspace takes stands under [AllPosts].
type Budgets map[string]Budget

// AllPosts is the key of the budget that chat.postMessage has in all channels together.
const AllPosts = "chat.postMessage in all channels"

// SlackBudgets are Slack's own: the tiers 1 to 4 (1, 20, 50, 100 a minute,
// half of it at once), a message a second in a channel with a small burst, and
// several hundred a minute in the workspace.
func SlackBudgets() Budgets {
	b := Budgets{
		"chat.postMessage": {PerMinute: 60, Burst: 5, PerChannel: true},
		AllPosts:           {PerMinute: 300, Burst: 100},
		ResponseURLs:       {PerMinute: 60, Burst: 5, PerChannel: true},
	}
	for perMinute, methods := range map[float64][]string{
		1:  {"apps.connections.open"},
		20: {"users.list", "usergroups.list", "usergroups.users.list", "conversations.list", "reactions.remove"},
		50: {
			"chat.update", "chat.delete", "chat.unfurl", "entity.presentDetails", "users.lookupByEmail", "team.info", "bots.info",
			"conversations.info", "conversations.history", "conversations.replies", "conversations.open", "conversations.join", "reactions.add",
		},
		100: {"chat.postEphemeral", "users.info", "conversations.members", "views.open", "views.push", "views.update", "views.publish"},
		600: {"auth.test", "chat.getPermalink"},
	} {
		for _, m := range methods {
			b[m] = Budget{PerMinute: perMinute, Burst: int(perMinute)/2 + 1}
		}
	}
	return b
}

// Enforce makes the workspace keep to these budgets from now on: a call beyond
// them is answered with status 429, "ratelimited" and Retry-After in whole
// seconds, and changes nothing. Nil, as at the start, limits nothing.
func (w *Server) Enforce(b Budgets) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.budgets, w.spent = b, map[string]*rate.Limiter{}
}

// Limited says how many calls of a method were turned away because its budget
// was spent; "" for all together.
func (w *Server) Limited(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.limited[method]
}

// limitedError is a call beyond a budget.
type limitedError struct{ after time.Duration }

// Error is Slack's code.
func (e *limitedError) Error() string { return "ratelimited" }

// seconds is Retry-After.
func (e *limitedError) seconds() int { return max(1, int(math.Ceil(e.after.Seconds()))) }

// answer writes the answer to the call.
func (e *limitedError) answer(rw http.ResponseWriter) {
	rw.Header().Set("Retry-After", strconv.Itoa(e.seconds()))
	answer(rw, http.StatusTooManyRequests, (&apiError{Code: e.Error()}).reply())
}

// spend takes one call out of a method's budget, and returns an error when it is
// spent. One that is turned away takes nothing. The caller holds mu.
func (w *Server) spend(method, channel string) error {
	keys := []string{method}
	if method == "chat.postMessage" {
		keys = append(keys, AllPosts)
	}
	now := w.o.Now()
	var taken []*rate.Reservation
	for _, key := range keys {
		b, ok := w.budgets[key]
		if !ok {
			continue
		}
		turn := w.bucket(key, channel, b).ReserveN(now, 1)
		after := turn.DelayFrom(now)
		if taken = append(taken, turn); turn.OK() && after == 0 {
			continue
		}
		for _, t := range taken {
			t.CancelAt(now)
		}
		w.limited[method]++
		w.limited[""]++
		return &limitedError{after: min(after, time.Minute)}
	}
	return nil
}

// bucket is what is left of a budget.
func (w *Server) bucket(key, channel string, b Budget) *rate.Limiter {
	if b.PerChannel {
		key = fmt.Sprintf("%s %s", key, channel)
	}
	l := w.spent[key]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(b.PerMinute/60), b.Burst)
		w.spent[key] = l
	}
	return l
}
