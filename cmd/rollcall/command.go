package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// command makes a command that runs once its arguments and flags have been read.
func command(run func(context.Context, *output) error, name, short, example string, args ...arg) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, Example: example, Annotations: map[string]string{}}
	for _, a := range args {
		cmd.Use += " " + a.usage()
		cmd.Annotations[argumentsKey] += a.usage() + "\t" + a.help + "\n"
	}
	cmd.Flags().SortFlags = false
	cmd.Args = func(cmd *cobra.Command, given []string) error { return assign(cmd, args, given) }
	cmd.ValidArgsFunction = func(cmd *cobra.Command, given []string, partial string) ([]string, cobra.ShellCompDirective) {
		for i, a := range args {
			if i == len(given) || i == len(args)-1 && a.many {
				return offer(a.complete)(cmd, given, partial)
			}
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := run(cmd.Context(), &output{cmd.OutOrStdout(), cmd.ErrOrStderr()}); err != nil {
			return &failure{err}
		}
		return nil
	}
	return cmd
}

// argumentsKey is the annotation of a command that has a line per argument.
const argumentsKey = "arguments"

// failure is what a command ended with; every other error is wrong usage.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// arg is what a command takes by position.
type arg struct {
	name, help string
	optional   bool
	many       bool // and all that follow
	set        func(string) error
	complete   candidates // nil: the name of a file
}

// one is an argument that is kept in to.
func one(to *string, name, help string) arg {
	return arg{name: name, help: help, set: func(word string) error {
		*to = word
		return nil
	}}
}

// several are all further arguments.
func several(to *[]string, name, help string) arg {
	return arg{name: name, help: help, many: true, set: func(word string) error {
		*to = append(*to, word)
		return nil
	}}
}

// among is an argument that is one of a few words.
func among(to *string, name, help string, known ...string) arg {
	return arg{name: name, help: help, set: oneOf(to, "", known...).Set, complete: fixed(known...)}
}

func (a arg) orNone() arg {
	a.optional = true
	return a
}

func (a arg) from(c candidates) arg {
	a.complete = c
	return a
}

func (a arg) usage() string {
	text := a.name
	if a.many {
		text += "..."
	}
	if a.optional {
		text = "[" + text + "]"
	}
	return text
}

// assign gives the arguments their values.
func assign(cmd *cobra.Command, args []arg, given []string) error {
	for _, a := range args {
		if len(given) == 0 && !a.optional {
			return &misuse{cmd.CommandPath() + " needs " + article(a.name), use(cmd)}
		}
		for len(given) > 0 {
			if err := a.set(given[0]); err != nil {
				return fmt.Errorf("%s %w, not %q", a.name, err, clean.Line(given[0]))
			}
			if given = given[1:]; !a.many {
				break
			}
		}
	}
	if len(given) > 0 {
		return &misuse{fmt.Sprintf("%s takes no further argument %q", cmd.CommandPath(), clean.Line(given[0])), use(cmd)}
	}
	return nil
}

// choice is the value of a flag that takes one of a few words.
type choice struct {
	to    *string
	known []string
}

// oneOf is a choice whose value is def until another one is given.
func oneOf(to *string, def string, known ...string) *choice {
	*to = def
	return &choice{to, known}
}

func (c *choice) String() string { return *c.to }
func (c *choice) Type() string   { return "word" }

func (c *choice) Set(word string) error {
	if !slices.Contains(c.known, word) {
		return errors.New("must be " + words.List(c.known, "or"))
	}
	*c.to = word
	return nil
}

// groupKey is the annotation of a flag that help shows in a group of its own.
const groupKey = "group"

// group adds flags that belong together.
func group(cmd *cobra.Command, title string, define func(*pflag.FlagSet)) {
	set := pflag.NewFlagSet(title, pflag.ContinueOnError)
	set.SortFlags = false
	define(set)
	set.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{groupKey: {title}} })
	cmd.Flags().AddFlagSet(set)
}

// reason adds -m, --reason, which is CodePipeline's --comment too.
func reason(cmd *cobra.Command, to *string, usage string) {
	f := cmd.Flags()
	f.StringVarP(to, "reason", "m", "", usage)
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "comment" {
			name = "reason"
		}
		return pflag.NormalizedName(name)
	})
}

// must reports a mistake in the commands above: a flag is not there.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// candidates are the words that may stand at a place of the command line, each
// with what it is behind a tab; given are the arguments before it.
type candidates func(ctx context.Context, given []string) []string

// fixed are candidates that are always the same.
func fixed(known ...string) candidates {
	return func(context.Context, []string) []string { return known }
}

// completionTimeout is how long a shell waits for the service's names.
const completionTimeout = time.Second

// offer completes what was typed; without candidates it is the name of a file.
func offer(c candidates) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, partial string) (all []string, _ cobra.ShellCompDirective) {
		if c == nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		directive := cobra.ShellCompDirectiveNoFileComp
		for _, word := range c(ctx, given) {
			if !strings.HasPrefix(word, partial) {
				continue
			}
			all = append(all, word)
			if name, _, _ := strings.Cut(word, "\t"); strings.HasSuffix(name, "=") { // its value follows
				directive |= cobra.ShellCompDirectiveNoSpace
			}
		}
		return all, directive
	}
}
