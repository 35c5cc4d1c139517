package hooks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/document"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// reader reads what a hook wants to know of a body.
type reader struct {
	fixed     map[string]string
	variables map[string]place
	only      []condition // by path
}

type place struct {
	text string
	path document.Path
}

type condition struct {
	place
	want string
}

// reading prepares what a hook reads.
func reading(h *Hook) (*reader, error) {
	r := &reader{fixed: map[string]string{}, variables: map[string]place{}}
	fault := func(key string, err error) error {
		return &workflows.Problem{Code: workflows.CodeValidation, Field: "hooks", Message: "hook " + h.Name + ", " + key + ": " + err.Error()}
	}
	for name, value := range h.Variables {
		if !strings.HasPrefix(value, "$") {
			r.fixed[name] = value
			continue
		}
		p, err := document.ParsePath(value)
		if err != nil {
			return nil, fault("variables."+name, err)
		}
		r.variables[name] = place{value, p}
	}
	for _, text := range words.Keys(h.Only) {
		p, err := document.ParsePath(text)
		if err != nil {
			return nil, fault("only", err)
		}
		r.only = append(r.only, condition{place{text, p}, h.Only[text]})
	}
	return r, nil
}

// read returns the variables of a start, or why the body is not meant to start
// anything. An error says what is wrong with the body.
func (r *reader) read(body []byte) (variables map[string]string, ignored string, err error) {
	doc, err := document.Read(body)
	if err != nil {
		return nil, "", fmt.Errorf("the request is signed, but its body %w", err)
	}
	for _, c := range r.only {
		if is, err := c.textIn(doc); err != nil || is != c.want {
			return nil, c.text + " is not " + c.want, nil
		}
	}
	variables = maps.Clone(r.fixed)
	for _, name := range slices.Sorted(maps.Keys(r.variables)) {
		if variables[name], err = r.variables[name].textIn(doc); err != nil {
			return nil, "", fmt.Errorf("the variable %s: %w", name, err)
		}
	}
	return variables, "", nil
}

// textIn is a text, number or truth value as a text.
func (p place) textIn(doc any) (string, error) {
	text, err := p.path.Text(doc)
	if err != nil {
		return "", fmt.Errorf("the body %w at %s", err, p.text)
	}
	return text, nil
}
