package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/setup"
	"github.com/rollcall-bot/rollcall/integrations/aws/checkup"
	"github.com/rollcall-bot/rollcall/workflows"
)

type initCmd struct {
	Folder                                                                string
	Admin, Channel, Repository, Branch, Name, Command, Listen, Data, HTTP string
	AWS                                                                   bool
	Region, Role                                                          string
	Pipeline                                                              []string
}

func (c *initCmd) command() *cobra.Command {
	cmd := command(c.Run, "init", "Write a configuration, a Slack app manifest and a first pipeline.", "rollcall init\nrollcall init --aws --region eu-west-1",
		one(&c.Folder, "FOLDER", "Where to write; the current folder when left out.").orNone())
	f := cmd.Flags()
	f.StringVar(&c.Admin, "admin", "", "`MAIL` in Slack of who may do everything.")
	f.StringVar(&c.Channel, "channel", "", "The Slack channel `#NAME` for cards and questions.")
	f.StringVar(&c.Repository, "repository", "", "`OWNER/NAME` at GitHub, or an address that git can clone.")
	f.StringVar(&c.Branch, "branch", "", "The `BRANCH` whose pushes start the pipeline.")
	f.StringVar(&c.Name, "name", "", "The pipeline's `NAME`; default the repository's.")
	f.StringVar(&c.Command, "command", "", "The slash command `/NAME`, where another app has /rollcall.")
	f.StringVar(&c.Listen, "listen", "", "`HOST:PORT` where the API and the probes listen; default 127.0.0.1:8484.")
	f.StringVar(&c.Data, "data", "", "The data `FOLDER` of the service; default ./data.")
	f.StringVar(&c.HTTP, "http", "", "Public https address, `URL`, that Slack calls instead of Socket Mode.")
	group(cmd, "In AWS", func(f *pflag.FlagSet) {
		f.BoolVar(&c.AWS, "aws", false, "Show pipelines that stay in AWS CodePipeline, with the credentials of this machine (AWS_PROFILE, AWS_ACCESS_KEY_ID …).")
		f.StringVar(&c.Region, "region", os.Getenv("AWS_REGION"), "Their `REGION` ($AWS_REGION).")
		f.StringVar(&c.Role, "role", "", "`ARN` of a role to look with.")
		f.StringArrayVar(&c.Pipeline, "pipeline", nil, "A pipeline's `NAME` in AWS; may be repeated. All when left out.")
	})
	cmd.PreRunE = func(*cobra.Command, []string) error {
		c.Folder = cmp.Or(c.Folder, ".")
		return c.validate()
	}
	return cmd
}

func (c *initCmd) answers() setup.Answers {
	return setup.Answers{Admin: c.Admin, Channel: c.Channel, Repository: c.Repository, Branch: c.Branch, Pipeline: c.Name, Command: c.Command, HTTP: c.HTTP, Listen: c.Listen, Data: c.Data}
}

// validate makes an answer that cannot be used wrong usage.
func (c *initCmd) validate() error {
	var wrong *workflows.Problem
	if errors.As(c.answers().Defaults().Check(), &wrong) {
		return fmt.Errorf("--%s: %s (%s)", wrong.Field, wrong.Message, wrong.Hint)
	}
	if b := c.bridge(); c.AWS && b.Region != "" && errors.As(b.Check(), &wrong) {
		return fmt.Errorf("--%s: %s (%s)", wrong.Field, wrong.Message, wrong.Hint)
	}
	if !c.AWS && (c.Role != "" || len(c.Pipeline) > 0) {
		return errors.New("--role and --pipeline are for pipelines in AWS: add --aws")
	}
	return nil
}

func (c *initCmd) bridge() setup.Bridge {
	return setup.Bridge{Region: c.Region, RoleARN: c.Role, Pipelines: c.Pipeline}
}

// Run writes configuration, manifest and a first pipeline. It asks when it is
// told nothing and somebody sits at a terminal.
func (c *initCmd) Run(ctx context.Context, o *output) error {
	a := c.answers()
	if c.AWS {
		return c.withAWS(ctx, a, o)
	}
	if err := setup.Vacant(c.Folder, a.Defaults().Files()[:2]); err != nil {
		return err
	}
	if a == (setup.Answers{}) && terminal(os.Stdin) {
		var err error
		if a, err = setup.Ask(os.Stdin, o.out, a); err != nil {
			return err
		}
	}
	a = a.Defaults()
	return c.write(o, a.Files(), a.Next(c.Folder, called()))
}

// write writes the files and says which, and what comes next.
func (c *initCmd) write(o *output, files []setup.File, next string) error {
	if err := setup.Write(c.Folder, files); err != nil {
		return err
	}
	fmt.Fprintln(o.out, "Written:")
	for _, f := range files {
		fmt.Fprintln(o.out, "  "+filepath.Join(c.Folder, f.Path))
	}
	fmt.Fprint(o.out, "\n"+next)
	return nil
}

// withAWS begins with pipelines that stay in AWS. Where there is a configuration
// already, it prints what to add to it.
func (c *initCmd) withAWS(ctx context.Context, a setup.Answers, o *output) (err error) {
	b := c.bridge()
	list := func(b setup.Bridge) ([]string, error) { return checkup.Pipelines(ctx, b.Region, b.RoleARN) }
	vacant := setup.Vacant(c.Folder, a.Defaults().FilesWith(b)[:1])
	switch {
	case a == (setup.Answers{}) && len(b.Pipelines) == 0 && terminal(os.Stdin) && vacant == nil:
		if a, b, err = setup.AskBridge(os.Stdin, o.out, a, b, list); err != nil {
			return err
		}
	case b.Region == "":
		return &workflows.Problem{Code: workflows.CodeValidation, Field: "region", Message: "no Region of AWS is known", Hint: "add --region eu-west-1, or set AWS_REGION"}
	default:
		listed, err := list(b)
		if err != nil {
			return err
		}
		if b, err = b.Choose(listed, b.Pipelines); err != nil {
			return err
		}
	}
	if vacant != nil {
		fmt.Fprintf(o.out, "# Add this to %s:\n%s", filepath.Join(c.Folder, "rollcall.yaml"), b.Section())
		return nil
	}
	a = a.Defaults()
	return c.write(o, a.FilesWith(b), a.NextWith(b, c.Folder, called()))
}

// called is how rollcall was called, to call it again.
func called() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/rollcall"
	}
	return os.Args[0]
}

// terminal says whether somebody reads or answers there; /dev/null is a device too.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
