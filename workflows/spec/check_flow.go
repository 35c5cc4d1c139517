package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/vars"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// maker is the action that makes an artifact or fills a namespace.
type maker struct {
	stage  int
	where  string // "Build/Package"
	action *workflows.Action
}

// before says whether the maker has certainly ended when an action of that
// stage and run order starts.
func (m maker) before(stage, runOrder int) bool {
	return m.stage < stage || m.stage == stage && m.action.RunOrder < runOrder
}

// moment is a point in the course of a pipeline: what has certainly ended when
// it is come to, and where it is in the file.
type moment struct {
	ended     func(maker) bool
	variables bool   // whether those of the pipeline are known
	later     string // what to do about what has not ended
	path      []any
}

// flow checks what goes from action to action, and to rules: artifacts and variables.
func (c *checker) flow() {
	artifacts, namespaces := c.makers()
	for i := range c.p.Stages {
		for j := range c.p.Stages[i].Actions {
			a := &c.p.Stages[i].Actions[j]
			m := moment{func(by maker) bool { return by.before(i, a.RunOrder) }, !a.IsSource(), "give this action a higher runOrder, or a later stage", []any{"stages", i, "actions", j}}
			c.inputs(m, a.InputArtifacts, artifacts)
			c.references(m, a.Configuration, a.Commands, namespaces)
			if a.Approval != nil && a.Approval.Jira != nil {
				c.checkReferences(m, a.Approval.Jira.Issue, namespaces, "approval", "jira", "issue")
			}
			for k, v := range a.EnvironmentVariables {
				c.checkReferences(m, v.Value, namespaces, "environmentVariables", k, "value")
			}
		}
	}
	for _, cond := range c.conditions() {
		for k, r := range cond.Rules {
			m := moment{func(by maker) bool { return by.stage <= cond.stage }, true, "only actions of this stage and of earlier ones have", slices.Concat(cond.path, []any{"rules", k})}
			if cond.kind == "beforeEntry" {
				m.ended, m.later = func(by maker) bool { return by.stage < cond.stage }, "only actions of earlier stages have"
			}
			c.inputs(m, r.InputArtifacts, artifacts)
			c.references(m, r.Configuration, r.Commands, namespaces)
			if v := r.Configuration["Variable"]; r.RuleType.Provider == "VariableCheck" && v != "" && !strings.Contains(v, "#{") {
				c.warn(c.root.at(slices.Concat(m.path, []any{"configuration", "Variable"})...), "Variable "+words.Quoted(v)+" is a text that is always the same", "write #{namespace.key}, such as #{variables."+v+"}")
			}
		}
	}
}

func (c *checker) makers() (artifacts, namespaces map[string]maker) {
	artifacts, namespaces = map[string]maker{}, map[string]maker{}
	for i, s := range c.p.Stages {
		for j := range s.Actions {
			m := maker{i, s.Name + "/" + s.Actions[j].Name, &s.Actions[j]}
			for k, out := range m.action.OutputArtifacts {
				path := []any{"stages", i, "actions", j, "outputArtifacts", k, "name"}
				c.name(out.Name, "artifact's name", inArtifacts, 100, path...)
				if first, taken := artifacts[out.Name]; taken && out.Name != "" {
					c.fault(fmt.Sprintf("the artifact %s is made by %s already", out.Name, first.where), "names of output artifacts are unique in a pipeline", path...)
					continue
				}
				artifacts[out.Name] = m
			}
		}
	}
	for i, s := range c.p.Stages {
		for j := range s.Actions {
			a := &s.Actions[j]
			if a.Namespace == "" {
				continue
			}
			path := []any{"stages", i, "actions", j, "namespace"}
			c.name(a.Namespace, "namespace", inNamespaces, 100, path...)
			first, taken := namespaces[a.Namespace]
			_, artifact := artifacts[a.Namespace]
			switch {
			case a.Namespace == "codepipeline" || a.Namespace == "variables":
				c.fault("the namespace "+a.Namespace+" is reserved", "choose another name", path...)
			case taken:
				c.fault(fmt.Sprintf("the namespace %s is that of %s already", a.Namespace, first.where), "namespaces are unique in a pipeline", path...)
			case artifact:
				c.fault(fmt.Sprintf("the namespace %s is also the name of an artifact", a.Namespace), "choose another name for one of them", path...)
				fallthrough
			default:
				namespaces[a.Namespace] = maker{i, s.Name + "/" + a.Name, a}
			}
		}
	}
	return artifacts, namespaces
}

func (c *checker) inputs(at moment, names []string, artifacts map[string]maker) {
	seen := map[string]bool{}
	for k, name := range names {
		path := slices.Concat(at.path, []any{"inputArtifacts", k})
		m, made := artifacts[name]
		switch {
		case name == "":
		case seen[name]:
			c.fault("the input artifact "+name+" is listed twice", "remove one of them", path...)
		case !made:
			c.fault("no action makes the artifact "+words.Quoted(name), orThe(meant(name, at.known(artifacts)), "an earlier action must list it in outputArtifacts"), path...)
		case !at.ended(m):
			c.fault(fmt.Sprintf("the artifact %s is made by %s, which need not have ended before", name, m.where), at.later, path...)
		}
		seen[name] = true
	}
}

// known lists the names whose makers have ended.
func (at moment) known(makers map[string]maker) (names []string) {
	for _, name := range words.Keys(makers) {
		if name != "" && at.ended(makers[name]) {
			names = append(names, name)
		}
	}
	return names
}

// references checks every #{namespace.key} of a configuration and of commands.
func (c *checker) references(at moment, configuration map[string]string, commands []string, namespaces map[string]maker) {
	for _, key := range words.Keys(configuration) {
		c.checkReferences(at, configuration[key], namespaces, "configuration", key)
	}
	for k, line := range commands {
		c.checkReferences(at, line, namespaces, "commands", k)
	}
	for _, p := range vars.Shell(commands) {
		if p.Fault != nil {
			c.fault(p.Fault.Error(), p.Hint, slices.Concat(at.path, []any{"commands", p.Line})...)
		}
	}
}

// checkReferences checks every #{namespace.key} of a text.
func (c *checker) checkReferences(at moment, text string, namespaces map[string]maker, path ...any) {
	path = slices.Concat(at.path, path)
	refs, err := vars.Refs(text)
	var malformed *vars.Error
	if errors.As(err, &malformed) {
		c.fault(malformed.Error(), "a single # needs no escaping, #{ begins a variable", path...)
	}
	seen := map[vars.Ref]bool{}
	for _, r := range refs {
		if !seen[r] {
			c.reference(r, at, namespaces, path)
		}
		seen[r] = true
	}
}

func (c *checker) reference(r vars.Ref, at moment, namespaces map[string]maker, path []any) {
	m, known := namespaces[r.Namespace]
	switch {
	case r.Namespace == "codepipeline":
		if r.Key != "PipelineExecutionId" {
			c.fault(r.String()+" does not exist", "did you mean #{codepipeline.PipelineExecutionId}?", path...)
		}
	case r.Namespace == "variables" && !at.variables:
		c.fault(r.String()+" cannot be used in a source action", "variables of the pipeline are known to later stages only", path...)
	case r.Namespace == "variables":
		var declared []string
		for _, v := range c.p.Variables {
			if v.Name == r.Key {
				return
			}
			declared = append(declared, v.Name)
		}
		c.fault("the pipeline has no variable "+words.Quoted(r.Key), orThe(meant(r.Key, declared), "declare it in variables"), path...)
	case !known:
		hint := meant(r.Namespace, at.known(namespaces))
		c.fault(fmt.Sprintf("no action has the namespace %s of %s", words.Quoted(r.Namespace), r), orThe(hint, "give the action that makes the value a namespace"), path...)
	case !at.ended(m):
		c.fault(fmt.Sprintf("%s comes from %s, which need not have ended before", r, m.where), at.later, path...)
	default:
		c.output(r, m, path)
	}
}

// output checks that the maker gives a value of that name, as far as one can know.
func (c *checker) output(r vars.Ref, m maker, path []any) {
	names, known := source.Outputs(m.action)
	hint := orThe(meant(r.Key, names), "it has "+strings.Join(names, ", "))
	switch provider := m.action.ActionType.Provider; {
	case !known || slices.Contains(names, r.Key):
		return
	case provider == "Manual":
		c.fault(fmt.Sprintf("%s is an approval and has no output variables", m.where), "who approved is in the execution's history", path...)
		return
	case provider == "Commands":
		hint = orThe(meant(r.Key, names), "list it in its outputVariables")
	case r.Key == "CommitUrl":
		hint = "only a repository at https://HOST/OWNER/NAME has a page for its commits"
	}
	c.fault(fmt.Sprintf("%s has no output variable %s", m.where, words.Quoted(r.Key)), hint, path...)
}
