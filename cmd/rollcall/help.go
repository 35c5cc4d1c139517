package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// pipeWidth is how wide help is where no terminal says otherwise.
const pipeWidth = 80

// help prints what a command does, how it is called, and an example.
func help(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	width := widthOf(w)
	if width == 0 {
		width = pipeWidth
	}
	fmt.Fprintf(w, "Usage: %s\n\n%s\n", cmd.UseLine(), wrapped(cmd.Short, 0, width))
	if cmd.Long != "" {
		fmt.Fprintf(w, "\n%s\n", wrapped(cmd.Long, 0, width))
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExample:\n\n    %s\n", strings.ReplaceAll(cmd.Example, "\n", "\n    "))
	}
	section(w, "Arguments", strings.TrimSuffix(cmd.Annotations[argumentsKey], "\n"), width)
	commandLists(w, cmd, width)
	flagLists(w, cmd, width)
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n%s\n", wrapped(`Run "`+cmd.CommandPath()+` COMMAND --help" for more information on a command.`, 0, width))
	}
}

// section prints lines of a name, a tab and what it is, in two columns.
func section(w io.Writer, title, lines string, width int) {
	if lines == "" {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	left := 0
	for line := range strings.SplitSeq(lines, "\n") {
		name, _, _ := strings.Cut(line, "\t")
		left = max(left, runewidth.StringWidth(name))
	}
	for line := range strings.SplitSeq(lines, "\n") {
		name, about, _ := strings.Cut(line, "\t")
		fmt.Fprintf(w, "  %s   %s\n", runewidth.FillRight(name, left), wrapped(about, left+5, width))
	}
}

// commandLists prints the commands below this one, group by group.
func commandLists(w io.Writer, cmd *cobra.Command, width int) {
	for _, g := range append([]*cobra.Group{{Title: "Commands"}}, cmd.Groups()...) {
		var lines []string
		for _, c := range cmd.Commands() {
			if c.GroupID != g.ID || c.Hidden {
				continue
			}
			name := c.Name()
			if len(c.Aliases) > 0 {
				name += " (" + strings.Join(c.Aliases, ", ") + ")"
			}
			lines = append(lines, name+"\t"+c.Short)
		}
		section(w, g.Title, strings.Join(lines, "\n"), width)
	}
}

// flagLists prints the flags, those without a group first.
func flagLists(w io.Writer, cmd *cobra.Command, width int) {
	titles, lists := []string{}, map[string]*pflag.FlagSet{}
	list := func(title string) *pflag.FlagSet {
		if lists[title] == nil {
			lists[title] = pflag.NewFlagSet(title, pflag.ContinueOnError)
			lists[title].SortFlags = false
			titles = append(titles, title)
		}
		return lists[title]
	}
	list("Flags")
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		list(cmp.Or(strings.Join(f.Annotations[groupKey], ""), "Flags")).AddFlag(f)
	})
	for _, title := range titles {
		fmt.Fprintf(w, "\n%s:\n%s", title, lists[title].FlagUsagesWrapped(width))
	}
}

// wrapped breaks text at spaces; all lines but the first begin at column indent.
func wrapped(text string, indent, width int) string {
	var out strings.Builder
	for i, paragraph := range strings.Split(text, "\n") {
		if i > 0 {
			out.WriteString("\n" + strings.Repeat(" ", indent))
		}
		at := indent
		for j, word := range strings.Fields(paragraph) {
			n := runewidth.StringWidth(word)
			switch {
			case j == 0:
			case at+1+n > width:
				out.WriteString("\n" + strings.Repeat(" ", indent))
				at = indent
			default:
				out.WriteByte(' ')
				at++
			}
			out.WriteString(word)
			at += n
		}
	}
	return out.String()
}

// unknown says that there is no such command below cmd, and which was meant.
func unknown(cmd *cobra.Command, word string) error {
	m := &misuse{sentence: fmt.Sprintf("%s has no command %q", cmd.CommandPath(), clean.Line(word))}
	if like := cmd.SuggestionsFor(word); len(like) > 0 {
		m.hint = "did you mean " + cmd.CommandPath() + " " + words.List(like, "or") + "?"
	}
	return m
}

// parent makes a command that only has others below it.
func parent(cmd *cobra.Command, below ...commander) *cobra.Command {
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var names []string
		for _, c := range cmd.Commands() {
			names = append(names, c.Name())
		}
		return &misuse{sentence: cmd.CommandPath() + " needs a command: " + words.List(names, "or")}
	}
	cmd.Args = func(cmd *cobra.Command, given []string) error {
		if len(given) > 0 {
			return unknown(cmd, given[0])
		}
		return nil
	}
	for _, c := range below {
		cmd.AddCommand(c.command())
	}
	return cmd
}

// commander is a command of the command line.
type commander interface{ command() *cobra.Command }

type helpCmd struct{ Command []string }

func (c *helpCmd) command() *cobra.Command {
	var cmd *cobra.Command
	below := func(_ context.Context, given []string) (all []string) {
		found, _, _ := cmd.Root().Find(given)
		for _, c := range found.Commands() {
			if !c.Hidden {
				all = append(all, c.Name()+"\t"+c.Short)
			}
		}
		return all
	}
	cmd = command(nil, "help", "Show what a command does.", "rollcall help start", several(&c.Command, "COMMAND", "The command.").orNone().from(below))
	cmd.RunE = func(cmd *cobra.Command, given []string) error {
		found, rest, _ := cmd.Root().Find(given)
		if len(rest) > 0 && found.HasSubCommands() {
			return unknown(found, rest[0])
		}
		found.InitDefaultHelpFlag()
		help(found, nil)
		return nil
	}
	return cmd
}
