package slackfake

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"
)

// initial is the state of an element that nobody touched.
func initial(e object) object {
	kind := str(e, "type")
	if key, first, ok := picker(kind); ok {
		return object{"type": kind, key: nullable(str(e, first))}
	}
	switch kind {
	case "static_select", "external_select", "radio_buttons":
		return object{"type": kind, "selected_option": e["initial_option"]}
	case "checkboxes", "multi_static_select", "multi_external_select":
		if e["initial_options"] == nil {
			return object{"type": kind, "selected_options": []any{}}
		}
		return object{"type": kind, "selected_options": e["initial_options"]}
	case "multi_users_select", "multi_conversations_select", "multi_channels_select":
		key, first := several(kind)
		if e[first] == nil {
			return object{"type": kind, key: []any{}}
		}
		return object{"type": kind, key: e[first]}
	case "datetimepicker":
		return object{"type": kind, "selected_date_time": e["initial_date_time"]}
	}
	return nil
}

// entered is the state of an element in which somebody entered a value:
// text, an option's value, several of them with commas, nothing. loaded are options
// that the app gave for this menu.
func entered(e object, value string, loaded []Option) (object, error) {
	kind := str(e, "type")
	if key, _, ok := picker(kind); ok {
		return object{"type": kind, key: nullable(value)}, textFits(e, value)
	}
	one := func(value string) (object, error) {
		for _, o := range choices(e) {
			if str(o, "value") == value {
				return object{"text": o["text"], "value": value}, nil
			}
		}
		for _, o := range loaded {
			if o.Value == value {
				return object{"text": object{"type": "plain_text", "text": o.Text, "emoji": true}, "value": value}, nil
			}
		}
		return nil, fmt.Errorf("there is no option %q in %q", value, str(e, "action_id"))
	}
	if value == "" && kind != "overflow" {
		// Nothing is chosen any more.
		empty := maps.Clone(e)
		maps.DeleteFunc(empty, func(key string, _ any) bool { return strings.HasPrefix(key, "initial_") })
		if state := initial(empty); state != nil {
			return state, nil
		}
	}
	switch kind {
	case "static_select", "external_select", "radio_buttons", "overflow":
		o, err := one(value)
		return object{"type": kind, "selected_option": o}, err
	case "checkboxes", "multi_static_select", "multi_external_select":
		picked := []any{}
		for v := range strings.SplitSeq(value, ",") {
			if v == "" {
				continue
			}
			o, err := one(v)
			if err != nil {
				return nil, err
			}
			picked = append(picked, o)
		}
		return object{"type": kind, "selected_options": picked}, nil
	case "multi_users_select", "multi_conversations_select", "multi_channels_select":
		key, _ := several(kind)
		return object{"type": kind, key: strings.FieldsFunc(value, func(r rune) bool { return r == ',' })}, nil
	case "datetimepicker":
		at, err := strconv.ParseInt(value, 10, 64)
		return object{"type": kind, "selected_date_time": at}, err
	}
	return nil, fmt.Errorf("nothing can be entered in %q, which is a %s", str(e, "action_id"), kind)
}

// textFits is the check of Slack's client on the length of a text.
func textFits(e object, value string) error {
	n := float64(utf8.RuneCountInString(value))
	if low, ok := e["min_length"].(float64); ok && n < low && n > 0 {
		return fmt.Errorf("%q needs at least %v characters", str(e, "action_id"), low)
	}
	if high, ok := e["max_length"].(float64); ok && n > high {
		return fmt.Errorf("%q takes at most %v characters", str(e, "action_id"), high)
	}
	return nil
}

// blank says whether a state is empty.
func blank(state object) bool {
	for key, v := range state {
		if key == "type" {
			continue
		}
		switch v := v.(type) {
		case nil:
		case []any:
			return len(v) == 0
		case []string:
			return len(v) == 0
		default:
			return false
		}
	}
	return true
}

// state is what the view's controls hold now: block_id -> action_id -> state.
func (w *Server) state(v *View) object {
	values := object{}
	for _, c := range controls(v.Blocks) {
		var now any = initial(c.element)
		if kept, ok := v.Values[c.blockID()][c.id()]; ok {
			now = kept
		} else if initial(c.element) == nil {
			continue
		}
		block := obj(values, c.blockID())
		if block == nil {
			block = object{}
			values[c.blockID()] = block
		}
		block[c.id()] = now
	}
	return values
}

// showError shows an error beside a block, or above the form without one. The caller holds mu.
func (v *View) showError(block, text string) {
	errors := map[string]string{block: text}
	for b, t := range v.Errors {
		if b != block {
			errors[b] = t
		}
	}
	v.Errors = errors
}

// clearError takes the error beside a block away, and that above the form. The caller holds mu.
func (v *View) clearError(block string) {
	left := maps.Clone(v.Errors)
	delete(left, block)
	delete(left, "")
	v.Errors = left
}

// enter puts a control's new state into the view. The caller holds mu.
func (v *View) enter(c control, state object) {
	b, err := json.Marshal(state)
	if err != nil {
		panic("slackfake: a state that always is JSON is not: " + err.Error())
	}
	if v.Values[c.blockID()] == nil {
		v.Values[c.blockID()] = map[string]json.RawMessage{}
	}
	v.Values[c.blockID()][c.id()] = b
}
