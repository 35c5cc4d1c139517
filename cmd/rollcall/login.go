package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/contexts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// longestToken is more than any API token has.
const longestToken = 4096

type loginCmd struct {
	URL, Context string
	TokenStdin   bool
}

func (c *loginCmd) command() *cobra.Command {
	cmd := command(c.Run, "login", "Sign in to a service as yourself, or with an API token, and keep that for other commands.",
		"rollcall login https://rollcall.acme.example\nrollcall login https://rollcall.acme.example --token-stdin < token.txt",
		one(&c.URL, "URL", "The service's address; default $ROLLCALL_URL, or "+defaultURL+".").orNone().from(fixed()))
	cmd.Long = "It shows a code, and you say in Slack, or in a browser that is signed in, that the terminal is yours. You can paste an API token instead, one of the service's api.tokens; the service is asked whether it is good. Nothing is kept of what is not. " +
		"Address and token are kept as a context in rollcall/config.yaml in your configuration folder ($XDG_CONFIG_HOME), which only you can read. " +
		"Commands use the latest context; --context names another one, and flags and ROLLCALL_URL, ROLLCALL_TOKEN have precedence."
	cmd.Flags().BoolVar(&c.TokenStdin, "token-stdin", false, "Read the token from a pipe instead of asking for it.")
	cmd.Flags().StringVar(&c.Context, "context", "", "The `NAME` of the context; default the host of the address.")
	return cmd
}

// Run asks the service who has the token, and keeps it.
func (c *loginCmd) Run(ctx context.Context, o *output) error {
	address := strings.TrimSuffix(cmp.Or(c.URL, os.Getenv("ROLLCALL_URL"), defaultURL), "/")
	u, err := url.Parse(address)
	switch {
	case strings.Contains(address, "@"): // not repeated: it may hold a password
		return &exit{2, "the address of a service has no user name or password in it: give it as https://rollcall.acme.example"}
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return &exit{2, clean.Line(address) + " is no address of a service, such as https://rollcall.acme.example"}
	}
	if _, err := contexts.Read(contexts.Path()); err != nil { // said before anybody has signed in for nothing
		return err
	}
	if u.Scheme == "http" && !onThisMachine(u.Hostname()) {
		fmt.Fprintln(o.err, "the address begins with http://: whoever is on the way can read the token and act in your name; ask your administrators for https")
	}
	token, signedIn, err := c.proof(ctx, o, address)
	if err != nil {
		return err
	}
	one := contexts.Context{Name: cmp.Or(c.Context, u.Host), URL: address, Token: token, Session: signedIn}
	me, err := at(one).WhoAmI(ctx)
	gone := one // nobody has its token when it cannot be kept
	if err == nil {
		gone, err = keep(one)
	}
	if gone.Session && (err != nil || gone.Token != token) {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = at(gone).Logout(late) // else it ends by itself, 12 hours after its last use
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(o.out, "signed in to %s as %s (context %s)\n", clean.Line(address), clean.Line(me.Called()), clean.Line(one.Name))
	return nil
}

// at is a client of a context's service.
func at(one contexts.Context) *client.Client {
	return &client.Client{URL: one.URL, Token: one.Token, HTTP: &http.Client{Timeout: 30 * time.Second}}
}

// keep makes a context the current one, and returns the one of its name that it
// replaced; with an error, the one that was not kept.
func keep(one contexts.Context) (gone contexts.Context, err error) {
	saved, err := contexts.Read(contexts.Path())
	if err != nil {
		return one, err
	}
	for _, old := range saved.All {
		if old.Name == one.Name {
			gone = old
		}
	}
	saved.Put(one)
	if err := saved.Write(contexts.Path()); err != nil {
		return one, err
	}
	return gone, nil
}

// onThisMachine says whether a host is this machine, so that nobody is on the way to it.
func onThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

type logoutCmd struct{ Context string }

func (c *logoutCmd) command() *cobra.Command {
	cmd := command(c.Run, "logout", "Forget the token of a context, and end its session.", "rollcall logout")
	contextFlag(cmd, &c.Context, "The `NAME` of the context; default the current one.")
	return cmd
}

// Run removes a context, and ends its session at the service.
func (c *logoutCmd) Run(ctx context.Context, o *output) error {
	saved, err := contexts.Read(contexts.Path())
	if err != nil {
		return err
	}
	gone, err := saved.Find(c.Context)
	if err != nil {
		return err
	}
	if gone.Name == "" {
		return &workflows.Problem{Message: "you are not signed in", Hint: "see rollcall login"}
	}
	saved.Remove(gone.Name)
	if err := saved.Write(contexts.Path()); err != nil {
		return err
	}
	if gone.Session {
		if err := at(gone).Logout(ctx); err != nil {
			fmt.Fprintf(o.err, "the token is forgotten here, and its session could not be ended: %s\nit ends by itself 12 hours after its last use; the console lists your sessions\n", clean.Line(err.Error()))
		}
	}
	fmt.Fprintf(o.out, "signed out of %s (context %s)\n", clean.Line(gone.URL), clean.Line(gone.Name))
	return nil
}

// contextFlag adds --context, completed by what is kept.
func contextFlag(cmd *cobra.Command, to *string, usage string) {
	cmd.Flags().StringVar(to, "context", "", usage)
	must(cmd.RegisterFlagCompletionFunc("context", offer(savedContexts)))
}

// savedContexts are their names, each with its address.
func savedContexts(context.Context, []string) (all []string) {
	saved, _ := contexts.Read(contexts.Path()) // a file that cannot be read has no names
	for _, one := range saved.All {
		all = append(all, candidate(one.Name, one.URL))
	}
	return all
}

type whoamiCmd struct{ service }

func (c *whoamiCmd) command() *cobra.Command {
	cmd := command(c.Run, "whoami", "Show who you are to the service.", "rollcall whoami")
	c.service.flags(cmd)
	return cmd
}

// Run asks the service.
func (c *whoamiCmd) Run(ctx context.Context, o *output) error {
	me, err := c.client().WhoAmI(ctx)
	return c.show(o, me, err, func() []string { return []string{me.ID} }, func(p client.Printer) { p.Line(me.Called() + " at " + c.client().URL) })
}
