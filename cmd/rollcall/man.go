package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type manCmd struct{ Dir string }

func (c *manCmd) command() *cobra.Command {
	var cmd *cobra.Command
	run := func(_ context.Context, o *output) error { return c.write(cmd.Root(), o) }
	cmd = command(run, "man", "Write the manual pages.", "rollcall man --dir /usr/local/share/man/man1\nrollcall man | man -l -")
	cmd.Long = "Prints rollcall(1), or writes one page for each command into a folder."
	cmd.Flags().StringVar(&c.Dir, "dir", "", "Write a page for each command into this `FOLDER`.")
	return cmd
}

// write prints the page of rollcall, or writes all pages.
func (c *manCmd) write(root *cobra.Command, o *output) error {
	if c.Dir == "" {
		_, err := io.WriteString(o.out, manPage(root))
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // everybody may read a manual
		return fmt.Errorf("make the folder: %w", err)
	}
	var each func(cmd *cobra.Command) error
	each = func(cmd *cobra.Command) error {
		path := filepath.Join(c.Dir, pageName(cmd)+".1")
		if err := os.WriteFile(path, []byte(manPage(cmd)), 0o644); err != nil { //nolint:gosec // everybody may read a manual
			return fmt.Errorf("write a manual page: %w", err)
		}
		for _, below := range cmd.Commands() {
			if below.Hidden {
				continue
			}
			if err := each(below); err != nil {
				return err
			}
		}
		return nil
	}
	return each(root)
}

// pageName is what the manual calls a command: rollcall-audit-show.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is the manual page of a command, in roff.
func manPage(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" rollcall rollcall\n.SH NAME\n%s \\- %s\n", roff(strings.ToUpper(pageName(cmd))), roff(pageName(cmd)), roff(strings.TrimSuffix(cmd.Short, ".")))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(cmd.UseLine()))
	if cmd.Long != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", roff(cmd.Long))
	}
	manList(&b, "Arguments", strings.TrimSuffix(cmd.Annotations[argumentsKey], "\n"))
	for _, g := range append([]*cobra.Group{{Title: "Commands"}}, cmd.Groups()...) {
		var lines []string
		for _, below := range cmd.Commands() {
			if below.GroupID == g.ID && !below.Hidden {
				lines = append(lines, below.Name()+"\t"+below.Short)
			}
		}
		manList(&b, g.Title, strings.Join(lines, "\n"))
	}
	manFlags(&b, cmd)
	if cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	b.WriteString(".SH \"EXIT STATUS\"\n0 done; 1 refused or failed; 2 wrong usage; of what waits: 3 it ended badly, 4 out of time; 5 the service cannot be reached; 130 interrupted.\n")
	if cmd.HasParent() {
		fmt.Fprintf(&b, ".SH \"SEE ALSO\"\n.BR %s (1)\n", roff(pageName(cmd.Parent())))
	}
	return b.String()
}

// manFlags lists the flags, group by group.
func manFlags(b *strings.Builder, cmd *cobra.Command) {
	titles, lists := []string{"Flags"}, map[string]string{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		title := cmp.Or(strings.Join(f.Annotations[groupKey], ""), "Flags")
		if lists[title] == "" && title != "Flags" {
			titles = append(titles, title)
		}
		value, about := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		lists[title] += strings.TrimSpace(name+" "+value) + "\t" + about + "\n"
	})
	for _, title := range titles {
		manList(b, title, strings.TrimSuffix(lists[title], "\n"))
	}
}

// manList writes lines of a name, a tab and what it is.
func manList(b *strings.Builder, title, lines string) {
	if lines == "" {
		return
	}
	fmt.Fprintf(b, ".SH \"%s\"\n", roff(strings.ToUpper(title)))
	for line := range strings.SplitSeq(lines, "\n") {
		name, about, _ := strings.Cut(line, "\t")
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(name), roff(about))
	}
}

// roff writes text so that nothing in it is a request or an escape.
func roff(text string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
