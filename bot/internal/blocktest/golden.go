package blocktest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// Golden compares every drawing with its files of testdata, NAME.json and
// NAME.txt, or writes them with -update. A file that is of no drawing is a fault.
func Golden(t *testing.T, gallery []Drawing) {
	known := map[string]bool{}
	for _, d := range gallery {
		d = d.Named(Nobody)
		known[d.Name+".json"], known[d.Name+".txt"] = true, true
		t.Run(d.Name, func(t *testing.T) {
			golden(t, d.Name+".json", asJSON(t, d))
			golden(t, d.Name+".txt", []byte(d.String()))
		})
	}
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !known[filepath.Base(f)] {
			t.Errorf("%s is of no drawing", f)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is drawn differently; look at it, then run with -update:\n%s", name, got)
	}
}

func asJSON(t *testing.T, d Drawing) []byte {
	t.Helper()
	var v any = d.Form
	if d.Message != nil {
		v = map[string]any{"text": d.Message.Text, "blocks": d.Message.Blocks}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// String is a drawing as a person might see it, for reading a change.
func (d Drawing) String() string {
	d = d.Named(Nobody)
	var b strings.Builder
	if d.Form != nil {
		if d.Form.Title != nil {
			fmt.Fprintf(&b, "╔ %s\n", d.Form.Title.Text)
		}
	} else {
		fmt.Fprintf(&b, "(text: %s)\n", d.Message.Text)
	}
	for _, block := range d.Blocks() {
		renderBlock(&b, block)
	}
	if d.Form != nil && d.Form.Submit != nil {
		fmt.Fprintf(&b, "╚ [%s]\n", d.Form.Submit.Text)
	}
	return b.String()
}

func renderBlock(b *strings.Builder, block slack.Block) {
	switch x := block.(type) {
	case *slack.HeaderBlock:
		fmt.Fprintf(b, "# %s\n", x.Text.Text)
	case *slack.SectionBlock:
		fmt.Fprintf(b, "%s\n", x.Text.Text)
	case *slack.ContextBlock:
		for _, e := range x.ContextElements.Elements {
			fmt.Fprintf(b, "    (%s)\n", e.(*slack.TextBlockObject).Text)
		}
	case *slack.ActionBlock:
		for _, e := range x.Elements.ElementSet {
			if menu, ok := e.(*slack.SelectBlockElement); ok {
				fmt.Fprintf(b, "  {%s} %s %s\n", menu.Placeholder.Text, menu.ActionID, menu.Type)
				continue
			}
			if menu, ok := e.(*slack.OverflowBlockElement); ok {
				for _, o := range menu.Options {
					fmt.Fprintf(b, "  [⋯ %s] %s %s\n", o.Text.Text, menu.ActionID, o.Value)
				}
				continue
			}
			button := e.(*slack.ButtonBlockElement)
			fmt.Fprintf(b, "  [%s] %s %s\n", button.Text.Text, button.ActionID, button.Style)
			if c := button.Confirm; c != nil {
				fmt.Fprintf(b, "      ? %s — %s [%s]\n", c.Title.Text, c.Text.Text, c.Confirm.Text)
			}
		}
	case *slack.InputBlock:
		renderInput(b, x)
	case *layout.Either:
		fmt.Fprintf(b, "[%s]\n", x.BlockType())
		for _, one := range x.Plain {
			renderBlock(b, one)
		}
	default:
		fmt.Fprintf(b, "--- %s\n", block.BlockType())
	}
}

func renderInput(b *strings.Builder, x *slack.InputBlock) {
	optional := ""
	if x.Optional {
		optional = " (optional)"
	}
	fmt.Fprintf(b, "%s%s: {%s}\n", x.Label.Text, optional, x.BlockID)
	if x.Hint != nil && x.BlockID == "target" {
		fmt.Fprintf(b, "    (%s)\n", x.Hint.Text)
	}
	show := func(options []*slack.OptionBlockObject, initial *slack.OptionBlockObject) {
		for _, o := range options {
			mark := " "
			if initial != nil && initial.Value == o.Value {
				mark = "*"
			}
			description := ""
			if o.Description != nil {
				description = " — " + o.Description.Text
			}
			fmt.Fprintf(b, "  (%s) %s%s\n", mark, o.Text.Text, description)
		}
	}
	switch el := x.Element.(type) {
	case *slack.PlainTextInputBlockElement:
		fmt.Fprintf(b, "  |%s|\n", el.InitialValue)
	case *slack.SelectBlockElement:
		show(el.Options, el.InitialOption)
		for _, g := range el.OptionGroups {
			fmt.Fprintf(b, "  %s\n", g.Label.Text)
			show(g.Options, el.InitialOption)
		}
	case *slack.RadioButtonsBlockElement:
		show(el.Options, el.InitialOption)
	case *slack.CheckboxGroupsBlockElement:
		var ticked *slack.OptionBlockObject
		if len(el.InitialOptions) > 0 {
			ticked = el.InitialOptions[0]
		}
		show(el.Options, ticked)
	}
}
