package workspace

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Submit fills a form in and sends it. Values go by block_id (or action_id):
// text, an option's value, several of them with commas. Inputs that are not
// named keep what they hold. A required input without a value is refused as
// Slack's client does. What the app answers is done: the form closes, or shows
// errors, or changes.
func (w *Workspace) Submit(ctx context.Context, user, view string, values map[string]string) (Ack, error) {
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
		v.Errors = map[string]string{"": "We had some trouble connecting. Try again? (" + failure(err) + ")"}
		w.touch()
		return ack, err
	}
	return ack, w.answered(v, ack.Body)
}

// filled enters the values and makes the submission. The caller holds mu.
func (w *Workspace) filled(user, view string, values map[string]string) (object, error) {
	s, err := w.scene(user, Place{View: view})
	if err != nil {
		return nil, err
	}
	stack := w.stacks[user]
	if len(stack) == 0 || stack[len(stack)-1] != view {
		return nil, fmt.Errorf("the form %q is not on top", view)
	}
	left := len(values)
	for _, c := range controls(s.view.Blocks) {
		value, named := values[c.blockID()]
		if !named {
			value, named = values[c.id()]
		}
		state := initial(c.element)
		if state == nil {
			continue
		}
		if named {
			left--
			if state, err = entered(c.element, value, s.view.loaded[c.id()]); err != nil {
				return nil, err
			}
			s.view.enter(c, state)
		} else if kept, ok := s.view.Values[c.blockID()][c.id()]; ok {
			if err := json.Unmarshal(kept, &state); err != nil {
				return nil, fmt.Errorf("what was entered in %q cannot be read: %w", c.id(), err)
			}
		}
		if c.input() && c.block["optional"] != true && blank(state) {
			return nil, fmt.Errorf("please complete the required field %q", c.blockID())
		}
	}
	if left > 0 {
		return nil, fmt.Errorf("the form has no fields for some of %v", values)
	}
	s.view.Errors = nil
	payload := w.interaction("view_submission", s)
	delete(payload, "container")
	payload["response_urls"] = []any{}
	return payload, nil
}

// answered does what the app answered to a submission. The caller holds mu.
func (w *Workspace) answered(v *View, body []byte) error {
	var a struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &a); err != nil {
			return w.trouble(v, "the app's answer is no JSON")
		}
	}
	switch a.Action {
	case "":
		w.close(v)
	case "clear":
		w.close(w.views[w.stacks[v.User][0]])
	case "errors":
		for id := range a.Errors {
			if !slices.ContainsFunc(controls(v.Blocks), func(c control) bool { return c.input() && c.blockID() == id }) {
				return w.trouble(v, fmt.Sprintf("the app's answer has an error for %q, which is no input block", id))
			}
		}
		v.Errors = a.Errors
		w.touch()
	case "update", "push":
		next, err := w.form(string(a.View), "modal")
		if err != nil {
			return w.trouble(v, "the app's answer has a view that Slack does not take: "+err.Error())
		}
		if a.Action == "push" {
			w.push(v.User, next)
		} else {
			w.replace(v, next)
		}
	default:
		return w.trouble(v, fmt.Sprintf("the app answered with the unknown response_action %q", a.Action))
	}
	return nil
}

// trouble leaves the form open with Slack's banner. The caller holds mu.
func (w *Workspace) trouble(v *View, why string) error {
	v.Errors = map[string]string{"": "We had some trouble connecting. Try again?"}
	w.touch()
	return fmt.Errorf("slack would say that it had trouble connecting: %s", why)
}

// Dismiss closes a form, and those above it, without sending. The app hears of
// it when the form asked for that.
func (w *Workspace) Dismiss(ctx context.Context, user, view string) (Ack, error) {
	w.mu.Lock()
	s, err := w.scene(user, Place{View: view})
	if err != nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	payload := w.interaction("view_closed", s)
	delete(payload, "container")
	delete(payload, "trigger_id")
	payload["is_cleared"] = false
	w.close(s.view)
	w.mu.Unlock()
	if !s.view.notify {
		return Ack{}, nil
	}
	return w.send(ctx, interactive(payload, false))
}

// Suggest asks the app for the options of a menu that loads them, for what was
// typed so far.
func (w *Workspace) Suggest(ctx context.Context, user string, at Place, actionID, typed string) ([]Option, error) {
	w.mu.Lock()
	s, err := w.scene(user, at)
	if err != nil {
		w.mu.Unlock()
		return nil, err
	}
	c, ok := lookup(s.blocks, actionID)
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
	if s.view != nil {
		s.view.loaded[c.id()] = append(s.view.loaded[c.id()], options...)
	}
	return options, nil
}
