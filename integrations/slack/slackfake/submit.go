package slackfake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Submit fills a form in and sends it. Values go by block_id (or action_id):
// text, an option's value, several of them with commas. Inputs that are not
// named keep what they hold. What Slack's client refuses (a required input
// without a value, a text that is too long) is an error, stands in the form's
// Errors too, and the app hears nothing. What the app answers is done: the form
// closes, or shows errors, or changes.
func (w *Server) Submit(ctx context.Context, user, view string, values map[string]string) (Ack, error) {
	w.mu.Lock()
	payload, err := w.filled(user, view, values)
	w.mu.Unlock()
	if err != nil {
		return Ack{}, err
	}
	ack, err := w.send(ctx, interactive(payload, true))
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.views[view]
	if v == nil {
		return ack, err
	}
	if err != nil {
		v.showError("", "We had some trouble connecting. Try again? "+userText(err))
		w.touchUser(user)
		return ack, err
	}
	from := len(w.violations)
	err = w.answered(v, ack.Body)
	w.attributeViolations(from, "view_submission", args{"user": user})
	return ack, err
}

// filled enters the values and makes the submission. The caller holds mu.
func (w *Server) filled(user, view string, values map[string]string) (object, error) {
	s, err := w.findClicked(user, Target{View: view})
	if err != nil {
		return nil, err
	}
	stack := w.stacks[user]
	if len(stack) == 0 || stack[len(stack)-1] != view {
		return nil, fmt.Errorf("the form %q is not on top", view)
	}
	s.view.Errors = nil
	defer w.touchUser(user)
	left := len(values)
	for _, c := range controls(s.view.Blocks) {
		if initial(c.element) == nil {
			continue
		}
		value, named := values[c.blockID()]
		if !named {
			value, named = values[c.id()]
		}
		if named {
			left--
		}
		if wrong := s.view.fill(c, value, named); wrong != nil {
			s.view.showError(c.blockID(), wrong.Error())
			err = errors.Join(err, fmt.Errorf("%s: %w", c.label(), wrong))
		}
	}
	if err != nil {
		return nil, err
	}
	if left > 0 {
		return nil, fmt.Errorf("the form has no fields for some of the values: %q", slices.Sorted(maps.Keys(values)))
	}
	payload := w.interaction("view_submission", s)
	delete(payload, "container")
	payload["response_urls"] = []any{}
	return payload, nil
}

// fill enters a value when one is named, and says what Slack's client would
// find wrong with what the control holds then. The caller holds mu.
func (v *View) fill(c control, value string, named bool) error {
	state := initial(c.element)
	if named {
		var err error
		if state, err = entered(c.element, value, v.loaded[c.id()]); err != nil {
			return err
		}
		v.enter(c, state)
	} else if kept, ok := v.Values[c.blockID()][c.id()]; ok {
		if err := json.Unmarshal(kept, &state); err != nil {
			return fmt.Errorf("what was entered cannot be read: %w", err)
		}
	}
	if c.input() && c.block["optional"] != true && blank(state) {
		return errRequired
	}
	return nil
}

var errRequired = errors.New("please complete this required field")

// answered does what the app answered to a submission. The caller holds mu.
func (w *Server) answered(v *View, body []byte) error {
	var a struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &a); err != nil {
			return w.showBanner(v, "the app's answer is no JSON")
		}
	}
	switch a.Action {
	case "":
		w.closeView(v)
	case "clear":
		w.closeView(w.views[w.stacks[v.User][0]])
	case "errors":
		for id := range a.Errors {
			if !slices.ContainsFunc(controls(v.Blocks), func(c control) bool { return c.input() && c.blockID() == id }) {
				return w.showBanner(v, fmt.Sprintf("the app's answer has an error for %q, which is no input block", id))
			}
		}
		v.Errors = a.Errors
		w.touchUser(v.User)
	case "update", "push":
		next, err := w.form(string(a.View), "modal")
		if err != nil {
			return w.showBanner(v, "the app's answer has a view that Slack does not take: "+err.Error())
		}
		if a.Action == "push" {
			w.push(v.User, next)
		} else {
			w.replace(v, next)
		}
	default:
		return w.showBanner(v, fmt.Sprintf("the app answered with the unknown response_action %q", a.Action))
	}
	return nil
}

// showBanner leaves the form open with Slack's banner. The caller holds mu.
func (w *Server) showBanner(v *View, why string) error {
	v.showError("", "We had some trouble connecting. Try again?")
	w.touchUser(v.User)
	return fmt.Errorf("slack would say that it had trouble connecting: %s", why)
}

// Dismiss closes a form, and those above it, without sending. The app hears of
// it when the form asked for that.
func (w *Server) Dismiss(ctx context.Context, user, view string) (Ack, error) {
	w.mu.Lock()
	s, err := w.findClicked(user, Target{View: view})
	if err != nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	payload := w.interaction("view_closed", s)
	delete(payload, "container")
	delete(payload, "trigger_id")
	payload["is_cleared"] = false
	w.closeView(s.view)
	w.mu.Unlock()
	if !s.view.notify {
		return Ack{}, nil
	}
	return w.send(ctx, interactive(payload, false))
}

// Suggest asks the app for the options of a menu that loads them, for what was
// typed so far.
func (w *Server) Suggest(ctx context.Context, user string, at Target, actionID, typed string) ([]Option, error) {
	w.mu.Lock()
	s, err := w.findClicked(user, at)
	if err != nil {
		w.mu.Unlock()
		return nil, err
	}
	c, ok := lookup(s.blocks, at.Block, actionID)
	if !ok {
		w.mu.Unlock()
		return nil, fmt.Errorf("there is no menu with the action_id %q there", actionID)
	}
	payload := w.interaction("block_suggestion", s)
	delete(payload, "trigger_id")
	delete(payload, "response_url")
	payload["action_id"], payload["block_id"], payload["value"], payload["action_ts"] = c.id(), c.blockID(), typed, w.stamp()
	w.mu.Unlock()

	req := interactive(payload, true)
	req.path = "/slack/options"
	ack, err := w.send(ctx, req)
	if err != nil {
		return nil, err
	}
	var answer object
	if err := json.Unmarshal(ack.Body, &answer); err != nil || answer["options"] == nil && answer["option_groups"] == nil {
		return nil, fmt.Errorf("the app's answer has neither options nor option_groups")
	}
	var options []Option
	for _, o := range choices(answer) {
		options = append(options, option(o))
	}
	if len(options) > optionLimit {
		return nil, fmt.Errorf("the app gave %d options, Slack takes %d", len(options), optionLimit)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.load(c.id(), options)
	return options, nil
}
