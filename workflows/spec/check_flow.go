package spec

import (
	"errors"
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/vars"
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

// flow checks what goes from action to action: artifacts and variables.
func (c *checker) flow() {
	artifacts, namespaces := c.makers()
	for i := range c.p.Stages {
		for j := range c.p.Stages[i].Actions {
			a := &c.p.Stages[i].Actions[j]
			c.inputs(i, j, a, artifacts)
			c.references(i, j, a, namespaces)
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

func (c *checker) inputs(i, j int, a *workflows.Action, artifacts map[string]maker) {
	seen := map[string]bool{}
	for k, name := range a.InputArtifacts {
		path := []any{"stages", i, "actions", j, "inputArtifacts", k}
		m, made := artifacts[name]
		switch {
		case name == "":
		case seen[name]:
			c.fault("the input artifact "+name+" is listed twice", "remove one of them", path...)
		case !made:
			c.fault("no action makes the artifact "+quoted(name), orThe(meant(name, earlier(artifacts, i, a.RunOrder)), "an earlier action must list it in outputArtifacts"), path...)
		case !m.before(i, a.RunOrder):
			c.fault(fmt.Sprintf("the artifact %s is made by %s, which need not have ended before", name, m.where), "give this action a higher runOrder, or a later stage", path...)
		}
		seen[name] = true
	}
}

// earlier lists the names whose makers have ended when such an action starts.
func earlier(makers map[string]maker, stage, runOrder int) (names []string) {
	for _, name := range sortedKeys(makers) {
		if name != "" && makers[name].before(stage, runOrder) {
			names = append(names, name)
		}
	}
	return names
}

// references checks every #{namespace.key} of an action.
func (c *checker) references(i, j int, a *workflows.Action, namespaces map[string]maker) {
	look := func(text string, path ...any) {
		path = append([]any{"stages", i, "actions", j}, path...)
		refs, err := vars.Refs(text)
		var malformed *vars.Error
		if errors.As(err, &malformed) {
			c.fault(malformed.Error(), "a # alone needs no care, #{ begins a variable", path...)
		}
		seen := map[vars.Ref]bool{}
		for _, r := range refs {
			if !seen[r] {
				c.reference(r, i, a, namespaces, path)
			}
			seen[r] = true
		}
	}
	for _, key := range sortedKeys(a.Configuration) {
		look(a.Configuration[key], "configuration", key)
	}
	for k, line := range a.Commands {
		look(line, "commands", k)
	}
	for k, v := range a.EnvironmentVariables {
		look(v.Value, "environmentVariables", k, "value")
	}
}

func (c *checker) reference(r vars.Ref, stage int, a *workflows.Action, namespaces map[string]maker, path []any) {
	m, known := namespaces[r.Namespace]
	switch {
	case r.Namespace == "codepipeline":
		if r.Key != "PipelineExecutionId" {
			c.fault(r.String()+" does not exist", "did you mean #{codepipeline.PipelineExecutionId}?", path...)
		}
	case r.Namespace == "variables" && a.IsSource():
		c.fault(r.String()+" cannot be used in a source action", "variables of the pipeline are known to later stages only", path...)
	case r.Namespace == "variables":
		var declared []string
		for _, v := range c.p.Variables {
			if v.Name == r.Key {
				return
			}
			declared = append(declared, v.Name)
		}
		c.fault("the pipeline has no variable "+quoted(r.Key), orThe(meant(r.Key, declared), "declare it in variables"), path...)
	case !known:
		hint := meant(r.Namespace, earlier(namespaces, stage, a.RunOrder))
		c.fault(fmt.Sprintf("no action has the namespace %s of %s", quoted(r.Namespace), r), orThe(hint, "give the action that makes the value a namespace"), path...)
	case !m.before(stage, a.RunOrder):
		c.fault(fmt.Sprintf("%s comes from %s, which need not have ended before", r, m.where), "give this action a higher runOrder, or a later stage", path...)
	default:
		c.output(r, m, path)
	}
}

// output checks that the maker gives a value of that name, as far as one can know.
func (c *checker) output(r vars.Ref, m maker, path []any) {
	switch m.action.ActionType.Provider {
	case "Commands":
		for _, name := range m.action.OutputVariables {
			if name == r.Key {
				return
			}
		}
		c.fault(fmt.Sprintf("%s has no output variable %s", m.where, quoted(r.Key)), orThe(meant(r.Key, m.action.OutputVariables), "list it in its outputVariables"), path...)
	case "Manual":
		c.fault(fmt.Sprintf("%s is an approval and has no output variables", m.where), "who approved is in the execution's history", path...)
	case "Git", "GitHub", "CodeStarSourceConnection":
		known := []string{"AuthorDate", "BranchName", "CommitId", "CommitMessage", "CommitterDate", "CommitUrl", "FullRepositoryName", "RepositoryName"}
		for _, name := range known {
			if name == r.Key {
				return
			}
		}
		c.warn(c.root.at(path...), fmt.Sprintf("%s may have no output variable %s", m.where, quoted(r.Key)), meant(r.Key, known))
	}
}
