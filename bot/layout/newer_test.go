package layout_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// takes fails the test when Slack would not take either drawing of blocks.
func takes(t *testing.T, blocks []slack.Block, view bool) {
	t.Helper()
	for name, drawn := range map[string][]slack.Block{"rich": layout.Rich(blocks), "plain": layout.Plain(blocks)} {
		var found []slackfake.Violation
		data, err := json.Marshal(drawn)
		if err != nil {
			t.Fatal(err)
		}
		if view {
			found = slackfake.CheckView([]byte(`{"type":"modal","title":{"type":"plain_text","text":"x"},"blocks":` + string(data) + `}`))
		} else {
			found = slackfake.Check(data)
		}
		for _, v := range found {
			t.Errorf("%s: %s", name, v)
		}
		if t.Failed() {
			t.Fatalf("%s", data)
		}
	}
}

func button(i int, text string) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(fmt.Sprintf("details.%d", i), "v", layout.PlainText(text))
}

// newer lays out every newer kind with that text in it, times over.
func newer(text string, times int, view bool) []slack.Block {
	l := layout.Message()
	if view {
		l = layout.View()
	}
	var lines []string
	var rows []layout.TableRow
	for i := range times {
		lines = append(lines, "· "+layout.Text(text, 500))
		rows = append(rows, layout.TableRow{Cells: []string{text, "", text}, Button: button(i, "Roll back")})
	}
	if view {
		l.Alert(slack.AlertLevelWarning, layout.Text(text, 5000))
	}
	l.Header("x")
	l.Collapsed(text, lines...)
	l.Table("A table", "Act", []string{"Execution", "Stage", "Since"}, rows)
	l.Collapsed("Log", lines...)
	l.Buttons(button(1000, "Details"))
	return l.Done("")
}

// calls is a text of mrkdwn, anywhere in blocks, that is not escaped.
func calls(v any) string {
	switch v := v.(type) {
	case map[string]any:
		if text, _ := v["text"].(string); v["type"] == "mrkdwn" && strings.ContainsAny(text, "<>") {
			return text
		}
		for _, inner := range v {
			if found := calls(inner); found != "" {
				return found
			}
		}
	case []any:
		for _, inner := range v {
			if found := calls(inner); found != "" {
				return found
			}
		}
	}
	return ""
}

// FuzzNewerKinds: both drawings stay within Slack's limits, whatever is in them.
func FuzzNewerKinds(f *testing.F) {
	f.Add("fix the <!channel> & *bold* `code`", 3)
	f.Add(strings.Repeat("é&<", 400), 400)
	f.Add("", 1)
	f.Add("\u202egnp.exe 🚀", 70)
	f.Fuzz(func(t *testing.T, text string, times int) {
		times = min(max(times, 0), 500)
		for _, view := range []bool{false, true} {
			blocks := newer(text, times, view)
			takes(t, blocks, view)
			for _, drawn := range [][]slack.Block{layout.Rich(blocks), layout.Plain(blocks)} {
				data, err := json.Marshal(drawn)
				if err != nil {
					t.Fatal(err)
				}
				var all any
				if err := json.Unmarshal(data, &all); err != nil {
					t.Fatal(err)
				}
				if called := calls(all); called != "" {
					t.Errorf("somebody is called: %s", called)
				}
			}
		}
	})
}

func TestBothDrawingsSayTheSame(t *testing.T) {
	l := layout.View()
	l.Alert(slack.AlertLevelWarning, "Goes back past a migration.")
	l.Alert(slack.AlertLevelInfo, "")
	l.Collapsed("2 commits", "· one", "· two")
	l.Collapsed("Nothing")
	l.Table("Targets", "Act", []string{"Execution", "Ran"}, []layout.TableRow{{Cells: []string{"#41 <b>", "2 h"}, Button: button(1, "Roll back")}, {Cells: []string{"#40"}}})
	l.Table("Empty", "", []string{"Execution"}, nil)
	blocks := l.Done("")
	for name, c := range map[string]struct {
		drawn []slack.Block
		want  string
	}{
		"rich": {layout.Rich(blocks), "[" +
			`{"type":"alert","text":{"type":"mrkdwn","text":"Goes back past a migration.","verbatim":true},"level":"warning"},` +
			`{"type":"container","title":{"type":"plain_text","text":"2 commits","emoji":true},"is_collapsible":true,"default_collapsed":true,"child_blocks":[` +
			`{"type":"section","text":{"type":"mrkdwn","text":"· one\n· two","verbatim":true}}]},` +
			`{"type":"data_table","caption":"Targets","rows":[[{"type":"raw_text","text":"Execution"},{"type":"raw_text","text":"Ran"},{"type":"raw_text","text":"Act"}],` +
			`[{"type":"raw_text","text":"#41 <b>"},{"type":"raw_text","text":"2 h"},{"type":"action_cell","element":{"type":"button","text":{"type":"plain_text","text":"Roll back","emoji":true},"action_id":"details.1","value":"v"},"fallback":{"type":"raw_text","text":"Roll back"}}],` +
			`[{"type":"raw_text","text":"#40"},{"type":"raw_text","text":"–"},{"type":"raw_text","text":"–"}]],"page_size":10}]`},
		"plain": {layout.Plain(blocks), "[" +
			`{"type":"section","text":{"type":"mrkdwn","text":"⚠️ Goes back past a migration.","verbatim":true}},` +
			`{"type":"section","text":{"type":"mrkdwn","text":"*2 commits*","verbatim":true}},` +
			`{"type":"section","text":{"type":"mrkdwn","text":"· one\n· two","verbatim":true}},` +
			`{"type":"section","text":{"type":"mrkdwn","text":"*#41 &lt;b&gt;* · 2 h","verbatim":true},"accessory":{"type":"button","text":{"type":"plain_text","text":"Roll back","emoji":true},"action_id":"details.1","value":"v"}},` +
			`{"type":"section","text":{"type":"mrkdwn","text":"*#40*","verbatim":true}}]`},
	} {
		data, err := json.Marshal(c.drawn)
		got := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(data))
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n%s\nwanted\n%s", name, err, got, c.want)
		}
	}
	if data, err := json.Marshal(blocks[0]); err != nil || !strings.Contains(string(data), `"alert"`) {
		t.Errorf("undrawn, a block is its richer self: %s, %v", data, err)
	}
}
