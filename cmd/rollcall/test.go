package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/rehearsal"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

type testCmd struct {
	Paths   []string
	Only    string
	Verbose bool
}

func (c *testCmd) command() *cobra.Command {
	cmd := command(c.Run, "test", "Run the tests of pipelines.", "rollcall test pipelines", several(&c.Paths, "PATH", "Test files (NAME.test.yaml), or folders that contain some; default this folder.").orNone())
	cmd.Flags().StringVar(&c.Only, "run", "", "Only tests whose name matches this `REGEX`.")
	cmd.Flags().BoolVarP(&c.Verbose, "verbose", "v", false, "Print what happens in every test.")
	return cmd
}

// tally counts what became of tests.
type tally struct{ passed, failed int }

// Run plays the tests of all files; it fails when any test does, and when there is none.
func (c *testCmd) Run(_ context.Context, o *output) error {
	if len(c.Paths) == 0 {
		c.Paths = []string{"."}
	}
	only, err := regexp.Compile(c.Only)
	if err != nil {
		return fmt.Errorf("--run is no regular expression: %w", err)
	}
	files, err := testFiles(c.Paths)
	if err != nil {
		return err
	}
	began := time.Now()
	var all tally
	for _, file := range files {
		if err := c.file(o, file, only, &all); err != nil {
			return err
		}
	}
	if all.passed+all.failed == 0 && len(files) > 0 {
		return fmt.Errorf("no test in %s matches %s", strings.Join(c.Paths, ", "), c.Only)
	}
	if len(files) == 0 {
		return fmt.Errorf("there are no tests in %s; a test file is named like webshop.test.yaml", strings.Join(c.Paths, ", "))
	}
	fmt.Fprintf(o.out, "%d passed, %d failed, %s, %s\n", all.passed, all.failed, words.Count(len(files), "file"), milliseconds(time.Since(began)))
	if all.failed > 0 {
		return errReported
	}
	return nil
}

// file plays the tests of one file. A file with faults counts as one test that failed.
func (c *testCmd) file(o *output, file string, only *regexp.Regexp, all *tally) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read a test file: %w", err)
	}
	read, faults := rehearsal.Read(filepath.ToSlash(file), data, func(name string) ([]byte, error) { return os.ReadFile(filepath.FromSlash(name)) })
	if len(faults) > 0 {
		all.failed++
		fmt.Fprintf(o.out, "FAIL  %s\n", file)
		for _, f := range faults {
			fmt.Fprintf(o.out, "      %s\n", clean.Text(f.String()))
		}
		return nil
	}
	for _, t := range read.Tests {
		if !only.MatchString(t.Name) {
			continue
		}
		began := time.Now()
		result := t.Play()
		took := milliseconds(time.Since(began))
		word := "ok  "
		if all.passed++; len(result.Faults) > 0 {
			all.passed--
			all.failed++
			word = "FAIL"
		}
		fmt.Fprintf(o.out, "%s  %s: %s (%s)\n", word, file, clean.Line(t.Name), took)
		for _, f := range result.Faults {
			fmt.Fprintf(o.out, "      %s\n", clean.Text(f.String()))
		}
		if c.Verbose || len(result.Faults) > 0 {
			fmt.Fprintf(o.out, "      what happened:\n")
			for _, line := range result.Trace {
				fmt.Fprintf(o.out, "      %s\n", clean.Text(line))
			}
		}
	}
	return nil
}

// testFiles finds the test files in folders, in the order of their names.
func testFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("look for tests: %w", err)
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && name != path && strings.HasPrefix(e.Name(), "."):
				return filepath.SkipDir
			case !e.IsDir() && (strings.HasSuffix(name, ".test.yaml") || strings.HasSuffix(name, ".test.yml")):
				files = append(files, name)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look for tests: %w", err)
		}
	}
	return files, nil
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
