package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/hooks"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/document"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Hook is an address at which a signed request starts pipelines.
type Hook struct {
	Name      string            `yaml:"name"`
	Secret    Secret            `yaml:"secret"`
	Header    string            `yaml:"header"`
	Start     []string          `yaml:"start"`
	Variables map[string]string `yaml:"variables"`
	Only      map[string]string `yaml:"only"`
}

// hookRights are what a hook may, by the names under which rights are looked up.
func (c *Config) hookRights(tokens map[string][]workflows.Verb) {
	for _, h := range c.Hooks {
		tokens[hooks.TokenName(h.Name)] = []workflows.Verb{workflows.View, workflows.Start}
	}
}

func (d *decoder) checkHooks(all []Hook) {
	names := map[string]bool{}
	for i, h := range all {
		path := fmt.Sprintf("hooks[%d]", i)
		d.missing(path+".name", "the last part of the address: /hooks/NAME")
		d.missing(path+".secret", "a secret that only the sender has besides: {env: NAME}")
		d.missing(path+".start", "the pipelines that it starts: start: [webshop]")
		if strings.ContainsFunc(h.Name, notInName) || len(h.Name) > 64 {
			d.problem(d.at(path+".name"), fmt.Sprintf("%q cannot be the name of a hook", h.Name), "letters, digits, - and _, at most 64")
		}
		d.differs(path+".name", "hooks", h.Name, names, "")
		if slices.Contains(h.Start, "") {
			d.problem(d.at(path+".start"), path+".start has an empty name", "name a pipeline, or leave it out")
		}
		d.checkHookPaths(path, &h)
	}
}

func (d *decoder) checkHookPaths(path string, h *Hook) {
	for _, name := range words.Keys(h.Variables) {
		if value := h.Variables[name]; strings.HasPrefix(value, "$") {
			if _, err := document.ParsePath(value); err != nil {
				d.problem(d.at(path+".variables"), "the variable "+name+": "+err.Error(), "a text that begins with $ says where the value is in the body")
			}
		}
	}
	for _, where := range words.Keys(h.Only) {
		if _, err := document.ParsePath(where); err != nil {
			d.problem(d.at(path+".only"), err.Error(), `only: {"$.action": published}`)
		}
	}
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
