package slack_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// notebook is durable memory that outlives a client.
type notebook struct {
	mu    sync.Mutex
	memos map[string][]byte
}

func (n *notebook) Memo(_ context.Context, key string) (value []byte, ok bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	value, ok = n.memos[key]
	return value, ok, nil
}

func (n *notebook) Note(_ context.Context, key string, value []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.memos == nil {
		n.memos = map[string][]byte{}
	}
	n.memos[key] = value
	return nil
}

// program starts rollcall's Slack side anew, as that version.
func (d *desk) program(version string, notes slack.Notes) *slack.Client {
	c := slack.New(slack.Options{APIURL: "http://slack.test/api", BotToken: botToken, Transport: wirefake.Direct(d.Server), Version: version, Log: slog.New(slog.NewTextHandler(d.log, nil))})
	c.Remember(notes)
	return c
}

// folded has a table of two rows with buttons, and lines that can be unfolded.
func folded() []slackgo.Block {
	l := layout.Message()
	l.Lines("*webshop*")
	l.Table("Waiting for you", "Answer", []string{"Execution", "Asked"}, []layout.TableRow{
		{Cells: []string{"webshop #43", "5 min ago"}, Button: slackgo.NewButtonBlockElement("details.1", "43", layout.PlainText("Details"))},
		{Cells: []string{"webshop <!channel> #44"}, Button: slackgo.NewButtonBlockElement("details.2", "44", layout.PlainText("Details"))},
	})
	l.Collapsed("2 commits", "· one", "· two")
	return l.Done("")
}

func kinds(t *testing.T, blocks json.RawMessage) string {
	t.Helper()
	var all []struct{ Type string }
	if err := json.Unmarshal(blocks, &all); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range all {
		names = append(names, b.Type)
	}
	return strings.Join(names, " ")
}

const (
	richKinds  = "section data_table container"
	tablePlain = "section section section container"
	allPlain   = "section section section section section"
)

// What the workspace refuses is drawn plainly in the same call, at once from then
// on, also after a restart; the next version and a month later try it again.
func TestABlockThatIsRefusedIsDrawnPlainly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, notes := newDesk(t), &notebook{}
		defer d.Close()
		c := d.program("v1", notes)
		post := func(c *slack.Client, want string, calls int) {
			t.Helper()
			before := d.Calls("chat.postMessage")
			at, err := c.Post(t.Context(), bot.Message{Channel: "#deploys", Text: "x", Blocks: folded()})
			if err != nil {
				t.Fatal(err)
			}
			got := d.Thread("#deploys", at.TS)[0]
			if kinds(t, got.Blocks) != want || d.Calls("chat.postMessage")-before != calls {
				t.Errorf("%s in %d calls, wanted %s in %d", kinds(t, got.Blocks), d.Calls("chat.postMessage")-before, want, calls)
			}
		}
		post(c, richKinds, 1)
		d.RefuseBlocks("data_table")
		post(c, tablePlain, 2)
		post(c, tablePlain, 1)
		again := d.program("v1", notes)
		post(again, tablePlain, 1)
		known, err := again.RefusedBlocks(t.Context())
		if err != nil || len(known) != 1 || known[0].Kind != "data_table" || time.Since(known[0].At) > time.Minute || !strings.Contains(known[0].Said, "data_table") {
			t.Errorf("known to be refused: %+v, %v", known, err)
		}
		post(d.program("v2", notes), tablePlain, 2)
		d.RefuseBlocks("data_table", "container")
		post(d.program("v2", notes), allPlain, 2)
		d.RefuseBlocks()
		post(d.program("v2", notes), allPlain, 1)
		post(d.program("v3", notes), richKinds, 1)
		time.Sleep(31 * 24 * time.Hour)
		post(d.program("v2", notes), richKinds, 1)
		if !strings.Contains(d.log.String(), "drawing it plainly from now on") {
			t.Error("the log does not say it")
		}
	})
}

// Where the message is refused for another reason, no kind of block is to blame.
func TestAFaultOfTheContentBlamesNoKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, notes := newDesk(t), &notebook{}
		defer d.Close()
		c := d.program("v1", notes)
		d.Faults.Add(slackfake.On("chat.postMessage", slackfake.Refusal("invalid_blocks", "")))
		if _, err := c.Post(t.Context(), bot.Message{Channel: "#deploys", Text: "x", Blocks: folded()}); err == nil {
			t.Fatal("it was posted")
		}
		if d.Calls("chat.postMessage") != 2 {
			t.Errorf("%d calls, wanted the richer and the plain one", d.Calls("chat.postMessage"))
		}
		if known, err := c.RefusedBlocks(t.Context()); err != nil || len(known) > 0 || len(notes.memos) > 0 {
			t.Errorf("remembered %v, %v", known, err)
		}
	})
}

// Every way to people has it: edits, private answers, forms, and the App Home.
func TestEveryWayFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		form := func(kind slackgo.ViewType) slackgo.ModalViewRequest {
			l := layout.View()
			l.Lines("x")
			if kind == slackgo.VTModal {
				l.Alert(slackgo.AlertLevelWarning, "Goes back past a migration.")
			} else {
				l.Collapsed("Rest", "· one")
			}
			return slackgo.ModalViewRequest{Type: kind, Title: layout.PlainText("Form"), Blocks: slackgo.Blocks{BlockSet: l.Done("")}}
		}
		d := newDesk(t)
		defer d.Close()
		d.run(t)
		defer d.stop()
		plain := []string{}
		see := func(blocks json.RawMessage) { plain = append(plain, kinds(t, blocks)) }
		for _, refuse := range [][]string{nil, {"data_table", "container", "alert"}} {
			d.RefuseBlocks(refuse...)
			c := d.program("v1", &notebook{})
			at, err := c.Post(t.Context(), bot.Message{Channel: "#deploys", Text: "x"})
			if err == nil {
				err = c.Edit(t.Context(), at, bot.Message{Text: "y", Blocks: folded()})
			}
			if err != nil {
				t.Fatal(err)
			}
			see(d.Thread("#deploys", at.TS)[0].Blocks)

			c = d.program("v1", &notebook{})
			ack, err := d.Command(t.Context(), d.ana.ID, "deploys", "")
			if err != nil || ack.Status != 200 {
				t.Fatal(err, ack)
			}
			asked := <-d.bot.handled
			if err := c.PostEphemeral(t.Context(), asked.Reply, bot.Message{Text: "x", Blocks: folded()}); err != nil {
				t.Fatal(err)
			}
			seen := d.Ephemerals(d.ana.ID)
			see(seen[len(seen)-1].Blocks)
			c = d.program("v1", &notebook{})
			if err := c.PostEphemeral(t.Context(), bot.Reply{User: d.ana.ID, Channel: d.deploys.ID}, bot.Message{Text: "x", Blocks: folded()}); err != nil {
				t.Fatal(err)
			}
			seen = d.Ephemerals(d.ana.ID)
			see(seen[len(seen)-1].Blocks)
			c = d.program("v1", &notebook{})
			if err := c.PostEphemeral(t.Context(), bot.Reply{User: d.ben.ID}, bot.Message{Text: "x", Blocks: folded()}); err != nil {
				t.Fatal(err)
			}
			direct := d.Direct(d.ben.ID)
			see(direct[len(direct)-1].Blocks)

			c = d.program("v1", &notebook{})
			if err := c.Open(t.Context(), bot.Reply{User: d.ana.ID, Trigger: asked.Reply.Trigger}, form(slackgo.VTModal)); err != nil {
				t.Fatal(err)
			}
			see(d.Views(d.ana.ID)[0].Blocks)
			c = d.program("v1", &notebook{})
			if err := c.Open(t.Context(), bot.Reply{User: d.ana.ID, View: d.Views(d.ana.ID)[0].ID}, form(slackgo.VTModal)); err != nil {
				t.Fatal(err)
			}
			see(d.Views(d.ana.ID)[0].Blocks)
			c = d.program("v1", &notebook{})
			if err := c.Open(t.Context(), bot.Reply{User: d.ana.ID}, form(slackgo.VTHomeTab)); err != nil {
				t.Fatal(err)
			}
			home, _ := d.Home(d.ana.ID)
			see(home.Blocks)
		}
		want := []string{
			richKinds, richKinds, richKinds, richKinds, "section alert", "section alert", "section container",
			allPlain, allPlain, allPlain, allPlain, "section section", "section section", "section section section",
		}
		if !slices.Equal(plain, want) {
			t.Errorf("drawn:\n%s\nwanted:\n%s", strings.Join(plain, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A view that an acknowledgement brings is drawn plainly: nobody would hear that
// Slack refuses it.
func TestAnAcknowledgementIsDrawnPlainly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.Close()
		l := layout.View()
		l.Alert(slackgo.AlertLevelInfo, "Wait.")
		d.bot.answer = func(r bot.Request) any {
			if r.Interaction == nil {
				return nil
			}
			return slackgo.NewUpdateViewSubmissionResponse(&slackgo.ModalViewRequest{Type: slackgo.VTModal, Title: layout.PlainText("Form"), Blocks: slackgo.Blocks{BlockSet: l.Done("")}})
		}
		d.run(t)
		defer d.stop()
		if _, err := d.Command(t.Context(), d.ana.ID, "deploys", ""); err != nil {
			t.Fatal(err)
		}
		to := (<-d.bot.handled).Reply
		view := slackgo.ModalViewRequest{Type: slackgo.VTModal, Title: layout.PlainText("Form"), Submit: layout.PlainText("Go"), Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{slackgo.NewDividerBlock()}}}
		if err := d.client.Open(t.Context(), to, view); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Submit(t.Context(), d.ana.ID, d.Views(d.ana.ID)[0].ID, nil); err != nil {
			t.Fatal(err)
		}
		if got := kinds(t, d.Views(d.ana.ID)[0].Blocks); got != "section" {
			t.Errorf("the form is %s", got)
		}
	})
}
