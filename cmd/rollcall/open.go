package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
)

type openCmd struct {
	service
	What string
}

func (c *openCmd) command() *cobra.Command {
	cmd := command(c.Run, "open", "Open a pipeline or an execution in a browser.", "rollcall open webshop#42", c.eitherArg(&c.What))
	cmd.Long = "Prints the address, and opens it when it runs on a terminal and there is a browser."
	c.service.flags(cmd)
	return cmd
}

// Run prints the address of what is named, and shows it to whoever has a browser.
func (c *openCmd) Run(ctx context.Context, o *output) error {
	cl := c.client()
	address := strings.TrimSuffix(cl.URL, "/") + "/"
	if c.What != "" {
		v, e, err := find(ctx, cl, c.What)
		switch {
		case err != nil:
			return err
		case e != nil:
			address += "executions/" + url.PathEscape(e.ID)
		default:
			address += "pipelines/" + url.PathEscape(v.Name)
		}
	}
	err := c.show(o, map[string]string{"url": address}, nil, func() []string { return []string{address} }, func(p client.Printer) { p.Line(address) })
	if name := browser(o.out); err == nil && name != "" {
		if err := exec.CommandContext(ctx, name, address).Run(); err != nil { //nolint:gosec // a fixed program, and an address without spaces
			return fmt.Errorf("%s could not show it: %w", name, err)
		}
	}
	return err
}

// browser is the program that shows an address to whoever sits at the terminal;
// it is empty where there is none.
func browser(w io.Writer) string {
	name := "xdg-open"
	switch {
	case !terminal(w):
		return ""
	case runtime.GOOS == "darwin":
		name = "open"
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return ""
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return ""
}
