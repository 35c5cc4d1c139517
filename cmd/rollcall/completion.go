package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

type completionCmd struct{ Shell string }

func (c *completionCmd) command() *cobra.Command {
	var cmd *cobra.Command
	run := func(_ context.Context, o *output) error { return c.print(cmd.Root(), o.out) }
	cmd = command(run, "completion", "Print a script that completes commands and names in your shell.",
		"rollcall completion bash > /etc/bash_completion.d/rollcall\nsource <(rollcall completion zsh)\nrollcall completion fish > ~/.config/fish/completions/rollcall.fish",
		among(&c.Shell, "SHELL", "bash, zsh or fish.", "bash", "zsh", "fish"))
	cmd.Long = "Names of pipelines, stages and executions come from the service, when it answers within a second."
	return cmd
}

// bashScript needs no package bash-completion, unlike cobra's.
const bashScript = `_rollcall() {
  local IFS=$'\n'
  COMPREPLY=($(rollcall __completeNoDesc "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | sed '$d'))
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
}
complete -o default -F _rollcall rollcall
`

// print writes the script, which asks rollcall itself, so that it never grows old.
func (c *completionCmd) print(root *cobra.Command, w io.Writer) (err error) {
	switch c.Shell {
	case "zsh":
		err = root.GenZshCompletion(w)
	case "fish":
		err = root.GenFishCompletion(w, true)
	default:
		_, err = io.WriteString(w, bashScript)
	}
	return err
}

// joined puts --flag, =, value together again, which bash takes apart.
func joined(words []string) (all []string) {
	for i := 0; i < len(words); i++ {
		if words[i] != "=" || len(all) == 0 {
			all = append(all, words[i])
			continue
		}
		all[len(all)-1] += "="
		if i++; i < len(words) {
			all[len(all)-1] += words[i]
		}
	}
	return all
}

// completeChoices completes the flags of cmd, and of the commands below it, that take one of a few words.
func completeChoices(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if c, ok := f.Value.(*choice); ok {
			must(cmd.RegisterFlagCompletionFunc(f.Name, offer(fixed(c.known...))))
		}
	})
	for _, c := range cmd.Commands() {
		completeChoices(c)
	}
}

func (s *service) pipelineArg(to *string) arg {
	return one(to, "PIPELINE", "The pipeline.").from(s.pipelines)
}

func (s *service) stageArg(to *string) arg { return one(to, "STAGE", "The stage.").from(s.stages) }

// executionNames are the names of an execution, as help lists them.
const executionNames = "webshop#42, 42, webshop@latest, @latest, an ID, or the end of one."

func (s *service) executionArg(to *string) arg {
	return one(s.refers(to, nil), "EXECUTION", executionNames).from(s.executions)
}

func (s *service) eitherArg(to *string) arg {
	return one(s.refers(to, nil), "WHAT", "A pipeline or an execution.").orNone().from(s.either)
}

func (s *service) actionArg(to *string, about string) arg {
	return one(to, "ACTION", about).from(s.actions)
}

func (s *service) approvalArg(to *string) arg {
	return s.actionArg(to, "The approval action, when several are open.").orNone()
}

func candidate(word, about string) string {
	return cobra.CompletionWithDesc(clean.Line(word), clean.Line(about))
}

// pipelines are their names; a service that does not answer has none.
func (s *service) pipelines(ctx context.Context, _ []string) (all []string) {
	views, _ := s.client().Pipelines(ctx)
	for _, name := range pipelineNames(views) {
		all = append(all, candidate(name, "pipeline"))
	}
	return all
}

// recent is how many executions of a pipeline are offered.
const recent = 10

func (s *service) executions(ctx context.Context, _ []string) (all []string) {
	views, _ := s.client().Pipelines(ctx)
	for _, name := range pipelineNames(views) {
		executions, _ := s.client().Executions(ctx, record.Query{Pipeline: name, Limit: recent})
		for i := range executions {
			all = append(all, candidate(executions[i].Ref(), client.Sentence(&executions[i])))
		}
	}
	return all
}

func (s *service) either(ctx context.Context, given []string) []string {
	return append(s.pipelines(ctx, given), s.executions(ctx, given)...)
}

// stages are of the pipeline or the execution that was named before.
func (s *service) stages(ctx context.Context, given []string) (all []string) {
	if len(given) == 0 {
		return nil
	}
	pipeline, _, _ := strings.Cut(given[0], "#")
	v, _ := s.client().Pipeline(ctx, pipeline)
	for _, st := range v.Stages {
		all = append(all, candidate(st.Name, "stage"))
	}
	return all
}

// variables are those of the pipeline named before that have no value yet.
func (s *service) variables(ctx context.Context, given []string) (all []string) {
	if len(given) == 0 {
		return nil
	}
	v, _ := s.client().Pipeline(ctx, given[0])
	if v.Definition == nil {
		return nil
	}
	for _, d := range v.Definition.Variables {
		if !slices.ContainsFunc(given[1:], func(word string) bool { return strings.HasPrefix(word, d.Name+"=") }) {
			all = append(all, candidate(d.Name+"=", d.Description))
		}
	}
	return all
}

// goals are what can be waited for.
func (s *service) goals(ctx context.Context, given []string) []string {
	return append([]string{candidate("approval", "until it waits for an approval"), candidate("end", "until it has ended")}, s.stages(ctx, given)...)
}

// targets are what the stage named before can be rolled back to.
func (s *service) targets(ctx context.Context, given []string) (all []string) {
	if len(given) < 2 {
		return nil
	}
	targets, _ := s.client().Targets(ctx, given[0], given[1])
	for i := range targets {
		if t := &targets[i]; t.Eligible {
			all = append(all, fmt.Sprintf("%s#%d", given[0], t.Number))
		}
	}
	return all
}

func (s *service) actions(ctx context.Context, given []string) (all []string) {
	if len(given) == 0 {
		return nil
	}
	e, _ := s.client().Execution(ctx, given[0])
	for _, st := range e.Stages {
		for _, a := range st.Actions {
			all = append(all, candidate(a.Name, string(a.Status)+" in "+st.Name))
		}
	}
	return all
}
