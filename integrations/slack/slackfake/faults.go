package slackfake

import (
	"encoding/json"

	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
)

// ResponseURLs is the method name that stands for response URLs in On and Calls.
const ResponseURLs = "response_url"

// On returns the fault for calls of a method ("chat.postMessage"; "" for every
// method that has no fault of its own, response URLs too).
func On(method string, f fault.Fault) fault.Fault {
	switch f.Match = "/api/" + method + "$"; method {
	case "":
		f.Match = ""
	case ResponseURLs:
		f.Match = "/response/"
	}
	return f
}

// Refusal is a fault of Slack's own kind: ok:false with this error, and with
// "missing_scope" the scope that is needed.
func Refusal(code, needed string) fault.Fault {
	b, err := json.Marshal((&apiError{Code: code, Needed: needed}).reply())
	if err != nil {
		panic("slackfake: an answer that always is JSON is not: " + err.Error())
	}
	return fault.Fault{Status: 200, Body: string(b)}
}

// RefuseBlocks makes the workspace refuse blocks of these kinds ("data_table"),
// wherever they stand, as one that Slack has not given them yet; any it refused
// before it takes again. Such a refusal is among the Violations too.
func (w *Server) RefuseBlocks(kinds ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusedKinds = map[string]bool{}
	for _, kind := range kinds {
		w.refusedKinds[kind] = true
	}
}

// Calls says how often a method was called, also when it went wrong; "" for all together.
func (w *Server) Calls(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[method]
}

// count notes a call.
func (w *Server) count(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[name]++
	w.calls[""]++
}
