package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"
	"golang.org/x/term"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/contexts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// defaultURL is where a service listens that is not told otherwise.
const defaultURL = "http://127.0.0.1:8484"

// service is which rollcall a client command speaks to, and how it prints.
type service struct {
	URL, Token, Context, Output, Color string
	JSON                               bool

	references []reference
}

// flags adds the flags of the connection. It comes last, as running the command
// begins with finding the service.
func (s *service) flags(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := s.place(); err != nil {
			return &failure{err}
		}
		if err := s.resolve(cmd.Context()); err != nil {
			return &failure{err}
		}
		return run(cmd, args)
	}
	group(cmd, "Connection and output", func(f *pflag.FlagSet) {
		f.StringVar(&s.URL, "url", "", "`URL` of the service ($ROLLCALL_URL; default "+defaultURL+").")
		f.StringVar(&s.Token, "token", "", "An API `TOKEN`; better in the environment ($ROLLCALL_TOKEN).")
		f.StringVar(&s.Context, "context", "", "The `NAME` of a service that you have signed in to (rollcall login); default the latest.")
		f.VarP(oneOf(&s.Output, "table", "table", "wide", "json", "yaml", "name"), "output", "o", "The `FORMAT`: table, wide, json, yaml or name.")
		f.BoolVar(&s.JSON, "json", false, "The same as -o json.")
		f.Var(oneOf(&s.Color, "auto", "auto", "always", "never"), "color", "`WHEN` to print in colour: auto, always or never; NO_COLOR is respected.")
	})
	must(cmd.RegisterFlagCompletionFunc("context", offer(savedContexts)))
}

// place is where the service is, and the token for it: by flag, else by the context
// that a flag names, else by the environment, else by the current context, else on
// this machine. A token that was kept goes only to the address it was kept for.
func (s *service) place() (contexts.Context, error) {
	at := contexts.Context{URL: s.URL, Token: s.Token}
	if s.Context == "" {
		at.URL, at.Token = cmp.Or(at.URL, os.Getenv("ROLLCALL_URL")), cmp.Or(at.Token, os.Getenv("ROLLCALL_TOKEN"))
		if at.URL != "" && at.Token != "" {
			return at, nil
		}
	}
	saved, err := contexts.Read(contexts.Path())
	if err != nil {
		return at, err
	}
	kept, err := saved.Find(s.Context)
	at.URL = cmp.Or(at.URL, kept.URL, defaultURL)
	if at.Token == "" && strings.TrimSuffix(at.URL, "/") == kept.URL {
		at.Token = kept.Token
	}
	return at, err
}

func (s *service) client() *client.Client {
	at, _ := s.place() // was found before the command began
	return &client.Client{URL: at.URL, Token: at.Token, HTTP: &http.Client{}}
}

// structured says whether a program reads what is printed.
func (s *service) structured() bool { return s.format() == "json" || s.format() == "yaml" }

func (s *service) format() string {
	if s.JSON {
		return "json"
	}
	return s.Output
}

// printer writes tables, in colour and cut to the terminal's width where there is one.
func (s *service) printer(w io.Writer) client.Printer {
	p := client.Printer{W: w, Now: time.Now(), Wide: s.format() == "wide"}
	if terminal(w) {
		p.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		p.Width = widthOf(w)
	}
	if s.Color != "auto" {
		p.Color = s.Color == "always"
	}
	return p
}

// widthOf is how many columns a terminal has; 0: it is none, or does not say.
func widthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !terminal(w) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// show prints v for machines, the names of what it lists, or the table for people.
func (s *service) show(o *output, v any, err error, names func() []string, table func(client.Printer)) error {
	if err != nil {
		return err
	}
	switch s.format() {
	case "json", "yaml":
		return s.printValue(o.out, v)
	case "name":
		for _, n := range names() {
			fmt.Fprintln(o.out, clean.Line(n))
		}
		return nil
	}
	table(s.printer(o.out))
	return nil
}

// printValue writes v as JSON, or as YAML with the same keys.
func (s *service) printValue(w io.Writer, v any) error {
	if s.format() == "yaml" {
		return printYAML(w, v)
	}
	return printJSON(w, v)
}

func printJSON(w io.Writer, v any) error {
	text, err := jsonText(v)
	if terminal(w) {
		text = spelled(text)
	}
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

func printYAML(w io.Writer, v any) error {
	text, err := jsonText(v)
	if err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("print YAML: %w", err)
	}
	blockStyle(&doc)
	out, err := yaml.Marshal(&doc)
	if err == nil {
		_, err = w.Write(out)
	}
	return err
}

// blockStyle lets the printer choose quotes and line breaks; JSON read as YAML asks for braces.
func blockStyle(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		blockStyle(c)
	}
}

// spelled writes out what JSON may hold as it is and a terminal would obey; it means the same.
func spelled(text []byte) []byte {
	var out []byte
	for _, r := range string(text) {
		if r != '\n' && clean.Steers(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

func jsonText(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return out.Bytes(), err
}

// confirm asks on a terminal whether to do it; only y does. Without a terminal
// the answer is given by flag, or taken for granted.
func confirm(ctx context.Context, o *output, in io.Reader, question string) error {
	fmt.Fprintf(o.err, "%s [y/N] ", clean.Line(question))
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(o.err) // below the question
		return &exit{exitInterrupted, "nothing was done"}
	case a := <-answer:
		if a == "y" {
			return nil
		}
	}
	return &workflows.Problem{Message: "nothing was done", Hint: "answer y to do it"}
}
