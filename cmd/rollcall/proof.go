package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// askAgain is how often a service is asked whether somebody has confirmed the code.
const askAgain = 2 * time.Second

// proof is a token that the service may take for somebody: a session's, or one that
// is pasted or comes by a pipe. A service that signs nobody in is given a token.
func (c *loginCmd) proof(ctx context.Context, o *output, address string) (token string, signedIn bool, err error) {
	if !c.TokenStdin {
		cl := &client.Client{URL: address, HTTP: &http.Client{Timeout: 30 * time.Second}}
		host, _ := os.Hostname() // without a name it is shown as such
		l, err := cl.Login(ctx, host)
		switch p := (*workflows.Problem)(nil); {
		case err == nil:
			return c.confirmed(ctx, o, cl, l)
		case !errors.As(err, &p) || p.Code != "Unauthorized" && p.Code != "NotFound":
			return "", false, err
		}
	}
	token, err = c.token(ctx, o, address)
	return token, false, err
}

// confirmed waits until somebody has confirmed the code, or has pasted a token.
func (c *loginCmd) confirmed(ctx context.Context, o *output, cl *client.Client, l client.Login) (token string, signedIn bool, err error) {
	fmt.Fprintf(o.err, "To sign in, type this in Slack:  %s\nor open  %s\n", clean.Line(l.Command), clean.Line(l.URL))
	showIn(ctx, browser(o.out), l.URL)
	var pasted <-chan string // nil: there is nobody to paste one
	if terminal(os.Stdin) {
		fmt.Fprint(o.err, "Or paste an API token: ")
		read, restore, err := c.read()
		if err != nil {
			return "", false, err
		}
		defer fmt.Fprintln(o.err)
		defer restore()
		pasted = read
	}
	ask := time.NewTicker(askAgain)
	defer ask.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", false, &exit{exitInterrupted, "nothing was kept"}
		case token := <-pasted:
			if token != "" {
				return token, false, nil
			}
			pasted = nil // an empty line: they go on in Slack
			continue
		case <-ask.C:
		}
		state, err := cl.LoginState(ctx, l.Token)
		switch {
		case state == "granted":
			return l.Token, true, nil
		case state == "refused":
			return "", false, &workflows.Problem{Message: "it was refused in Slack; nothing was kept", Hint: "if it was you who asked, type rollcall login again"}
		case state == "expired":
			return "", false, &workflows.Problem{Message: "nobody has confirmed the code within five minutes; nothing was kept", Hint: "type rollcall login again"}
		case err != nil && !isPassing(err):
			return "", false, err
		}
	}
}

// showIn has a browser show an address, and does not wait: some last as long as their
// window is open. Who has no browser reads the address.
func showIn(ctx context.Context, name, address string) {
	if name == "" || !isPage(address) {
		return
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, address) //nolint:gosec // a fixed program, and an address
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}

// isPassing says whether a service may answer in a moment: it is restarted, or Slack does not answer it.
func isPassing(err error) bool {
	var p *workflows.Problem
	return errors.As(err, &p) && (p.Code == client.Unreachable || p.Code == workflows.CodeUnavailable || p.Code == workflows.CodeCommitUnknown)
}

// isPage says whether an address is one that a browser may be given.
func isPage(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// token reads the token: from a pipe when that was asked for, else from a
// terminal that does not show it.
func (c *loginCmd) token(ctx context.Context, o *output, address string) (string, error) {
	if !c.TokenStdin {
		if !terminal(os.Stdin) {
			return "", &workflows.Problem{Message: "there is no terminal to ask for the token", Hint: "give it by a pipe: rollcall login " + address + " --token-stdin < FILE"}
		}
		fmt.Fprintf(o.err, "API token for %s: ", clean.Line(address))
		defer fmt.Fprintln(o.err)
	}
	read, restore, err := c.read()
	if err != nil {
		return "", err
	}
	defer restore()
	select {
	case <-ctx.Done():
		return "", &exit{exitInterrupted, "nothing was kept"}
	case token := <-read:
		if token == "" {
			return "", &exit{2, "there was no token; nothing was kept"}
		}
		return token, nil
	}
}

// read reads a token beside what else goes on; restore has the terminal as it was,
// also when reading has not ended.
func (c *loginCmd) read() (token <-chan string, restore func(), err error) {
	restore = func() {}
	if !c.TokenStdin {
		fd := int(os.Stdin.Fd())
		before, err := term.GetState(fd)
		if err != nil {
			return nil, nil, fmt.Errorf("ask for the token: %w", err)
		}
		restore = func() { _ = term.Restore(fd, before) }
	}
	read := make(chan string, 1)
	go func() {
		var line []byte // one that cannot be read is no token
		if c.TokenStdin {
			line, _ = io.ReadAll(io.LimitReader(os.Stdin, longestToken))
		} else {
			line, _ = term.ReadPassword(int(os.Stdin.Fd()))
		}
		read <- strings.TrimSpace(string(line))
	}()
	return read, restore, nil
}
