// Command rollcall is release pipelines that a team steers from Slack: the
// service (serve), what makes and checks pipeline files (validate, test, schema), and a client for
// everything the service can be asked.
//
// Exit status: 0 done, 1 refused or failed, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // named time zones work on machines that have none

	"github.com/alecthomas/kong"

	"github.com/rollcall-bot/rollcall/integrations/commands"
	"github.com/rollcall-bot/rollcall/workflows"
)

type cli struct {
	Demo    demoCmd    `cmd:"" help:"Try rollcall out on this machine: nothing to set up."`
	Serve   serveCmd   `cmd:"" help:"Run the service."`
	Init    initCmd    `cmd:"" help:"Write a configuration, a Slack app manifest and a first pipeline."`
	Version versionCmd `cmd:"" help:"Print the version."`

	Healthcheck healthcheckCmd `cmd:"" hidden:"" help:"Ask whether the service is ready."`

	Validate validateCmd `cmd:"" group:"define" help:"Check pipeline files."`
	Test     testCmd     `cmd:"" group:"define" help:"Play the tests of pipelines."`
	Apply    applyCmd    `cmd:"" group:"define" help:"Put pipeline files in force."`
	Diff     diffCmd     `cmd:"" group:"define" help:"Say how a pipeline file differs from what is in force."`
	Schema   schemaCmd   `cmd:"" group:"define" help:"Print the JSON Schema of pipeline files."`
	Export   exportCmd   `cmd:"" group:"define" help:"Print the pipelines that are in force as files."`

	Start      startCmd      `cmd:"" group:"ask" help:"Start an execution."`
	Stop       stopCmd       `cmd:"" group:"ask" help:"Stop an execution."`
	Retry      retryCmd      `cmd:"" group:"ask" help:"Run the failed actions of a stage again."`
	Rollback   rollbackCmd   `cmd:"" group:"ask" help:"Return a stage to an earlier execution."`
	Approve    approveCmd    `cmd:"" group:"ask" help:"Approve at the open gate of an execution."`
	Reject     rejectCmd     `cmd:"" group:"ask" help:"Reject at the open gate of an execution."`
	Enable     enableCmd     `cmd:"" group:"ask" help:"Open the door into a stage."`
	Disable    disableCmd    `cmd:"" group:"ask" help:"Close the door into a stage."`
	Override   overrideCmd   `cmd:"" group:"ask" help:"Set an open gate or a failed condition aside, in an emergency."`
	Resolve    resolveCmd    `cmd:"" group:"ask" help:"Say what became of an action that is in doubt."`
	Status     statusCmd     `cmd:"" group:"look" help:"Show all pipelines, one pipeline, or one execution."`
	Executions executionsCmd `cmd:"" group:"look" help:"List executions of a pipeline, newest first."`
	Targets    targetsCmd    `cmd:"" group:"look" help:"List what a stage could be rolled back to."`
	Logs       logsCmd       `cmd:"" group:"look" help:"Print the log of an action."`
	Watch      watchCmd      `cmd:"" group:"look" help:"Follow what happens."`
}

func main() {
	commands.Supervise()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// usageExit carries kong's wish to exit (after --help) out of its parser.
type usageExit struct{ code int }

func run(args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case usageExit:
			code = e.code
		default:
			panic(e)
		}
	}()
	var c cli
	parser, err := kong.New(&c, kong.Name("rollcall"), kong.Writers(stdout, stderr), kong.UsageOnError(),
		kong.Description("Release pipelines that a team steers from Slack."),
		kong.ExplicitGroups([]kong.Group{{Key: "define", Title: "Define pipelines (apply, diff and export ask a service):"}, {Key: "ask", Title: "Ask a service (ROLLCALL_URL, ROLLCALL_TOKEN):"}, {Key: "look", Title: "Look at a service:"}}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Exit(func(code int) { panic(usageExit{code}) }))
	if err != nil {
		panic(err) // the struct tags above are wrong
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "rollcall: %s\n  see rollcall --help\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	return exitStatus(k.Run(&output{stdout, stderr}), stderr)
}

// output is where a command prints.
type output struct{ out, err io.Writer }

// quiet is an error that has been told already.
var errTold = errors.New("told")

func exitStatus(err error, stderr io.Writer) int {
	var p *workflows.Problem
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return 0
	case errors.Is(err, errTold):
	case errors.As(err, &p):
		fmt.Fprintf(stderr, "rollcall: %s\n", p.Message)
		if p.Hint != "" {
			fmt.Fprintf(stderr, "  %s\n", p.Hint)
		}
	default:
		fmt.Fprintf(stderr, "rollcall: %s\n", err)
	}
	return 1
}
