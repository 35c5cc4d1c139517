package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

type auditCmd struct{}

func (auditCmd) command() *cobra.Command {
	return parent(&cobra.Command{Use: "audit COMMAND", Short: "Show, export and verify the record.", Example: "rollcall audit show webshop#42"}, new(auditShowCmd), new(auditExportCmd), new(auditVerifyCmd))
}

type auditShowCmd struct {
	service
	Name string
}

func (c *auditShowCmd) command() *cobra.Command {
	cmd := command(c.Run, "show", "Show what the record says of an execution: what ran, who approved it, by which rule.",
		"rollcall audit show webshop#42\nrollcall audit show 72b00e6\nrollcall audit show webshop@2026-03-02T12:00:00Z",
		one(c.refers(&c.Name, nil), "NAME", "webshop#42, an ID or its end, a commit (7 or more characters), a tag, a ticket, or webshop@2026-03-02T12:00:00Z: what ran then.").from(c.executions))
	cmd.Long = "Of several executions with that commit, tag or ticket the newest is shown. Needs the right audit."
	c.service.flags(cmd)
	return cmd
}

// Run shows the trail of an execution.
func (c *auditShowCmd) Run(ctx context.Context, o *output) error {
	t, err := c.client().Trail(ctx, c.Name)
	return c.show(o, t, err, func() []string { return []string{t.Execution} }, func(p client.Printer) { p.Trail(&t) })
}

type auditExportCmd struct {
	service
	What, Format, After, Config string
}

func (c *auditExportCmd) command() *cobra.Command {
	cmd := command(c.Run, "export", "Write the record as JSON lines or CSV.", "rollcall audit export > record.jsonl\nrollcall audit export webshop --after 2026-03-01 --format csv > march.csv",
		one(c.refers(&c.What, nil), "WHAT", "Only one pipeline, or one execution.").orNone().from(c.either))
	cmd.Long = "One line is one record: all that one decision did. Needs the right audit."
	f := cmd.Flags()
	f.Var(oneOf(&c.Format, "jsonl", "jsonl", "csv"), "format", "The `FORMAT`: jsonl, which can be verified, or csv.")
	f.StringVar(&c.After, "after", "", "Only what comes after a `TIME` (2026-03-02, or RFC 3339) or a record (webshop@42).")
	f.StringVar(&c.Config, "config", "", "The configuration `FILE` of a service that does not run; without it the running one is asked.")
	c.service.flags(cmd)
	return cmd
}

// Run writes the record.
func (c *auditExportCmd) Run(ctx context.Context, o *output) (err error) {
	out := bufio.NewWriter(o.out)
	defer func() { err = errors.Join(err, out.Flush()) }()
	write := func(text []byte) error {
		_, err := out.Write(text)
		return err
	}
	if c.Format == "csv" {
		var rows audit.Table
		table := csv.NewWriter(out)
		defer table.Flush()
		if err := table.Write(rows.Columns()); err != nil {
			return err
		}
		write = func(text []byte) error {
			var l audit.Line
			if err := json.Unmarshal(text, &l); err != nil {
				return fmt.Errorf("read the record: %w", err)
			}
			row, err := rows.Row(&l)
			if err != nil {
				return err
			}
			return table.Write(row)
		}
	}
	if c.Config == "" {
		return c.client().Records(ctx, c.query(), write)
	}
	if c.What != "" || c.After != "" {
		return &exit{2, "with --config all of the record is written: leave --after and the name out"}
	}
	return storedRecords(ctx, c.Config, o, func(r *record.Stored) error {
		l := audit.LineOf(r)
		text, err := l.Text()
		if err != nil {
			return err
		}
		return write(text)
	}, func(record.Head) {})
}

func (c *auditExportCmd) query() client.RecordQuery {
	q := client.RecordQuery{After: c.After}
	if looksLikeExecution(c.What) {
		q.Execution = c.What
	} else {
		q.Pipeline = c.What
	}
	return q
}

// storedRecords reads the record of a data folder that no service uses, and then how its chains end.
func storedRecords(ctx context.Context, config string, o *output, visit func(*record.Stored) error, end func(record.Head)) (err error) {
	_, db, err := openDataDir(config, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for after := uint64(0); ; {
		page, err := db.Records(ctx, after, 0)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			after = page[i].Feed
			if err := visit(&page[i]); err != nil {
				return err
			}
		}
	}
	ends, err := db.Pipelines(ctx)
	for _, h := range ends {
		end(h)
	}
	return err
}

type auditVerifyCmd struct {
	service
	File, Anchors, Config, Pipeline string
	Partial                         bool
}

func (c *auditVerifyCmd) command() *cobra.Command {
	cmd := command(c.Run, "verify", "Prove that nothing in the record was changed or cut off.", "rollcall audit verify\nrollcall audit verify record.jsonl --anchors rollcall.log",
		one(&c.File, "FILE", "An exported copy (- is stdin); without it the running service's record.").orNone())
	cmd.Long = "Recomputes every hash and every pipeline's chain, and names the first record that does not fit. Only anchors prove that the end was not cut off. Needs the right audit."
	f := cmd.Flags()
	f.StringVar(&c.Anchors, "anchors", "", "A log `FILE` of the service, or JSON of message metadata: nothing up to its anchors may be changed or missing.")
	f.StringVar(&c.Config, "config", "", "The configuration `FILE` of a service that does not run.")
	f.StringVar(&c.Pipeline, "pipeline", "", "Only the record of this `PIPELINE`; the copy was made of it alone.")
	f.BoolVar(&c.Partial, "partial", false, "The copy is a part of the record, made with --after.")
	must(cmd.RegisterFlagCompletionFunc("pipeline", offer(c.pipelines)))
	c.service.flags(cmd)
	return cmd
}

// Run verifies a copy, a data folder, or what the service answers.
func (c *auditVerifyCmd) Run(ctx context.Context, o *output) error {
	e := audit.Expect{Partial: c.Partial, Pipeline: c.Pipeline}
	if c.File != "" && c.Config != "" {
		return &exit{2, "name a copy, or with --config a data folder, not both"}
	}
	if c.Anchors != "" {
		text, err := os.ReadFile(c.Anchors)
		if err != nil {
			return fmt.Errorf("read the anchors: %w", err)
		}
		if e.Anchors, err = audit.Anchors(text); err != nil {
			return fmt.Errorf("%s: %w", c.Anchors, err)
		}
	}
	v := audit.NewVerifier(store.ReadRecord, e)
	what, err := c.read(ctx, o, v)
	if err != nil {
		return err
	}
	r := v.Report()
	if c.File != "" && r.Records == 0 && len(r.Faults) == 0 {
		r.Faults = []string{"there is no record in it"}
	}
	return c.print(o, what, &r)
}

// read gives the verifier all there is, and says what that was.
func (c *auditVerifyCmd) read(ctx context.Context, o *output, v *audit.Verifier) (what string, err error) {
	line := func(text []byte) error {
		v.Line(text)
		return nil
	}
	switch {
	case c.Config != "":
		return c.Config, storedRecords(ctx, c.Config, o, func(r *record.Stored) error {
			v.Record(*r)
			return nil
		}, v.End)
	case c.File == "":
		return "the record of " + c.client().URL, c.client().Records(ctx, client.RecordQuery{Pipeline: c.Pipeline}, line)
	}
	in := os.Stdin
	if c.File != "-" {
		if in, err = os.Open(c.File); err != nil {
			return "", err
		}
		defer in.Close()
	}
	return c.File, client.Lines(in, func(text []byte) error { return errors.Join(line(text), ctx.Err()) })
}

func (c *auditVerifyCmd) print(o *output, what string, r *audit.Report) error {
	if c.structured() {
		if err := c.printValue(o.out, r); err != nil {
			return err
		}
		if len(r.Faults) > 0 {
			return errReported
		}
		return nil
	}
	for _, f := range r.Faults {
		fmt.Fprintln(o.out, clean.Line(f))
	}
	if len(r.Faults) > 0 {
		fmt.Fprintf(o.err, "rollcall: %s does not verify: %s\n  keep it as it is, and compare it with a backup or an export from before; everything in front of the record named is proven, nothing behind it\n", clean.Line(what), clean.Line(r.Faults[0]))
		return errReported
	}
	fmt.Fprintf(o.out, "ok %s: %s of %s, each continues the one before it\n", clean.Line(what), words.Count(r.Records, "record"), words.Count(r.Pipelines, "pipeline"))
	if r.Before > 0 {
		fmt.Fprintf(o.out, "%s from before this part: not compared\n", words.Count(r.Before, "anchor"))
	}
	if r.Anchors == 0 {
		fmt.Fprintln(o.err, "rollcall: compared with no anchor, this does not prove that the end was not cut off\n  give --anchors: a log of the service, or the metadata of its messages")
		return nil
	}
	fmt.Fprintf(o.out, "%s: nothing up to there was changed or is missing; the newest is %s record %d", words.Count(r.Anchors, "anchor"), clean.Line(r.Newest.Pipeline), r.Newest.Record)
	if !r.Newest.At.IsZero() {
		fmt.Fprintf(o.out, " of %s", r.Newest.At.UTC().Format("2006-01-02T15:04:05Z"))
	}
	fmt.Fprintln(o.out)
	return nil
}
