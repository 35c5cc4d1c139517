package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/setup"
	"github.com/rollcall-bot/rollcall/workflows"
)

type initCmd struct {
	Folder     string `arg:"" optional:"" default:"." help:"Where to write; the current folder when left out."`
	Admin      string `help:"E-mail address in Slack of who may do everything." placeholder:"MAIL"`
	Channel    string `help:"The Slack channel for cards and questions." placeholder:"#NAME"`
	Repository string `help:"OWNER/NAME at GitHub, or an address that git can clone." placeholder:"REPO"`
	Branch     string `help:"The branch whose pushes start the pipeline."`
	Name       string `help:"The pipeline's name; default the repository's."`
	Command    string `help:"The slash command, where another app has /rollcall." placeholder:"/NAME"`
	Listen     string `help:"Where the API and the probes listen; default 127.0.0.1:8484." placeholder:"HOST:PORT"`
	Data       string `help:"The folder of everything that must be kept; default ./data." placeholder:"FOLDER"`
	HTTP       string `name:"http" help:"Public https address that Slack calls, instead of Socket Mode." placeholder:"URL"`
}

func (c *initCmd) answers() setup.Answers {
	return setup.Answers{Admin: c.Admin, Channel: c.Channel, Repository: c.Repository, Branch: c.Branch, Pipeline: c.Name, Command: c.Command, HTTP: c.HTTP, Listen: c.Listen, Data: c.Data}
}

// Validate makes an answer that cannot be used wrong usage.
func (c *initCmd) Validate() error {
	var wrong *workflows.Problem
	if errors.As(c.answers().Defaults().Check(), &wrong) {
		return fmt.Errorf("--%s: %s (%s)", wrong.Field, wrong.Message, wrong.Hint)
	}
	return nil
}

// Run writes configuration, manifest and a first pipeline. It asks when it is
// told nothing and somebody sits at a terminal.
func (c *initCmd) Run(o *output) error {
	a := c.answers()
	if a == (setup.Answers{}) && terminal(os.Stdin) {
		var err error
		if a, err = setup.Ask(os.Stdin, o.out, a); err != nil {
			return err
		}
	}
	a = a.Defaults()
	files := a.Files()
	if err := setup.Write(c.Folder, files); err != nil {
		return err
	}
	fmt.Fprintln(o.out, "Written:")
	for _, f := range files {
		fmt.Fprintln(o.out, "  "+filepath.Join(c.Folder, f.Path))
	}
	fmt.Fprint(o.out, "\n"+a.Next(c.Folder, called()))
	return nil
}

// called is how rollcall was called, to call it again.
func called() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/rollcall"
	}
	return os.Args[0]
}

// terminal says whether somebody can answer there; /dev/null is a device too.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
