package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// misuse is wrong usage: what is wrong, and what was perhaps meant. Without a
// hint people are sent to the command's help.
type misuse struct{ sentence, hint string }

func (m *misuse) Error() string { return m.sentence }

// use is how a command is called: rollcall start PIPELINE [NAME=VALUE...].
func use(cmd *cobra.Command) string { return strings.TrimSuffix(cmd.UseLine(), " [flags]") }

// article puts a word of a command's usage into a sentence: a pipeline, an execution, NAME=VALUE.
func article(name string) string {
	if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return name
	}
	name = strings.ToLower(name)
	if strings.ContainsRune("aeio", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

// wrongFlag says what is wrong with a flag, in place of pflag.
func wrongFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &empty):
		f := empty.GetFlag()
		name, _ := pflag.UnquoteUsage(f)
		if c, ok := f.Value.(*choice); ok {
			name = words.List(c.known, "or")
		}
		return &misuse{"--" + f.Name + " needs a value", "give it as --" + f.Name + " " + name}
	case errors.As(err, &wrong):
		return wrongValue(wrong)
	}
	return err
}

// wrongValue says what a flag must be, instead of how Go reads it.
func wrongValue(err *pflag.InvalidValueError) error {
	f, given := err.GetFlag(), clean.Line(err.GetValue())
	if c, ok := f.Value.(*choice); ok {
		hint := ""
		if near, ok := words.Nearest(given, c.known); ok {
			hint = "did you mean " + near + "?"
		}
		return &misuse{fmt.Sprintf("--%s takes %s, not %q", f.Name, words.List(c.known, "or"), given), hint}
	}
	must := map[string]string{"int": "a whole number", "int64": "a whole number", "duration": "a time, such as 10m", "bool": "true or false"}[f.Value.Type()]
	if must == "" {
		return fmt.Errorf("--%s: %w", f.Name, err.Unwrap())
	}
	return &misuse{sentence: fmt.Sprintf("--%s: must be %s, not %q", f.Name, must, given)}
}

// unknownFlag says that a command has no such flag, and which one was meant.
func unknownFlag(cmd *cobra.Command, err *pflag.NotExistError) error {
	name := clean.Line(err.GetSpecifiedName())
	if err.GetSpecifiedShortnames() != "" || utf8.RuneCountInString(name) == 1 {
		return &misuse{sentence: cmd.CommandPath() + " has no flag -" + name}
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	m := &misuse{sentence: cmd.CommandPath() + " has no flag --" + name}
	if near, ok := words.Nearest(name, known); ok {
		m.hint = "did you mean --" + near + "?"
	}
	return m
}

// requires has a command refuse to run without a flag, in our words; completion knows it too.
func requires(cmd *cobra.Command, flag string) {
	must(cmd.MarkFlagRequired(flag))
	checkFirst(cmd, func() error {
		f := cmd.Flag(flag)
		if f.Changed {
			return nil
		}
		name, _ := pflag.UnquoteUsage(f)
		short := "--" + flag
		if f.Shorthand != "" {
			short = "-" + f.Shorthand
		}
		return &misuse{cmd.CommandPath() + " needs " + article(name), use(cmd) + " " + short + " " + name}
	})
}

// checkFirst has a command look at its flags before it runs, beside what it checks already.
func checkFirst(cmd *cobra.Command, check func() error) {
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if before != nil {
			if err := before(cmd, args); err != nil {
				return err
			}
		}
		return check()
	}
}
