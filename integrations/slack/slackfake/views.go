package slackfake

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

const (
	triggerLife = 3 * time.Second
	stackLimit  = 3
)

// View is an open form, or a home tab.
type View struct {
	ID, Type, CallbackID, ExternalID, PrivateMetadata string

	Title, Submit, Close string          // texts; Submit empty: nothing to send
	Blocks               json.RawMessage // with every block_id filled in
	Errors               map[string]string
	// Values is what is entered so far: block_id -> action_id -> what Slack sends as state.
	Values map[string]map[string]json.RawMessage
	User   string
	Hash   string

	root, previous string
	notify         bool
	loaded         map[string][]Option // options the app gave for a menu, by action_id
}

// trigger is a user's act that lets the app open a form, once and soon.
type trigger struct {
	user string
	at   time.Time
	used bool
}

// Views returns the user's open forms, the one on top last. Errors of a view
// are what the app found wrong at the last Submit, by block_id.
func (w *Server) Views(user string) []View {
	w.mu.Lock()
	defer w.mu.Unlock()
	var open []View
	for _, id := range w.stacks[user] {
		open = append(open, w.views[id].clone())
	}
	return open
}

// Home returns the user's home tab; false when the app never published one.
func (w *Server) Home(user string) (View, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.homes[user]
	if v == nil {
		return View{}, false
	}
	return v.clone(), true
}

// clone is a copy that later changes do not reach.
func (v *View) clone() View {
	c := *v
	c.Values, c.loaded, c.Errors = map[string]map[string]json.RawMessage{}, maps.Clone(v.loaded), maps.Clone(v.Errors)
	for block, values := range v.Values {
		c.Values[block] = maps.Clone(values)
	}
	return c
}

// newTrigger makes a trigger_id. The caller holds mu.
func (w *Server) newTrigger(user string) string {
	for id, t := range w.triggers {
		if w.o.Now().Sub(t.at) > time.Minute {
			delete(w.triggers, id)
		}
	}
	id := newID("") + "." + newID("")
	w.triggers[id] = &trigger{user: user, at: w.o.Now()}
	return id
}

// redeem uses a trigger_id up and returns whose it was.
func (w *Server) redeem(id string) (string, error) {
	t := w.triggers[id]
	switch {
	case t == nil:
		return "", &apiError{Code: "invalid_trigger_id"}
	case t.used:
		return "", &apiError{Code: "exchanged_trigger_id"}
	case w.o.Now().Sub(t.at) > triggerLife:
		return "", &apiError{Code: "expired_trigger_id"}
	}
	t.used = true
	return t.user, nil
}

// wireForm is a view as the app sends it.
type wireForm struct {
	Type            string          `json:"type"`
	Title           *textObject     `json:"title"`
	Submit          *textObject     `json:"submit"`
	Close           *textObject     `json:"close"`
	Blocks          json.RawMessage `json:"blocks"`
	PrivateMetadata string          `json:"private_metadata"`
	CallbackID      string          `json:"callback_id"`
	ExternalID      string          `json:"external_id"`
	NotifyOnClose   bool            `json:"notify_on_close"`
}

type textObject struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

func (t *textObject) text() string {
	if t == nil {
		return ""
	}
	return t.Text
}

// form reads and checks a view of the wanted type. The caller holds mu.
func (w *Server) form(raw, kind string) (*View, error) {
	var f wireForm
	if err := json.Unmarshal([]byte(raw), &f); err != nil {
		return nil, &apiError{Code: "invalid_arguments", Messages: []string{"[ERROR] failed to parse the view [json-pointer:/view]"}}
	}
	if f.Type != kind {
		return nil, &apiError{Code: "invalid_arguments", Messages: []string{"[ERROR] the view's type must be " + kind + " [json-pointer:/view/type]"}}
	}
	if len(raw) > viewSizeLimit {
		return nil, &apiError{Code: "view_too_large"}
	}
	if err := w.refuse(checkView([]byte(raw), w.refusedKinds), "invalid_arguments"); err != nil {
		return nil, err
	}
	blocks, err := named(string(f.Blocks))
	if err != nil {
		return nil, err
	}
	return &View{
		ID: newID("V"), Type: f.Type, CallbackID: f.CallbackID, ExternalID: f.ExternalID, PrivateMetadata: f.PrivateMetadata,
		Title: f.Title.text(), Submit: f.Submit.text(), Close: f.Close.text(), Blocks: blocks, notify: f.NotifyOnClose,
		Values: map[string]map[string]json.RawMessage{}, Hash: newHash(), loaded: map[string][]Option{},
	}, nil
}

func newHash() string { return newID("") + "." + newID("")[:4] }

func (w *Server) viewsOpen(a args) (reply, error) {
	v, err := w.form(a.str("view"), "modal")
	if err != nil {
		return nil, err
	}
	user, err := w.redeem(a.str("trigger_id"))
	if err != nil {
		return nil, err
	}
	for _, id := range w.stacks[user] {
		delete(w.views, id)
	}
	w.stacks[user] = nil
	w.push(user, v)
	return reply{"view": w.wireView(v)}, nil
}

func (w *Server) viewsPush(a args) (reply, error) {
	v, err := w.form(a.str("view"), "modal")
	if err != nil {
		return nil, err
	}
	user, err := w.redeem(a.str("trigger_id"))
	switch {
	case err != nil:
		return nil, err
	case len(w.stacks[user]) >= stackLimit:
		return fail("push_limit_reached")
	}
	w.push(user, v)
	return reply{"view": w.wireView(v)}, nil
}

// push puts a form on top of the user's stack. The caller holds mu.
func (w *Server) push(user string, v *View) {
	v.User, v.root = user, v.ID
	if stack := w.stacks[user]; len(stack) > 0 {
		v.root, v.previous = stack[0], stack[len(stack)-1]
	}
	w.views[v.ID] = v
	w.stacks[user] = append(w.stacks[user], v.ID)
	w.touchUser(user)
}

// replace puts new content into an open form. What was entered stays where
// block_id and action_id are the same.
func (w *Server) replace(old, v *View) {
	v.ID, v.User, v.root, v.previous = old.ID, old.User, old.root, old.previous
	v.Values, v.loaded = old.Values, old.loaded
	*old = *v
	w.touchUser(old.User)
}

func (w *Server) viewsUpdate(a args) (reply, error) {
	v, err := w.form(a.str("view"), "modal")
	if err != nil {
		return nil, err
	}
	old := w.views[a.str("view_id")]
	if id := a.str("external_id"); old == nil && id != "" {
		for _, o := range w.views {
			if o.ExternalID == id {
				old = o
			}
		}
	}
	switch hash := a.str("hash"); {
	case old == nil:
		return fail("not_found")
	case hash != "" && hash != old.Hash:
		return fail("hash_conflict")
	}
	w.replace(old, v)
	return reply{"view": w.wireView(old)}, nil
}

func (w *Server) viewsPublish(a args) (reply, error) {
	v, err := w.form(a.str("view"), "home")
	if err != nil {
		return nil, err
	}
	user := a.str("user_id")
	old := w.homes[user]
	switch hash := a.str("hash"); {
	case w.users[user] == nil:
		return fail("user_not_found")
	case hash != "" && old != nil && hash != old.Hash:
		return fail("hash_conflict")
	case old != nil:
		w.replace(old, v)
		return reply{"view": w.wireView(old)}, nil
	}
	v.User, v.root = user, v.ID
	w.homes[user] = v
	w.touchUser(user)
	return reply{"view": w.wireView(v)}, nil
}

// closeView takes a form, and those above it, off the user's stack. The caller holds mu.
func (w *Server) closeView(v *View) {
	stack := w.stacks[v.User]
	if i := slices.Index(stack, v.ID); i >= 0 {
		for _, id := range stack[i:] {
			delete(w.views, id)
		}
		w.stacks[v.User] = slices.Clone(stack[:i])
	}
	w.touchUser(v.User)
}

// wireView is the view as the Web API and interaction payloads show it.
func (w *Server) wireView(v *View) reply {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return reply{"type": "plain_text", "text": s, "emoji": true}
	}
	blocks := v.Blocks
	if blocks == nil {
		blocks = json.RawMessage("[]")
	}
	return reply{
		"id": v.ID, "team_id": w.o.Team, "type": v.Type, "blocks": blocks, "private_metadata": v.PrivateMetadata, "callback_id": v.CallbackID,
		"external_id": v.ExternalID, "state": reply{"values": w.state(v)}, "hash": v.Hash, "title": text(v.Title), "submit": text(v.Submit), "close": text(v.Close),
		"clear_on_close": false, "notify_on_close": v.notify, "root_view_id": v.root, "previous_view_id": nullable(v.previous),
		"app_id": w.o.App, "bot_id": botID, "app_installed_team_id": w.o.Team,
	}
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
