// Command rollcall is release pipelines that a team steers from Slack: the
// service (serve), what makes and checks pipeline files (validate, test, schema), and a client for
// everything the service can be asked.
//
// Exit status: 0 done, 1 refused or failed, 2 wrong usage; of what waits: 3 it
// ended badly, 4 out of time; 5 the service cannot be reached; 130 interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // named time zones work on machines that have none

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/integrations/commands"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// sections are all commands, as help lists them.
func sections() []struct {
	title    string
	commands []commander
} {
	return []struct {
		title    string
		commands []commander
	}{
		{"Commands", []commander{new(demoCmd), new(serveCmd), new(initCmd), new(helpCmd), new(versionCmd), new(loginCmd), new(logoutCmd), new(completionCmd), new(manCmd), new(healthcheckCmd)}},
		{"Maintenance", []commander{new(doctorCmd), new(iamPolicyCmd), new(checkCmd), new(backupCmd), new(restoreCmd), new(auditCmd), new(accessCmd)}},
		{"Definitions (apply, diff and export call a service)", []commander{new(validateCmd), new(testCmd), new(applyCmd), new(diffCmd), new(schemaCmd), new(exportCmd), new(importCmd)}},
		{"Change something", []commander{new(startCmd), new(stopCmd), new(retryCmd), new(rollbackCmd), new(approveCmd), new(rejectCmd), new(lockCmd), new(unlockCmd), new(overrideCmd), new(resolveCmd)}},
		{"View", []commander{new(pipelinesCmd), new(statusCmd), new(executionsCmd), new(targetsCmd), new(whyCmd), new(compareCmd), new(notesCmd), new(logsCmd), new(watchCmd), new(openCmd), new(waitCmd), new(whoamiCmd)}},
	}
}

func main() {
	commands.Supervise()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// commandLine is rollcall with all its commands.
func commandLine() *cobra.Command {
	root := parent(&cobra.Command{Use: "rollcall COMMAND", Short: "Release pipelines that a team steers from Slack.", SilenceErrors: true, SilenceUsage: true})
	cobra.EnableCommandSorting = false // help lists the commands in the order of sections
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpFunc(help)
	root.SetFlagErrorFunc(wrongFlag)
	root.PersistentFlags().BoolP("help", "h", false, "Show this help.")
	version := root.Flags().Bool("version", false, "Print the version.")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *version {
			return new(versionCmd).Run(cmd.Context(), &output{cmd.OutOrStdout(), cmd.ErrOrStderr()})
		}
		return cmd.Help()
	}
	for _, s := range sections() {
		root.AddGroup(&cobra.Group{ID: s.title, Title: s.title})
		for _, c := range s.commands {
			cmd := c.command()
			cmd.GroupID = s.title
			completeChoices(cmd)
			if _, ok := c.(*helpCmd); ok {
				root.SetHelpCommand(cmd)
			}
			root.AddCommand(cmd)
		}
	}
	return root
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		args = joined(args)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := commandLine()
	root.SetArgs(append([]string{}, args...))
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var f *failure
	if err == nil || errors.As(err, &f) {
		return exitStatus(err, stderr)
	}
	hint := "see " + strings.TrimSuffix(cmd.CommandPath(), " help") + " --help"
	var wrong *misuse
	if errors.As(err, &wrong) && wrong.hint != "" {
		hint = wrong.hint
	}
	sentence := err.Error()
	if !strings.HasPrefix(sentence, "rollcall ") {
		sentence = "rollcall: " + sentence
	}
	fmt.Fprintf(stderr, "%s\n  %s\n", clean.Text(sentence), clean.Line(hint))
	return 2
}

// output is where a command prints.
type output struct{ out, err io.Writer }

// errReported is an error that has been printed already: status 1.
var errReported = errors.New("reported")

func exitStatus(err error, stderr io.Writer) int {
	var p *workflows.Problem
	var e *exit
	switch {
	case errors.As(err, &e):
		fmt.Fprintf(stderr, "rollcall: %s\n", clean.Text(e.sentence))
		return e.status
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "rollcall: interrupted")
		return exitInterrupted
	case errors.Is(err, errReported):
	case errors.As(err, &p):
		fmt.Fprintf(stderr, "rollcall: %s\n", clean.Text(p.Message))
		if p.Hint != "" {
			fmt.Fprintf(stderr, "  %s\n", clean.Text(words.Advice(p.Hint, "rollcall")))
		}
		if p.Code == client.Unreachable {
			return exitUnreachable
		}
	default:
		fmt.Fprintf(stderr, "rollcall: %s\n", clean.Text(err.Error()))
	}
	return 1
}
