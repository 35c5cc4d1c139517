package githubfake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// LoggedDelivery is a delivery as a webhook's list shows it.
type LoggedDelivery struct {
	Hook       string // whose it is: owner/name of a repository, an organization; empty: the app
	GUID       string // the same for a delivery that is repeated
	Event      string
	Payload    []byte
	Status     int // what the webhook answered; 0: nothing
	At         time.Time
	Redelivery bool

	id int64
}

// Log adds a delivery to a webhook's list without delivering anything: with a
// status that is no success, one that was missed.
func (s *Server) Log(d LoggedDelivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.id = int64(len(s.log) + 1)
	s.log = append(s.log, d)
}

// Logged is what a webhook's list shows, oldest first.
func (s *Server) Logged(hook string) (all []LoggedDelivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.log {
		if d.Hook == hook {
			all = append(all, d)
		}
	}
	return all
}

func (s *Server) deliveryRoutes(mux *http.ServeMux) {
	for at, hook := range map[string]func(*http.Request) string{
		"/repos/{owner}/{name}/hooks/{hook}": func(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("name") },
		"/orgs/{org}/hooks/{hook}":           func(r *http.Request) string { return r.PathValue("org") },
		"/app/hook":                          func(*http.Request) string { return "" },
	} {
		mux.HandleFunc("GET "+at+"/deliveries", func(w http.ResponseWriter, r *http.Request) { s.listDeliveries(w, r, hook(r)) })
		mux.HandleFunc("GET "+at+"/deliveries/{id}", func(w http.ResponseWriter, r *http.Request) { s.getDelivery(w, r, hook(r)) })
		mux.HandleFunc("POST "+at+"/deliveries/{id}/attempts", func(w http.ResponseWriter, r *http.Request) { s.repeat(w, r, hook(r)) })
	}
	mux.HandleFunc("GET /orgs/{org}/hooks", s.listOrganizationHooks)
	mux.HandleFunc("GET /app/hook/config", func(w http.ResponseWriter, r *http.Request) {
		if at := s.caller().AppHook; at == "" {
			refuse(w, http.StatusNotFound, "Not Found")
		} else if s.signed(w, r) {
			wire.Answer(w, http.StatusOK, map[string]string{"url": at, "content_type": "json"})
		}
	})
}

// signed wants the app's own signature for what is the app's, and else a token.
func (s *Server) signed(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/app/") {
		return s.allowed(w, r)
	}
	if strings.Count(r.Header.Get("Authorization"), ".") != 2 {
		refuse(w, http.StatusUnauthorized, "A JSON web token could not be decoded")
		return false
	}
	return true
}

func (s *Server) listOrganizationHooks(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	hooks, ok := s.caller().Organizations[r.PathValue("org")]
	if !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	wire.Answer(w, http.StatusOK, shownHooks(hooks))
}

// listDeliveries answers newest first, in pages that a cursor names.
func (s *Server) listDeliveries(w http.ResponseWriter, r *http.Request, hook string) {
	if !s.signed(w, r) {
		return
	}
	all := s.Logged(hook)
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	if size < 1 || size > 100 {
		size = 30
	}
	from := len(all)
	if after, ok := strings.CutPrefix(r.URL.Query().Get("cursor"), "v1_"); ok {
		from, _ = strconv.Atoi(after)
	}
	from = min(max(from, 0), len(all))
	to := max(from-size, 0)
	list := []any{}
	for i := from - 1; i >= to; i-- {
		list = append(list, all[i].shown())
	}
	if to > 0 {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?per_page=%d&cursor=v1_%d>; rel="next"`, r.Host, r.URL.Path, size, to))
	}
	wire.Answer(w, http.StatusOK, list)
}

func (d LoggedDelivery) shown() map[string]any {
	status := http.StatusText(d.Status)
	if d.Status == 0 {
		status = "failed to connect to host"
	}
	return map[string]any{"id": d.id, "guid": d.GUID, "delivered_at": d.At.UTC(), "redelivery": d.Redelivery, "duration": 0.2,
		"status": status, "status_code": d.Status, "event": d.Event, "action": nil, "installation_id": nil, "repository_id": 7}
}

// logged finds the delivery of a request, or refuses.
func (s *Server) logged(w http.ResponseWriter, r *http.Request, hook string) (LoggedDelivery, bool) {
	if !s.signed(w, r) {
		return LoggedDelivery{}, false
	}
	for _, d := range s.Logged(hook) {
		if strconv.FormatInt(d.id, 10) == r.PathValue("id") {
			return d, true
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
	return LoggedDelivery{}, false
}

func (s *Server) getDelivery(w http.ResponseWriter, r *http.Request, hook string) {
	d, ok := s.logged(w, r, hook)
	if !ok {
		return
	}
	one, header := d.shown(), http.Header{}
	dress(header, wirefake.Delivery{ID: d.GUID, Event: d.Event, Payload: d.Payload}, s.hook.Secret())
	headers := map[string]string{}
	for name := range header {
		headers[name] = header.Get(name)
	}
	var payload bytes.Buffer
	_ = json.Compact(&payload, d.Payload) // it is the caller's; what is no JSON is not shown
	one["request"] = map[string]any{"headers": headers, "payload": json.RawMessage(payload.Bytes())}
	one["response"] = map[string]any{"headers": map[string]string{}, "payload": nil}
	wire.Answer(w, http.StatusOK, one)
}

// repeat accepts that a delivery is sent again, and sends it.
func (s *Server) repeat(w http.ResponseWriter, r *http.Request, hook string) {
	d, ok := s.logged(w, r, hook)
	if !ok {
		return
	}
	wire.Answer(w, http.StatusAccepted, map[string]any{})
	ctx := context.WithoutCancel(r.Context())
	go func() {
		sent, err := s.hook.Deliver(ctx, wirefake.Delivery{ID: d.GUID, Event: d.Event, Payload: d.Payload})
		again := d
		again.At, again.Redelivery, again.Status = time.Now(), true, sent.Status
		if err != nil {
			again.Status = 0
		}
		s.Log(again)
		s.changes.Notify()
	}()
}
