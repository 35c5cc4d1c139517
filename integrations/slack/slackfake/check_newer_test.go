package slackfake_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// many repeats a piece of JSON, with a number in it where it has a %d.
func many(n int, piece string) string {
	var all []string
	for i := range n {
		if strings.Contains(piece, "%d") {
			all = append(all, fmt.Sprintf(piece, i))
		} else {
			all = append(all, piece)
		}
	}
	return strings.Join(all, ",")
}

func TestCheckKnowsTheNewerKinds(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	table := func(rest, rows string) string {
		return `[{"type":"data_table","caption":"C"` + rest + `,"rows":[` + rows + `]}]`
	}
	const head, cell = `[{"type":"raw_text","text":"A"},{"type":"raw_text","text":"B"}]`, `{"type":"raw_text","text":"a"}`
	action := func(rest string) string {
		return `{"type":"action_cell","element":{"type":"button","action_id":"a","text":{"type":"plain_text","text":"Go"}}` + rest + `}`
	}
	chart := func(title, chart string) string {
		return `{"type":"data_visualization","title":"` + title + `","chart":` + chart + `}`
	}
	series := func(name, categories, points string) string {
		return `{"type":"bar","axis_config":{"categories":[` + categories + `]},"series":[{"name":"` + name + `","data":[` + points + `]}]}`
	}
	const point = `{"label":"1","value":1}`
	box := func(rest, children string) string {
		return `[{"type":"container","title":{"type":"plain_text","text":"T"}` + rest + `,"child_blocks":[` + children + `]}]`
	}
	const line, divider = `{"type":"section","text":{"type":"mrkdwn","text":"x"}}`, `{"type":"divider"}`
	layout := func(inner string) string {
		return `{"type":"layout","label":"L","rows":[{"items":[{"block":` + inner + `}]}]}`
	}
	task := func(status string) string {
		return `{"type":"task_card","task_id":"1","title":"Build","status":"` + status + `"}`
	}
	for name, c := range map[string]struct{ blocks, path string }{
		"an alert in a message": {`[{"type":"alert","text":{"type":"mrkdwn","text":"x"}}]`, "/blocks/0/type"},
		"header of level 4":     {`[{"type":"header","level":4,"text":{"type":"plain_text","text":"x"}}]`, ""},
		"header of level 5":     {`[{"type":"header","level":5,"text":{"type":"plain_text","text":"x"}}]`, "/blocks/0/level"},

		"a table":                      {table(`,"page_size":100`, head+`,[`+cell+`,`+action(`,"fallback":`+cell)+`]`), ""},
		"a table of numbers":           {table(``, head+`,[{"type":"raw_number","value":3},{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[]}]}]`), ""},
		"a table without a caption":    {`[{"type":"data_table","rows":[` + head + `]}]`, "/blocks/0/caption"},
		"a table with an empty one":    {`[{"type":"data_table","caption":"","rows":[` + head + `]}]`, "/blocks/0/caption"},
		"a table without rows":         {table(``, ``), "/blocks/0/rows"},
		"a table of 102 rows":          {table(``, many(102, `[`+cell+`]`)), "/blocks/0/rows"},
		"a table of 21 columns":        {table(``, `[`+many(21, cell)+`]`), "/blocks/0/rows/0"},
		"a header that is a number":    {table(``, `[{"type":"raw_number","value":1}]`), "/blocks/0/rows/0/0/type"},
		"a page of none":               {table(`,"page_size":0`, head), "/blocks/0/page_size"},
		"a page of 101":                {table(`,"page_size":101`, head), "/blocks/0/page_size"},
		"a row that is short":          {table(``, head+`,[`+cell+`]`), "/blocks/0/rows/1"},
		"an action without a button":   {table(``, head+`,[`+cell+`,{"type":"action_cell","element":{"type":"overflow"}}]`), "/blocks/0/rows/1/1/element"},
		"an action that falls back":    {table(``, head+`,[`+cell+`,`+action(`,"fallback":{"type":"rich_text"}`)+`]`), "/blocks/0/rows/1/1/fallback/type"},
		"a long text in an action":     {table(``, head+`,[`+cell+`,`+strings.Replace(action(``), "Go", x(76), 1)+`]`), "/blocks/0/rows/1/1/element/text/text"},
		"a number that is none":        {table(``, head+`,[`+cell+`,{"type":"raw_number","value":"1"}]`), "/blocks/0/rows/1/1/value"},
		"a cell of another kind":       {table(``, head+`,[`+cell+`,{"type":"image"}]`), "/blocks/0/rows/1/1/type"},
		"row headers in no column":     {table(`,"row_header_column_index":2`, head), "/blocks/0/row_header_column_index"},
		"too much text in a table":     {table(``, head+`,`+many(7, `[{"type":"raw_text","text":"`+x(1000)+`"},{"type":"raw_text","text":"`+x(1000)+`"}]`)), "/blocks"},
		"a caption that is an object":  {`[{"type":"data_table","caption":{"text":"C"},"rows":[` + head + `]}]`, "/blocks/0/caption"},
		"a chart":                      {`[` + chart("T", series("S", `"1"`, point)) + `,` + chart("T", `{"type":"pie","segments":[{"label":"a","value":1}]}`) + `]`, ""},
		"three charts":                 {`[` + many(3, chart("T", series("S", `"1"`, point))) + `]`, "/blocks"},
		"a long title":                 {`[` + chart(x(51), series("S", `"1"`, point)) + `]`, "/blocks/0/title"},
		"a long name":                  {`[` + chart("T", series(x(21), `"1"`, point)) + `]`, "/blocks/0/chart/series/0/name"},
		"a pie with nothing":           {`[` + chart("T", `{"type":"pie","segments":[{"label":"a","value":0}]}`) + `]`, "/blocks/0/chart/segments/0/value"},
		"7 segments":                   {`[` + chart("T", `{"type":"pie","segments":[`+many(7, `{"label":"a%d","value":1}`)+`]}`) + `]`, "/blocks/0/chart/segments"},
		"a chart of another kind":      {`[` + chart("T", `{"type":"radar"}`) + `]`, "/blocks/0/chart/type"},
		"a point in no category":       {`[` + chart("T", series("S", `"2"`, point)) + `]`, "/blocks/0/chart/series/0/data/0/label"},
		"fewer points than categories": {`[` + chart("T", series("S", `"1","2"`, point)) + `]`, "/blocks/0/chart/series/0/data"},
		"a category twice":             {`[` + chart("T", series("S", `"1","1"`, point)) + `]`, "/blocks/0/chart/axis_config/categories/1"},

		"a container":                         {box(`,"is_collapsible":true,"default_collapsed":true`, line+`,`+divider), ""},
		"a container without a title":         {`[{"type":"container","child_blocks":[` + divider + `]}]`, "/blocks/0/title"},
		"an empty container":                  {box(``, ``), "/blocks/0/child_blocks"},
		"11 children":                         {box(``, many(11, divider)), "/blocks/0/child_blocks"},
		"a table of data in a container":      {box(``, `{"type":"data_table"}`), "/blocks/0/child_blocks/0/type"},
		"a container in a container":          {box(``, `{"type":"container"}`), "/blocks/0/child_blocks/0/type"},
		"a layout in a container":             {box(``, layout(line)), ""},
		"a container in a layout in one":      {box(``, layout(`{"type":"container","title":{"type":"plain_text","text":"T"},"child_blocks":[`+divider+`]}`)), "/blocks/0/child_blocks/0/rows/0/items/0/block"},
		"a child that is wrong":               {box(``, `{"type":"section"}`), "/blocks/0/child_blocks/0"},
		"the ID of a child twice":             {box(`,"block_id":"a"`, `{"type":"divider","block_id":"a"}`), "/blocks/0/child_blocks/0/block_id"},
		"a border in a collapsible one":       {box(`,"is_collapsible":true,"has_header_divider":true`, line), "/blocks/0/has_header_divider"},
		"a collapsed one that cannot be":      {box(`,"default_collapsed":true`, line), "/blocks/0/default_collapsed"},
		"a long subtitle":                     {box(`,"subtitle":{"type":"mrkdwn","text":"`+x(151)+`"}`, line), "/blocks/0/subtitle/text"},
		"a layout of 6 rows":                  {`[{"type":"layout","label":"L","rows":[` + many(6, `{"items":[{"block":`+divider+`}]}`) + `]}]`, "/blocks/0/rows"},
		"a plan":                              {`[{"type":"plan","title":"P","tasks":[` + task("complete") + `,` + task("in_progress") + `]}]`, ""},
		"task cards":                          {`[` + task("pending") + `,` + task("error") + `]`, ""},
		"a task that is completed":            {`[` + task("completed") + `]`, "/blocks/0/status"},
		"a plan beside a task card":           {`[{"type":"plan","title":"P"},` + task("pending") + `]`, "/blocks"},
		"a plan without a title":              {`[{"type":"plan"}]`, "/blocks/0/title"},
		"a task without an ID":                {`[{"type":"plan","title":"P","tasks":[{"type":"task_card","title":"x"}]}]`, "/blocks/0/tasks/0/task_id"},
		"a long body of a card":               {`[{"type":"card","body":{"type":"mrkdwn","text":"` + x(201) + `"}}]`, "/blocks/0/body/text"},
		"a carousel of 11":                    {`[{"type":"carousel","elements":[` + many(11, `{"type":"card"}`) + `]}]`, "/blocks/0/elements"},
		"too much text inside of a container": {box(``, many(5, strings.Replace(line, `"x"`, `"`+x(2900)+`"`, 1))), "/blocks"},
	} {
		t.Run(name, func(t *testing.T) {
			if !json.Valid([]byte(c.blocks)) {
				t.Fatal("the test's blocks are no JSON")
			}
			got := slackfake.Check([]byte(c.blocks))
			if c.path == "" && len(got) > 0 || c.path != "" && (len(got) != 1 || got[0].Path != c.path) {
				t.Errorf("found %v, want one at %q", got, c.path)
			}
		})
	}
}

func TestAnAlertIsForForms(t *testing.T) {
	view := func(kind, level string) string {
		return `{"type":"` + kind + `","title":{"type":"plain_text","text":"T"},"blocks":[{"type":"alert","level":"` + level + `","text":{"type":"mrkdwn","text":"x"}}]}`
	}
	if got := slackfake.CheckView([]byte(view("modal", "warning"))); len(got) > 0 {
		t.Error(got)
	}
	if got := slackfake.CheckView([]byte(view("modal", "danger"))); len(got) != 1 || got[0].Path != "/view/blocks/0/level" {
		t.Error(got)
	}
	if got := slackfake.CheckView([]byte(view("home", "warning"))); len(got) != 1 || got[0].Path != "/view/blocks/0/type" {
		t.Error(got)
	}
}

// Refusals come as Slack's: the code, and where in response_metadata.messages.
func TestRefusalsNameThePlace(t *testing.T) {
	o := open(t)
	refused := func(blocks ...slack.Block) slack.SlackErrorResponse {
		t.Helper()
		_, _, err := o.api.PostMessage("#deploys", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(blocks...))
		var e slack.SlackErrorResponse
		if !errors.As(err, &e) {
			t.Fatalf("it was posted, or: %v", err)
		}
		return e
	}
	e := refused(section("x"), slack.NewAlertBlock(slack.NewTextBlockObject(slack.MarkdownType, "x", false, false)))
	if e.Err != "invalid_blocks" || len(e.ResponseMetadata.Messages) != 1 || e.ResponseMetadata.Messages[0] != "[ERROR] unsupported type: alert [json-pointer:/blocks/1/type]" {
		t.Errorf("%+v", e)
	}
	long := strings.Repeat("x", 2900)
	if e := refused(section(long), section(long), section(long), section(long), section(long)); e.Err != "msg_blocks_too_long" {
		t.Errorf("%+v", e)
	}
	o.RefuseBlocks("divider")
	if e := refused(slack.NewDividerBlock()); e.Err != "invalid_blocks" || !strings.Contains(e.ResponseMetadata.Messages[0], "divider") {
		t.Errorf("%+v", e)
	}
	o.RefuseBlocks()
	if _, _, err := o.api.PostMessage("#deploys", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(slack.NewDividerBlock())); err != nil {
		t.Error(err)
	}
}

// Buttons in a table and in a container are pressed as any others.
func TestButtonsInsideOfTablesAndContainers(t *testing.T) {
	o := open(t)
	button := func(id string) *slack.ButtonBlockElement {
		return slack.NewButtonBlockElement(id, "v-"+id, slack.NewTextBlockObject(slack.PlainTextType, "Go", false, false))
	}
	table := slack.NewDataTableBlock("Targets").AddRow(slack.NewDataTableRawTextCell("Execution"), slack.NewDataTableRawTextCell("Act")).
		AddRow(slack.NewDataTableRawTextCell("#41"), slack.NewDataTableActionCell(button("rollback.1")))
	box := slack.NewContainerBlock(section("hidden"), slack.NewActionBlock("", button("more"))).WithTitle(slack.NewTextBlockObject(slack.PlainTextType, "Rest", false, false)).WithCollapsible(true, true)
	if _, _, err := o.api.PostMessage("#deploys", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(table, box)); err != nil {
		t.Fatal(err)
	}
	m := o.Messages("#deploys")[0]
	if got, want := o.Rendered(m), "table: Targets\nExecution | Act\n#41 | [Go]\n> Rest\n  hidden\n  [Go]"; got != want {
		t.Errorf("it reads\n%s\nwanted\n%s", got, want)
	}
	for _, id := range []string{"rollback.1", "more"} {
		if _, err := o.Click(t.Context(), o.ana.ID, m.At(), id); err != nil {
			t.Fatal(err)
		}
		a := (<-o.app.heard).payload(t).ActionCallback.BlockActions
		if len(a) != 1 || a[0].ActionID != id || a[0].Value != "v-"+id || a[0].BlockID == "" {
			t.Errorf("%s: the app heard %+v", id, a)
		}
	}
}
