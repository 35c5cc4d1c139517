package demo

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/web"
)

const heartbeat = 15 * time.Second

// Handler puts the demo's pages, its API and its fakes around the service's own.
func (d *Demo) Handler(own http.Handler) http.Handler {
	programs := http.NewServeMux()
	programs.Handle(slackMount+"/", d.saveBeforeAnswer(http.StripPrefix(slackMount, d.slack)))
	programs.Handle(githubMount+"/", d.saveBeforeAnswer(http.StripPrefix(githubMount, d.github)))
	programs.Handle(jiraMount+"/rest/", d.saveBeforeAnswer(http.StripPrefix(jiraMount, d.jira)))
	if d.cloud != nil {
		programs.Handle(awsMount, d.saveBeforeAnswer(d.cloud.aws)) // a query protocol asks without a slash at the end
		programs.Handle(awsMount+"/", d.saveBeforeAnswer(d.cloud.aws))
	}
	programs.Handle("/", own)

	visitors := http.NewServeMux()
	visitors.Handle(slackfake.PagePath, d.slack.Page())
	visitors.Handle("GET /assets/", web.Assets())
	visitors.HandleFunc("GET /{$}", page("demo.html"))
	visitors.HandleFunc("GET /workspace", page("workspace.html"))
	visitors.Handle("GET "+jiraMount+"/browse/{key}", http.StripPrefix(jiraMount, d.jira))
	visitors.HandleFunc("GET /shop/{$}", d.showShop)
	visitors.Handle("GET "+codePage, d.github.Page("acme/webshop"))
	visitors.HandleFunc("GET "+codePage+"/commit/{commit}", d.showCommit)
	visitors.HandleFunc("GET /demo/api/state", d.showState)
	visitors.HandleFunc("GET /demo/api/events", d.showEvents)
	visitors.HandleFunc("POST /demo/api/push", d.takePush)
	visitors.HandleFunc("POST /demo/api/control", d.takeControl)
	visitors.HandleFunc("POST /demo/api/console", d.takeConsole)
	visitors.HandleFunc("POST /demo/api/kill", d.takeKill)
	visitors.HandleFunc("POST /demo/api/reset", d.takeReset)
	visitors.Handle("GET /executions/", own)
	return d.guard(visitors, programs)
}

func page(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		data, ok := web.Page(name)
		if !ok {
			http.Error(w, "this program was built without its pages", http.StatusNotImplemented)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'; base-uri 'none'; form-action 'self'")
		h.Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(data)
	}
}

// showShop shows the shop as it is deployed. What it shows comes from a
// repository: it may draw, and nothing else.
func (d *Demo) showShop(w http.ResponseWriter, _ *http.Request) {
	if d.shop == nil {
		http.Error(w, "this demo has no shop", http.StatusNotFound)
		return
	}
	data, err := d.shop.page()
	if err != nil {
		w.Header().Set("Refresh", "1")
		http.Error(w, "The shop opens in a moment.", http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'")
	_, _ = w.Write(data)
}

func (d *Demo) showCommit(w http.ResponseWriter, r *http.Request) {
	commit := r.PathValue("commit")
	if d.shop == nil || len(commit) != 40 || strings.Trim(commit, "0123456789abcdef") != "" {
		http.NotFound(w, r)
		return
	}
	text, err := d.shop.show(r.Context(), commit)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	fmt.Fprintf(w, `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>%s</title>
<style>:root{color-scheme:light dark}body{margin:2rem auto;max-width:60rem;padding:0 1rem}pre{overflow:auto;font:13px/1.5 ui-monospace,monospace}</style><main><pre tabindex="0">%s</pre></main></html>`, commit[:8], html.EscapeString(text))
}

func (d *Demo) showState(w http.ResponseWriter, r *http.Request) {
	d.visited.Store(true)
	s, err := d.state(r.Context())
	if err != nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer(w, http.StatusOK, s)
}

// showEvents says whenever there is something new to fetch.
func (d *Demo) showEvents(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		version, changed := d.beats.now()
		fmt.Fprintf(w, "id: %d\ndata: {\"version\":%d}\n\n", version, version)
		if flush.Flush() != nil {
			return
		}
		for waiting := true; waiting; {
			select {
			case <-r.Context().Done():
				return
			case <-beat.C:
				if _, err := io.WriteString(w, ": still here\n\n"); err != nil || flush.Flush() != nil {
					return
				}
			case <-changed:
				waiting = false
			}
		}
	}
}

func (d *Demo) takePush(w http.ResponseWriter, r *http.Request) {
	var in struct{ What string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&in); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"ok": false, "error": "say what to push"})
		return
	}
	push := d.push
	switch {
	case d.cloud != nil:
		push = d.pushToCloud
	case d.shop == nil:
		answer(w, http.StatusOK, map[string]any{"ok": false, "error": "this demo has no repository to push to"})
		return
	}
	if err := push(r.Context(), in.What); err != nil {
		answer(w, http.StatusOK, map[string]any{"ok": false, "error": err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]any{"ok": true})
}

// takeKill answers while there still is somebody to answer.
func (d *Demo) takeKill(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"ok": true})
	if err := http.NewResponseController(w).Flush(); err == nil {
		d.restartProcess(func(n *note) { n.Restarts = append(n.Restarts, time.Now()) })
	}
}

// takeReset begins the story anew: in a new process, in an empty folder.
func (d *Demo) takeReset(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"ok": true})
	if err := http.NewResponseController(w).Flush(); err == nil {
		d.restartProcess(func(n *note) { n.Restarts, n.Pushes, n.Controls, n.Reset = nil, nil, controls{}, true })
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(data))) // an answer that is whole once it is flushed
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
