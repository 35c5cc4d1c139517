package slackfake

import (
	"fmt"
)

// elements checks the elements of a block; action IDs are unique among them.
func (c *checker) elements(path string, all []object, limit int) {
	c.count(path+"/elements", len(all), 1, limit)
	ids := map[string]bool{}
	for i, e := range all {
		at := fmt.Sprintf("%s/elements/%d", path, i)
		id := str(e, "action_id")
		if id != "" && ids[id] {
			c.add(at+"/action_id", "%q is there twice in this block", id)
		}
		ids[id] = true
		c.element(at, e)
	}
}

func (c *checker) element(path string, e object) {
	c.length(path+"/action_id", str(e, "action_id"), idLimit)
	c.text(path+"/placeholder", obj(e, "placeholder"), 150, true, false)
	c.confirm(path+"/confirm", obj(e, "confirm"))
	switch kind := str(e, "type"); kind {
	case "button", "workflow_button":
		c.button(path, e)
	case "static_select", "multi_static_select":
		c.menu(path, e)
	case "external_select", "multi_external_select":
	case "overflow":
		c.options(path+"/options", list(e, "options"), 1, 5, 75)
	case "checkboxes", "radio_buttons":
		c.options(path+"/options", list(e, "options"), 1, 10, 75)
	case "plain_text_input":
		if n, ok := e["max_length"].(float64); ok && (n < 1 || n > 3000) {
			c.add(path+"/max_length", "must be 1 to 3000")
		}
		c.length(path+"/initial_value", str(e, "initial_value"), 3000)
	case "users_select", "multi_users_select", "conversations_select", "multi_conversations_select", "channels_select", "multi_channels_select",
		"datepicker", "timepicker", "datetimepicker", "number_input", "email_text_input", "url_text_input", "rich_text_input", "file_input",
		"feedback_buttons", "icon_button":
	default:
		c.add(path+"/type", "unsupported type: %q", kind)
	}
}

func (c *checker) button(path string, e object) {
	c.text(path+"/text", obj(e, "text"), 75, true, true)
	c.length(path+"/value", str(e, "value"), 2000)
	c.length(path+"/url", str(e, "url"), 3000)
	c.length(path+"/accessibility_label", str(e, "accessibility_label"), 75)
	if s := str(e, "style"); s != "" && s != "primary" && s != "danger" {
		c.add(path+"/style", "must be primary or danger, not %q", s)
	}
}

func (c *checker) menu(path string, e object) {
	groups := list(e, "option_groups")
	if len(groups) == 0 {
		c.options(path+"/options", list(e, "options"), 1, optionLimit, 75)
		return
	}
	c.count(path+"/option_groups", len(groups), 1, optionLimit)
	for i, g := range groups {
		at := fmt.Sprintf("%s/option_groups/%d", path, i)
		c.text(at+"/label", obj(g, "label"), 75, true, true)
		c.options(at+"/options", list(g, "options"), 1, optionLimit, 75)
	}
}

func (c *checker) options(path string, all []object, low, high, text int) {
	c.count(path, len(all), low, high)
	values := map[string]bool{}
	for i, o := range all {
		at := fmt.Sprintf("%s/%d", path, i)
		c.text(at+"/text", obj(o, "text"), text, false, true)
		c.text(at+"/description", obj(o, "description"), 75, false, false)
		value := str(o, "value")
		c.length(at+"/value", value, optionValueMax)
		if values[value] {
			c.add(at+"/value", "%q is there twice", value)
		}
		values[value] = true
	}
}

func (c *checker) confirm(path string, d object) {
	if d == nil {
		return
	}
	c.text(path+"/title", obj(d, "title"), 100, true, true)
	c.text(path+"/text", obj(d, "text"), 300, false, true)
	c.text(path+"/confirm", obj(d, "confirm"), 30, true, true)
	c.text(path+"/deny", obj(d, "deny"), 30, true, true)
}
