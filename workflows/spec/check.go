package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// checker holds a definition against the rules. The tree is only asked for
// places: what is at stages[1] of the definition is at stages[1] of the tree.
type checker struct {
	*diagnostics
	p    *workflows.Pipeline
	root *node
}

// check reports what breaks CodePipeline's rules or ours. It runs on whatever
// could be read; what is missing has been reported and is empty here.
// home is the Region of CodePipeline that the file comes from, if that is known.
func check(p *workflows.Pipeline, root *node, home string, d *diagnostics) {
	c := checker{d, p, root}
	c.pipeline()
	c.stages()
	c.variables()
	c.ticket()
	c.jira()
	c.triggers()
	for i := range p.Stages {
		for j := range p.Stages[i].Actions {
			c.action(i, j)
		}
	}
	c.results()
	c.regions(home)
	c.flow()
}

// fault reports an error at the place of a path.
func (c *checker) fault(message, hint string, path ...any) { c.add(c.root.at(path...), message, hint) }

// Which characters names are made of, beside letters and digits.
const (
	inNames      = ".@-_"
	inArtifacts  = "_-"
	inNamespaces = "@-_"
	inIdentifier = "_" // of a shell; not at its beginning a digit
)

// name reports a name that has the wrong characters or is too long. An empty
// one was reported when it was read.
func (c *checker) name(text, what, extra string, longest int, path ...any) {
	if text == "" {
		return
	}
	if len(text) > longest {
		c.fault(fmt.Sprintf("the %s has %d characters", what, len(text)), fmt.Sprintf("at most %d are allowed", longest), path...)
	} else if !madeOf(text, extra) {
		c.fault(fmt.Sprintf("the %s cannot be %s", what, words.Quoted(text)), "use letters, digits and "+strings.Join(strings.Split(extra, ""), " "), path...)
	}
}

func madeOf(text, extra string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(extra, r)
	})
}

func isIdentifier(text string) bool {
	return text != "" && madeOf(text, inIdentifier) && (text[0] < '0' || text[0] > '9')
}

// who reports a who-expression without a known form.
func (c *checker) who(who string, path ...any) {
	if _, _, ok := subject.Split(who); !ok && who != "" {
		c.fault(words.Quoted(who)+" names nobody", "write an e-mail address, group:NAME, slack-group:S…, github-team:ORG/TEAM, token:NAME or everyone", path...)
	}
}

func (c *checker) pipeline() {
	c.name(c.p.Name, "name", inNames, 100, "name")
	if t := c.root.get("pipelineType"); t != nil && t.text == "V1" && c.p.ExecutionMode != workflows.ModeSuperseded {
		c.fault("a pipeline of type V1 cannot be "+c.p.ExecutionMode, "write pipelineType: V2, or remove it", "executionMode")
	}
	for i, who := range c.p.Owners {
		c.who(who, "owners", i)
	}
	if ch := c.p.Channel; ch != "" && !isChannel(ch) {
		c.fault("the channel cannot be "+words.Quoted(ch), `write "#name" in quotes, or the channel's ID`, "channel")
	}
}

func isChannel(text string) bool {
	if name, ok := strings.CutPrefix(text, "#"); ok {
		return name != "" && len(name) <= 80 && !strings.ContainsAny(name, " \t\r\n#<>,")
	}
	return len(text) >= 6 && strings.ContainsRune("CGD", rune(text[0])) && strings.ToUpper(text) == text && madeOf(text, "")
}

func (c *checker) stages() {
	if n := len(c.p.Stages); n < 2 {
		c.fault(fmt.Sprintf("the pipeline has %s", count(n, "stage")), "it needs at least 2: one with sources, one that does something", "stages")
	} else if n > 50 {
		c.fault(fmt.Sprintf("the pipeline has %d stages", n), "at most 50 are allowed", "stages")
	}
	seen, total := map[string]bool{}, 0
	for i, s := range c.p.Stages {
		c.name(s.Name, "stage's name", inNames, 100, "stages", i, "name")
		if s.Name != "" && seen[s.Name] {
			c.fault("there are two stages "+s.Name, "names of stages are unique in a pipeline", "stages", i, "name")
		}
		seen[s.Name] = true
		total += len(s.Actions)
		c.stage(i, s)
	}
	if total > 1000 {
		c.fault(fmt.Sprintf("the pipeline has %d actions", total), "at most 1000 are allowed", "stages")
	}
}

func (c *checker) stage(i int, s workflows.Stage) {
	if len(s.Environment) > 255 || strings.ContainsAny(s.Environment, "\r\n") {
		c.fault("the environment must be one line of at most 255 characters", "such as production", "stages", i, "environment")
	}
	if n := len(s.Actions); n == 0 && c.root.find("stages", i).kind == mapping {
		c.fault("the stage has no actions", "add actions: a list of what it does", "stages", i, "actions")
	} else if n > 50 {
		c.fault(fmt.Sprintf("the stage has %d actions", n), "at most 50 are allowed", "stages", i, "actions")
	}
	seen := map[string]bool{}
	for j, a := range s.Actions {
		at := []any{"stages", i, "actions", j}
		c.name(a.Name, "action's name", inNames, 100, "stages", i, "actions", j, "name")
		if a.Name != "" && seen[a.Name] {
			c.fault("there are two actions "+a.Name+" in the stage", "names of actions are unique in a stage", "stages", i, "actions", j, "name")
		}
		seen[a.Name] = true
		source := a.IsSource()
		switch {
		case a.ActionType.Category == "":
		case i == 0 && a.ActionType.Category == "Approval":
			c.fault("an approval cannot be in the source stage", "move it to a later stage", at...)
		case i == 0 && !source:
			c.fault(fmt.Sprintf("%s is not a source action", orThe(a.Name, "this")), "the first stage holds source actions only; move it to a later stage", at...)
		case i > 0 && source:
			c.fault(fmt.Sprintf("%s is a source action", orThe(a.Name, "this")), "source actions are in the first stage only", at...)
		}
	}
}

func (c *checker) variables() {
	if len(c.p.Variables) > 50 {
		c.fault(fmt.Sprintf("the pipeline has %d variables", len(c.p.Variables)), "at most 50 are allowed", "variables")
	}
	seen := map[string]bool{}
	for i, v := range c.p.Variables {
		c.name(v.Name, "variable's name", inNamespaces, 128, "variables", i, "name")
		if v.Name != "" && seen[v.Name] {
			c.fault("there are two variables "+v.Name, "names of variables are unique in a pipeline", "variables", i, "name")
		}
		seen[v.Name] = true
		if len([]rune(v.Description)) > 200 {
			c.fault("the description is longer than 200 characters", "shorten it", "variables", i, "description")
		}
		pattern, err := regexp.Compile(`\A(?:` + v.Pattern + `)\z`)
		if err != nil {
			c.fault("the pattern "+words.Quoted(v.Pattern)+" is no regular expression", "RE2 syntax; it must match the whole value", "variables", i, "pattern")
		}
		if v.DefaultValue == nil {
			continue
		}
		switch n := len([]rune(*v.DefaultValue)); {
		case n == 0:
			c.fault("the defaultValue is empty", "leave it out to ask for a value at every start", "variables", i, "defaultValue")
		case n > 1000:
			c.fault("the defaultValue is longer than 1000 characters", "shorten it", "variables", i, "defaultValue")
		case err == nil && v.Pattern != "" && !pattern.MatchString(*v.DefaultValue):
			c.fault(fmt.Sprintf("the defaultValue %s does not match the pattern %s", words.Quoted(*v.DefaultValue), v.Pattern), "the pattern must match the whole value", "variables", i, "defaultValue")
		}
	}
}

func (c *checker) ticket() {
	if n := c.p.LogTail; n != nil && (*n < 0 || *n > 50) {
		c.fault("logTail must be from 0 to 50 lines", "10 without the key", "logTail")
	}
	t := c.p.Ticket
	if t == nil {
		return
	}
	if t.Project != "" && (!madeOf(t.Project, "_") || strings.ToUpper(t.Project) != t.Project) {
		c.fault("the project cannot be "+words.Quoted(t.Project), "write its key, such as OPS", "ticket", "project")
	}
	for i, label := range t.Labels {
		if strings.ContainsAny(label, " \t\r\n") {
			c.fault("the label cannot be "+words.Quoted(label), "Jira's labels are single words", "ticket", "labels", i)
		}
	}
	for i, name := range t.Stages {
		if _, ok := c.p.Stage(name); !ok && name != "" {
			c.fault("there is no stage "+words.Quoted(name), meant(name, c.stageNames()), "ticket", "stages", i)
		}
	}
	if d, err := time.ParseDuration(t.ReopenWithin); t.ReopenWithin != "" && (err != nil || d <= 0) {
		c.fault("reopenWithin cannot be "+words.Quoted(t.ReopenWithin), "write a time such as 168h", "ticket", "reopenWithin")
	}
	if t.LogTail < 0 || t.LogTail > 200 {
		c.fault("logTail must be from 0 to 200 lines", "10 without the key", "ticket", "logTail")
	}
}

func (c *checker) stageNames() (names []string) {
	for _, s := range c.p.Stages {
		if s.Name != "" && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

func orThe(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

func count(n int, thing string) string {
	switch n {
	case 0:
		return "no " + thing
	case 1:
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
