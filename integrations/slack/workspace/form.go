package workspace

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Option is one choice of a menu.
type Option struct {
	Text        string `json:"text"`
	Value       string `json:"value"`
	Description string `json:"description"`
}

// object is a piece of Block Kit.
type object = map[string]any

// control is something to press, choose or fill in, and the block it is in.
type control struct {
	block, element object
}

func (c control) id() string      { return str(c.element, "action_id") }
func (c control) kind() string    { return str(c.element, "type") }
func (c control) input() bool     { return str(c.block, "type") == "input" }
func (c control) blockID() string { return str(c.block, "block_id") }

// label is what people read beside the control.
func (c control) label() string {
	if text := str(obj(c.block, "label"), "text"); text != "" {
		return text
	}
	return c.blockID()
}

// dispatches says whether using the control tells the app at once.
func (c control) dispatches() bool { return !c.input() || c.block["dispatch_action"] == true }

func str(o object, key string) string { s, _ := o[key].(string); return s }

func obj(o object, key string) object { m, _ := o[key].(object); return m }

func list(o object, key string) []object {
	raw, _ := o[key].([]any)
	var all []object
	for _, v := range raw {
		if m, ok := v.(object); ok {
			all = append(all, m)
		}
	}
	return all
}

// parse reads a JSON array of blocks; anything else has none.
func parse(blocks json.RawMessage) []object {
	var all []object
	if json.Unmarshal(blocks, &all) != nil {
		return nil
	}
	return all
}

// controls lists what can be used in blocks, in reading order.
func controls(blocks json.RawMessage) []control {
	var all []control
	for _, b := range parse(blocks) {
		elements := list(b, "elements")
		switch str(b, "type") {
		case "section":
			elements = []object{obj(b, "accessory")}
		case "input":
			elements = []object{obj(b, "element")}
		case "actions", "context_actions":
		default:
			continue
		}
		for _, e := range elements {
			if str(e, "action_id") != "" || str(e, "type") == "button" {
				all = append(all, control{b, e})
			}
		}
	}
	return all
}

// lookup finds a control by its action_id, in that block when it is given.
func lookup(blocks json.RawMessage, block, actionID string) (control, bool) {
	all := controls(blocks)
	i := slices.IndexFunc(all, func(c control) bool { return c.id() == actionID && (block == "" || c.blockID() == block) })
	if i < 0 {
		return control{}, false
	}
	return all[i], true
}

// Button is something to press in a message or view.
type Button struct {
	ActionID, BlockID, Text, Value, Style, URL string

	Confirm string // the question asked before; empty: none
}

// Buttons lists what can be pressed in the message.
func (m Message) Buttons() []Button { return buttons(m.Blocks) }

// Buttons lists what can be pressed in the view, its own Submit and Close apart.
func (v View) Buttons() []Button { return buttons(v.Blocks) }

func buttons(blocks json.RawMessage) []Button {
	var all []Button
	for _, c := range controls(blocks) {
		if c.kind() == "button" {
			all = append(all, Button{
				ActionID: c.id(), BlockID: c.blockID(), Text: str(obj(c.element, "text"), "text"), Value: str(c.element, "value"),
				Style: str(c.element, "style"), URL: str(c.element, "url"), Confirm: str(obj(obj(c.element, "confirm"), "text"), "text"),
			})
		}
	}
	return all
}

// Options lists the choices of a menu in the view: its own ones, or those the app gave last.
func (v View) Options(actionID string) []Option {
	c, ok := lookup(v.Blocks, "", actionID)
	if !ok {
		return nil
	}
	all := slices.Clone(v.loaded[actionID])
	for _, o := range choices(c.element) {
		all = append(all, option(o))
	}
	return all
}

// choices are the options of an element, groups flattened.
func choices(e object) []object {
	all := list(e, "options")
	for _, g := range list(e, "option_groups") {
		all = append(all, list(g, "options")...)
	}
	return all
}

func option(o object) Option {
	return Option{Text: str(obj(o, "text"), "text"), Value: str(o, "value"), Description: str(obj(o, "description"), "text")}
}

// picker says under which key the state of an element is sent that holds one
// plain value, and which key has its initial value; ok is false for all others.
func picker(kind string) (key, initial string, ok bool) {
	switch kind {
	case "plain_text_input", "email_text_input", "url_text_input", "number_input":
		return "value", "initial_value", true
	case "users_select":
		return "selected_user", "initial_user", true
	case "conversations_select":
		return "selected_conversation", "initial_conversation", true
	case "channels_select":
		return "selected_channel", "initial_channel", true
	case "datepicker":
		return "selected_date", "initial_date", true
	case "timepicker":
		return "selected_time", "initial_time", true
	}
	return "", "", false
}

// several says under which key a menu of several users, conversations or
// channels sends its state, and which key has what it begins with.
func several(kind string) (key, initial string) {
	what := strings.TrimSuffix(strings.TrimPrefix(kind, "multi_"), "_select")
	return "selected_" + what, "initial_" + what
}

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

// blank says whether a state holds nothing.
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
func (w *Workspace) state(v *View) object {
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

// complain shows an error beside a block, or above the form without one. The caller holds mu.
func (v *View) complain(block, text string) {
	errors := map[string]string{block: text}
	for b, t := range v.Errors {
		if b != block {
			errors[b] = t
		}
	}
	v.Errors = errors
}

// pardon takes the error beside a block away, and that above the form. The caller holds mu.
func (v *View) pardon(block string) {
	left := maps.Clone(v.Errors)
	delete(left, block)
	delete(left, "")
	v.Errors = left
}

// enter puts a control's new state into the view. The caller holds mu.
func (v *View) enter(c control, state object) {
	b, err := json.Marshal(state)
	if err != nil {
		panic("workspace: a state that always is JSON is not: " + err.Error())
	}
	if v.Values[c.blockID()] == nil {
		v.Values[c.blockID()] = map[string]json.RawMessage{}
	}
	v.Values[c.blockID()][c.id()] = b
}
