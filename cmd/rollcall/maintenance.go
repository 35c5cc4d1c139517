package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/app"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/datadir"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// configFlag adds --config.
func configFlag(f *pflag.FlagSet, to *string, usage string) {
	f.StringVar(to, "config", "rollcall.yaml", usage)
}

// loadConfig reads a configuration; what is wrong with it has been told then.
func loadConfig(file string, o *output) (*config.Config, error) {
	c, err := config.Load(file)
	if err != nil {
		return nil, absent(faulty(file, err, o))
	}
	return c, nil
}

// absent says of a configuration that is not there what to do.
func absent(err error) error {
	var file *fs.PathError
	if !errors.As(err, &file) || !errors.Is(file, fs.ErrNotExist) {
		return err
	}
	return &workflows.Problem{Message: fmt.Sprintf("read the configuration: open %s: no such file or directory", file.Path), Hint: "name the file with --config; rollcall init writes a first one"}
}

// faulty tells what is wrong with a configuration.
func faulty(file string, err error, o *output) error {
	var faults config.Problems
	if errors.As(err, &faults) {
		fmt.Fprintf(o.err, "rollcall: %s cannot be used, nothing was started\n%s\n", file, faults)
		return errReported
	}
	return err
}

// openDataDir opens the store of a configuration's data folder, which no service may use meanwhile.
func openDataDir(file string, o *output) (c *config.Config, db *store.DB, err error) {
	c, err = loadConfig(file, o)
	if err != nil {
		return nil, nil, err
	}
	db, err = datadir.Open(c.DataDir)
	return c, db, err
}

type checkCmd struct {
	Config string
}

func (c *checkCmd) command() *cobra.Command {
	cmd := command(c.Run, "check", "Verify a data folder.", "rollcall check --config rollcall.yaml")
	configFlag(cmd.Flags(), &c.Config, "The configuration `FILE` of a service that does not run.")
	return cmd
}

// Run says whether everything in the data folder is whole.
func (c *checkCmd) Run(ctx context.Context, o *output) (err error) {
	conf, db, err := openDataDir(c.Config, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	dir := conf.DataDir
	faults, err := datadir.Check(ctx, dir, db, elsewhere(ctx, conf, o))
	if err != nil {
		return err
	}
	for _, f := range faults {
		fmt.Fprintln(o.out, clean.Line(f.What))
	}
	if slices.ContainsFunc(faults, datadir.Fault.Wrong) {
		fmt.Fprintf(o.err, "rollcall: %s is not as it should be\n", dir)
		explain(o, faults)
		return errReported
	}
	explain(o, faults)
	fmt.Fprintf(o.out, "ok %s: rows, indexes, the chain of the log, states, artifacts\n", dir)
	return nil
}

// looking is how long a bucket may take to say what it has.
const looking = 5 * time.Minute

// elsewhere is what is kept besides the data folder. What cannot be asked is said, and
// nothing is wrong by it: the folder may be looked at where AWS cannot be reached.
func elsewhere(ctx context.Context, c *config.Config, o *output) datadir.Elsewhere {
	kept := app.Artifacts(c)
	if kept == nil {
		return datadir.Elsewhere{}
	}
	ctx, cancel := context.WithTimeout(ctx, looking)
	defer cancel()
	all, err := kept.List(ctx)
	if err != nil {
		fmt.Fprintln(o.err, "rollcall: the artifacts in s3://"+c.AWS.Artifacts.Bucket+" were not looked at: "+clean.Line(err.Error()))
		return datadir.Elsewhere{}
	}
	e := datadir.Elsewhere{At: time.Now(), All: all}
	for _, s := range c.PipelinePolicy().Stores {
		e.Below = append(e.Below, "s3://"+path.Join(s.Bucket, s.Prefix)+"/")
	}
	return e
}

// explain says once of each kind of fault what it means and what to do.
func explain(o *output, faults []datadir.Fault) {
	said := map[string]bool{}
	for _, f := range faults {
		if said[f.Kind] {
			continue
		}
		said[f.Kind] = true
		means, do := f.Explain()
		fmt.Fprintf(o.err, "%s: %s.\n  What to do: %s.\n", f.Kind, means, do)
	}
}

type backupCmd struct {
	service
	File, Config string
}

func (c *backupCmd) command() *cobra.Command {
	cmd := command(c.Run, "backup", "Back up the data of a running or stopped service.", "rollcall backup rollcall.tar", one(&c.File, "FILE", "Where to write the backup; an existing file is not overwritten."))
	cmd.Flags().StringVar(&c.Config, "config", "", "The configuration `FILE` of a service that does not run; without it the running one is asked.")
	c.service.flags(cmd)
	return cmd
}

// Run writes a backup, of mode 0600: whole, or not at all. It gets its name when it is durable.
func (c *backupCmd) Run(ctx context.Context, o *output) (err error) {
	if _, err := os.Lstat(c.File); err == nil {
		return overwrites(c.File)
	}
	f, err := os.CreateTemp(filepath.Dir(c.File), ".rollcall-backup-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	defer os.Remove(f.Name()) // half a backup is none
	err = c.write(ctx, o, f)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	// A link, unlike a rename, never replaces a file that has appeared meanwhile.
	if err := os.Link(f.Name(), c.File); errors.Is(err, fs.ErrExist) {
		return overwrites(c.File)
	} else if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	if err := datadir.SyncDir(filepath.Dir(c.File)); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	fmt.Fprintf(o.out, "written: %s\n", c.File)
	return nil
}

func overwrites(file string) error {
	return fmt.Errorf("%s is there already, and a backup is never written over a file", file)
}

func (c *backupCmd) write(ctx context.Context, o *output, w io.Writer) (err error) {
	if c.Config == "" {
		return c.client().Backup(ctx, w)
	}
	conf, db, err := openDataDir(c.Config, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return datadir.Backup(ctx, conf.DataDir, db, w)
}

type restoreCmd struct {
	File, Config string
}

func (c *restoreCmd) command() *cobra.Command {
	cmd := command(c.Run, "restore", "Restore a backup into a data folder without a database.", "rollcall restore rollcall.tar --config rollcall.yaml", one(&c.File, "FILE", "The backup, as rollcall backup wrote it."))
	configFlag(cmd.Flags(), &c.Config, "The configuration `FILE` of a service that does not run, and whose data folder has no database.")
	return cmd
}

// Run brings a backup back: verified, all of it, or nothing.
func (c *restoreCmd) Run(ctx context.Context, o *output) error {
	conf, err := loadConfig(c.Config, o)
	if err != nil {
		return err
	}
	r, err := datadir.Restore(ctx, conf.DataDir, c.File, rand.Text(), time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(o.out, "restored %s: %s as of %s\n", conf.DataDir, words.Count(r.Pipelines, "pipeline"), r.Backup.UTC().Format(time.RFC3339))
	for _, action := range r.InDoubt {
		fmt.Fprintf(o.out, "%s was under way, and whether it ran is not known: resolve it once the service runs\n", clean.Line(action))
	}
	for _, missing := range r.Missing {
		fmt.Fprintf(o.err, "rollcall: %s\n", clean.Line(missing))
	}
	if r.RunsMoved != "" {
		fmt.Fprintf(o.err, "rollcall: run folders that were there are in %s now; what still runs in them is not taken up\n", r.RunsMoved)
	}
	return nil
}
