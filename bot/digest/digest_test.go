package digest_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/digest"
	"github.com/rollcall-bot/rollcall/bot/internal/blocktest"
	"github.com/rollcall-bot/rollcall/bot/layout"
)

var nine = time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)

func daily() digest.Facts {
	return digest.Facts{From: nine.Add(-72 * time.Hour), At: nine,
		Live:       []digest.Item{{Pipeline: "webshop", Number: 43, Stage: "Production", Since: nine.Add(-20 * time.Hour)}, {Pipeline: "search", Number: 7, Stage: "Production", Since: nine.Add(-18 * time.Hour)}},
		Failed:     []digest.Item{{Pipeline: "webshop", Number: 44, Stage: "Production", Since: nine.Add(-3 * time.Hour)}},
		RolledBack: []digest.Item{{Pipeline: "webshop", Number: 45, Stage: "Production", Since: nine.Add(-3 * time.Hour), Reason: "checkout answers 500 <!channel>"}},
		Waiting:    []digest.Item{{Pipeline: "search", Number: 8, Stage: "Production", Since: nine.Add(-26 * time.Hour)}},
		Locks:      []digest.Item{{Pipeline: "billing", Stage: "Production", Since: nine.Add(-50 * time.Hour), By: "Cho", Reason: "migration by hand"}},
		Freezes:    []digest.Freeze{{Name: "easter", From: nine.Add(5 * time.Hour), To: nine.Add(100 * time.Hour)}},
	}
}

func weekly() digest.Facts {
	f := digest.Facts{From: nine.Add(-7 * 24 * time.Hour), At: nine}
	for i := range 7 {
		d := digest.Day{Day: time.Date(2026, 3, 9+i, 0, 0, 0, 0, time.UTC)}
		if i < 5 {
			d.Live, d.Failed = i+1, i%2
			d.Build, d.Waiting, d.Deploy = time.Duration(i+1)*9*time.Minute, time.Duration(i+1)*50*time.Minute, time.Duration(i+1)*4*time.Minute
		}
		f.Week = append(f.Week, d)
	}
	return f
}

func drawn(f digest.Facts) card.Message {
	text, blocks := f.Draw()
	return card.Message{Text: text, Blocks: blocks}
}

// plainly is how a workspace reads it that refuses charts.
func plainly(m card.Message) card.Message {
	m.Blocks = layout.Plain(m.Blocks)
	return m
}

func TestGolden(t *testing.T) {
	week := drawn(weekly())
	week.Blocks = layout.Rich(week.Blocks)
	blocktest.Golden(t, []blocktest.Drawing{
		blocktest.Message("daily", drawn(daily())),
		blocktest.Message("weekly", week),
		blocktest.Message("weekly-plain", plainly(drawn(weekly()))),
	})
}

func TestNothingIsNothing(t *testing.T) {
	quiet := weekly()
	for i := range quiet.Week {
		quiet.Week[i] = digest.Day{Day: quiet.Week[i].Day}
	}
	some, week := daily(), weekly()
	if none := (digest.Facts{At: nine}); !none.Empty() || !quiet.Empty() || some.Empty() || week.Empty() {
		t.Error("empty and full are not told apart")
	}
}

// Whatever it is about, it is within Slack's limits.
func TestLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := func(label string) (all []digest.Item) {
			for range rapid.IntRange(0, 40).Draw(t, label) {
				all = append(all, digest.Item{Pipeline: blocktest.Name(t), Stage: blocktest.Text().Draw(t, "stage"), By: blocktest.Text().Draw(t, "by"), Reason: blocktest.Text().Draw(t, "reason"),
					Number: rapid.IntRange(0, 1<<30).Draw(t, "number"), Since: nine.Add(-time.Duration(rapid.Int64Range(0, 1<<50).Draw(t, "age")))})
			}
			return all
		}
		f := digest.Facts{At: nine, Live: items("live"), Failed: items("failed"), RolledBack: items("back"), Waiting: items("waiting"), Locks: items("locks"), Partial: true}
		for range rapid.IntRange(0, 20).Draw(t, "freezes") {
			f.Freezes = append(f.Freezes, digest.Freeze{Name: blocktest.Text().Draw(t, "name"), From: nine, To: nine})
		}
		if rapid.Bool().Draw(t, "week") {
			f.Week = weekly().Week
		}
		m := drawn(f)
		for name, m := range map[string]card.Message{"plain": plainly(m), "rich": {Text: m.Text, Blocks: layout.Rich(m.Blocks)}} {
			for _, fault := range blocktest.Message(fmt.Sprint("digest ", name), m).Faults() {
				t.Error(fault)
			}
		}
	})
}
