package slackfake

import (
	"encoding/json"
	"slices"
	"strings"
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

// dispatches says whether using the control sends an action to the app at once.
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
		all = append(all, controlsIn(b)...)
	}
	return all
}

// controlsIn lists what can be used in a block and those inside it.
func controlsIn(b object) (all []control) {
	for _, e := range elementsOf(b) {
		if str(e, "action_id") != "" || str(e, "type") == "button" {
			all = append(all, control{b, e})
		}
	}
	for _, inner := range inside(b) {
		all = append(all, controlsIn(inner)...)
	}
	return all
}

// elementsOf are the elements of a block itself.
func elementsOf(b object) (all []object) {
	switch str(b, "type") {
	case "section":
		return []object{obj(b, "accessory")}
	case "input":
		return []object{obj(b, "element")}
	case "actions", "context_actions":
		return list(b, "elements")
	case "card":
		return list(b, "actions")
	case "data_table":
		rows, _ := b["rows"].([]any)
		for _, row := range rows {
			for _, cell := range list(object{"cells": row}, "cells") {
				all = append(all, obj(cell, "element"))
			}
		}
	}
	return all
}

// inside are the blocks inside a block.
func inside(b object) (all []object) {
	switch str(b, "type") {
	case "container":
		return list(b, "child_blocks")
	case "carousel":
		return list(b, "elements")
	case "layout":
		for _, row := range list(b, "rows") {
			for _, item := range list(row, "items") {
				all = append(all, obj(item, "block"))
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
