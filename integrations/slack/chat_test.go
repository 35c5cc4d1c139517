package slack_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

func row(ids ...string) goslack.Block {
	var all []goslack.BlockElement
	for _, id := range ids {
		all = append(all, goslack.NewButtonBlockElement(id, "v", goslack.NewTextBlockObject(goslack.PlainTextType, id, false, false)))
	}
	return goslack.NewActionBlock("", all...)
}

func cardMessage() bot.Message {
	return bot.Message{
		Channel: "#deploys", Text: "webshop#42", Blocks: []goslack.Block{row("approve")},
		EventType: "rollcall_execution", Payload: map[string]any{"execution": "e42", "pipeline": "webshop", "number": 42},
	}
}

func TestPostAndEdit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		at, err := d.client.Post(t.Context(), cardMessage())
		if err != nil || at.Channel != d.deploys.ID {
			t.Fatal(at, err)
		}
		gate := bot.Message{Channel: at.Channel, Thread: at.TS, Broadcast: true, Text: "who says yes?"}
		if _, err := d.client.Post(t.Context(), gate); err != nil {
			t.Fatal(err)
		}
		if err := d.client.Edit(t.Context(), at, bot.Message{Text: "webshop#42 succeeded"}); err != nil {
			t.Fatal(err)
		}
		seen := d.Messages("deploys")
		if len(seen) != 2 || seen[0].Text != "webshop#42 succeeded" || len(seen[0].Buttons()) != 0 || !seen[1].Broadcast || seen[1].Thread != at.TS {
			t.Errorf("the channel shows %+v", seen)
		}
		if m := seen[0].Metadata; m == nil || m.Type != "rollcall_execution" || !strings.Contains(string(m.Payload), `"execution":"e42"`) {
			t.Errorf("metadata %+v", m)
		}
		if d.Calls("conversations.list") != 1 {
			t.Errorf("the channel's name was looked up %d times", d.Calls("conversations.list"))
		}
	})
}

// An anchor stands beside what identifies a message, changes with each edit, and
// keeps nobody from finding the message again.
func TestAnAnchorIsInTheMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		m := cardMessage()
		m.Anchor = &record.Anchor{Pipeline: "webshop", Record: 7, Hash: strings.Repeat("0f", 32), At: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
		at, err := d.client.Post(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		for _, look := range []*record.Anchor{nil, {Pipeline: "webshop", Record: 8, Hash: m.Anchor.Hash}} {
			again := cardMessage()
			again.Look, again.Anchor = true, look
			if found, err := d.client.Post(t.Context(), again); err != nil || found != at {
				t.Errorf("looked for with %+v: %+v %v", look, found, err)
			}
		}
		newer := *m.Anchor
		newer.Record = 9
		m.Anchor = &newer
		if err := d.client.Edit(t.Context(), at, m); err != nil {
			t.Fatal(err)
		}
		kept, err := audit.Anchors(d.Messages("deploys")[0].Metadata.Payload)
		if err != nil || len(kept) != 1 || kept[0] != newer {
			t.Errorf("the metadata hold %+v: %v", kept, err)
		}
		if got := m.Payload["record"]; got != nil {
			t.Errorf("the message itself was changed: %v", got)
		}
	})
}

func TestAPostThatMayHaveArrivedIsLookedForNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		root, err := d.client.Post(t.Context(), bot.Message{Channel: "#deploys", Text: "root"})
		if err != nil {
			t.Fatal(err)
		}
		for name, m := range map[string]bot.Message{
			"in the channel": cardMessage(),
			"in a thread":    {Channel: root.Channel, Thread: root.TS, Text: "gate", EventType: "rollcall_gate", Payload: map[string]any{"execution": "e42"}},
		} {
			before := len(d.Thread("deploys", root.TS)) + len(d.Messages("deploys"))
			d.Faults.Add(slackfake.On("chat.postMessage", fault.Fault{Cut: true, After: true, Times: 1}))
			if _, err := d.client.Post(t.Context(), m); err == nil {
				t.Fatal(name, "the answer was lost, and nobody said so")
			}
			for range 2 {
				m.Look = true
				at, err := d.client.Post(t.Context(), m)
				if err != nil || at.TS == "" || at.Channel != d.deploys.ID {
					t.Fatal(name, at, err)
				}
			}
			if after := len(d.Thread("deploys", root.TS)) + len(d.Messages("deploys")); after != before+1 {
				t.Errorf("%s: %d messages became %d", name, before, after)
			}
		}
		other := cardMessage()
		other.Look, other.Payload = true, map[string]any{"execution": "e43", "pipeline": "webshop", "number": 43}
		before := len(d.Messages("deploys"))
		if _, err := d.client.Post(t.Context(), other); err != nil || len(d.Messages("deploys")) != before+1 {
			t.Error("another execution's card is another message:", err)
		}
	})
}

// A message is looked for from its first try on, however much was posted before it.
func TestLookingBeginsWithTheFirstTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		m := cardMessage()
		old := m
		if _, err := d.client.Post(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		m.Look, m.Since = true, time.Now()
		if _, err := d.client.Post(t.Context(), m); err != nil || len(d.Messages(d.deploys.ID)) != 2 {
			t.Errorf("one that is older than the first try was taken for it: %v", err)
		}
		time.Sleep(time.Minute)
		if _, err := d.client.Post(t.Context(), m); err != nil || len(d.Messages(d.deploys.ID)) != 2 {
			t.Errorf("the copy was not found: %v", err)
		}
	})
}

func TestLookingNeedsToBeAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		quiet := d.AddChannel(slackfake.Channel{Name: "quiet", Members: []string{d.ana.ID}})
		m := cardMessage()
		m.Channel, m.Look = "#quiet", true
		if _, err := d.client.Post(t.Context(), m); err != nil || d.Calls("conversations.join") != 1 {
			t.Error("a public channel is joined to look into it:", err)
		}
		d.Faults.Add(slackfake.On("conversations.history", slackfake.Refusal("missing_scope", "channels:history")))
		if _, err := d.client.Post(t.Context(), m); err != nil || len(d.Messages(quiet.ID)) != 2 {
			t.Error("where looking is refused for good, the message is posted all the same:", err)
		}
		d.Faults.Add(slackfake.On("conversations.history", fault.Fault{Status: 500}))
		if _, err := d.client.Post(t.Context(), m); err == nil || len(d.Messages(quiet.ID)) != 2 {
			t.Error("where looking fails for now, nothing is posted:", err)
		}
	})
}

func TestCallsAreBoundedAndPatient(t *testing.T) {
	post := func(d *desk, ctx context.Context) error {
		_, err := d.client.Post(ctx, bot.Message{Channel: d.deploys.ID, Text: "x"})
		return err
	}
	for name, c := range map[string]struct {
		fault  fault.Fault
		took   time.Duration
		posted int
		calls  int
		fails  string
	}{
		"a short rate limit is waited for":     {fault.Fault{Status: 429, RetryAfter: 5 * time.Second, Times: 1}, 5 * time.Second, 1, 2, ""},
		"a long one comes back at once":        {fault.Fault{Status: 429, RetryAfter: time.Minute}, 0, 0, 1, "wait"},
		"429 without end":                      {fault.Fault{Status: 429, RetryAfter: 3 * time.Second}, 9 * time.Second, 0, 4, "next one in"},
		"500 is not repeated":                  {fault.Fault{Status: 500}, 0, 0, 1, "HTTP status 500"},
		"a lost connection is not repeated":    {fault.Fault{Cut: true, After: true, Times: 1}, 0, 1, 1, "closed"},
		"silence ends after ten seconds":       {fault.Fault{Delay: time.Hour}, 10 * time.Second, 0, 1, "deadline"},
		"slowness is waited for":               {fault.Fault{Delay: 9 * time.Second}, 9 * time.Second, 1, 1, ""},
		"nonsense is an error":                 {fault.Fault{Status: 200, Body: "<!doctype html><title>Slack</title>"}, 0, 0, 1, "invalid character"},
		"trouble of slack's own is no refusal": {slackfake.Refusal("internal_error", ""), 0, 0, 1, "just now"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, leave := office(t)
				defer leave()
				d.Faults.Add(slackfake.On("chat.postMessage", c.fault))
				start := time.Now()
				err := post(d, t.Context())
				if took := time.Since(start); took != c.took || len(d.Messages("deploys")) != c.posted || d.Calls("chat.postMessage") != c.calls {
					t.Errorf("took %v, %d posted, %d calls", took, len(d.Messages("deploys")), d.Calls("chat.postMessage"))
				}
				if (err == nil) != (c.fails == "") {
					t.Fatal(err)
				}
				var later *wire.Later
				if err != nil && !strings.Contains(err.Error(), c.fails) && !errors.As(err, &later) {
					t.Error(err)
				}
				var refused *bot.Refusal
				if errors.As(err, &refused) {
					t.Error("this may work later, and was refused for good:", err)
				}
			})
		})
	}
}

func TestAHangingCallBlocksNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		other := d.AddChannel(slackfake.Channel{Name: "other"})
		d.Faults.Add(slackfake.On("chat.postMessage", fault.Fault{Delay: time.Hour, Times: 1}))
		hung := make(chan error, 1)
		go func() {
			_, err := d.client.Post(t.Context(), bot.Message{Channel: d.deploys.ID, Text: "hangs"})
			hung <- err
		}()
		synctest.Wait()
		start := time.Now()
		for _, channel := range []string{other.ID, d.deploys.ID} {
			if _, err := d.client.Post(t.Context(), bot.Message{Channel: channel, Text: "goes"}); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("others waited %v", took)
		}
		if err := <-hung; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestAChannelGetsOneMessageASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		start := time.Now()
		for range 10 {
			if _, err := d.client.Post(t.Context(), bot.Message{Channel: d.deploys.ID, Text: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 5*time.Second || took > 7*time.Second {
			t.Errorf("ten messages took %v; four go at once, then one a second", took)
		}
		at := bot.Place{Channel: d.deploys.ID, TS: d.Messages("deploys")[0].TS}
		start = time.Now()
		if err := d.client.Edit(t.Context(), at, bot.Message{Text: "y"}); err != nil || time.Since(start) != 0 {
			t.Errorf("an edit waited %v for posts: %v", time.Since(start), err)
		}
	})
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		d.AddChannel(slackfake.Channel{Name: "old", Archived: true})
		long := cardMessage()
		long.Blocks = []goslack.Block{row("a", "a")}
		for name, c := range map[string]struct {
			fault fault.Fault
			m     bot.Message
			code  string
			hint  string
		}{
			"no such channel":  {fault.Fault{}, bot.Message{Channel: "#nowhere", Text: "x"}, "channel_not_found", "/invite"},
			"archived":         {fault.Fault{}, bot.Message{Channel: "#old", Text: "x"}, "is_archived", "unarchive"},
			"not in channel":   {slackfake.Refusal("not_in_channel", ""), cardMessage(), "not_in_channel", "/invite"},
			"scope":            {slackfake.Refusal("missing_scope", "chat:write"), cardMessage(), "missing_scope", "chat:write"},
			"token":            {slackfake.Refusal("invalid_auth", ""), cardMessage(), "invalid_auth", "token"},
			"bad blocks":       {fault.Fault{}, long, "invalid_blocks", "action_id"},
			"a code of Mars's": {slackfake.Refusal("martian", ""), cardMessage(), "martian", "chat.postMessage"},
		} {
			d.Faults.Set()
			if c.fault.Status != 0 {
				d.Faults.Add(slackfake.On("chat.postMessage", c.fault))
			}
			time.Sleep(10 * time.Second)
			_, err := d.client.Post(t.Context(), c.m)
			var refused *bot.Refusal
			if !errors.As(err, &refused) || refused.Code != c.code || !strings.Contains(refused.Hint, c.hint) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestWithoutTheRightToListChannelsNamesGoToSlackAsTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		d.Faults.Add(slackfake.On("conversations.list", slackfake.Refusal("missing_scope", "channels:read")))
		if at, err := d.client.Post(t.Context(), cardMessage()); err != nil || at.Channel != d.deploys.ID {
			t.Error(at, err)
		}
	})
}

func TestAWhisperFindsItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		private := d.AddChannel(slackfake.Channel{Name: "private", Private: true, Members: []string{d.ben.ID}})
		d.command(t, d.ana, "x")
		reply := d.next(t).Reply
		m := bot.Message{Text: "psst", Blocks: []goslack.Block{row("details")}}
		for _, c := range []struct {
			name              string
			fault             string
			to                bot.Reply
			ephemerals, plain int // what ana has seen then
		}{
			{"through the response URL", "", reply, 1, 0},
			{"in the channel when that does not work", slackfake.ResponseURLs, reply, 2, 0},
			{"in the channel without one", "", bot.Reply{User: d.ana.ID, Channel: d.deploys.ID}, 3, 0},
			{"directly where the app cannot be", "", bot.Reply{User: d.ana.ID, Channel: private.ID}, 3, 1},
			{"directly without a channel", "", bot.Reply{User: d.ana.ID}, 3, 2},
		} {
			d.Faults.Set()
			if c.fault != "" {
				d.Faults.Add(slackfake.On(c.fault, fault.Fault{Cut: true}))
			}
			if err := d.client.PostEphemeral(t.Context(), c.to, m); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if w, p := len(d.Ephemerals(d.ana.ID)), len(d.Direct(d.ana.ID)); w != c.ephemerals || p != c.plain {
				t.Errorf("%s: %d ephemerals, %d direct messages", c.name, w, p)
			}
		}
		if len(d.Messages("deploys")) != 0 || len(d.Ephemerals(d.ben.ID)) != 0 {
			t.Error("somebody else saw it")
		}
		if got := d.Ephemerals(d.ana.ID)[0].Buttons(); len(got) != 1 {
			t.Errorf("buttons %+v", got)
		}
	})
}

func TestOpenOpensReplacesAndPublishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		d.command(t, d.ana, "x")
		reply := d.next(t).Reply
		if err := d.client.Open(t.Context(), reply, reasonForm()); err != nil {
			t.Fatal(err)
		}
		first := d.Views(d.ana.ID)[0]
		again := reasonForm()
		again.CallbackID = "replaced"
		if err := d.client.Open(t.Context(), bot.Reply{View: first.ID}, again); err != nil || d.Views(d.ana.ID)[0].CallbackID != "replaced" || len(d.Views(d.ana.ID)) != 1 {
			t.Error("replacing:", err)
		}
		var refused *bot.Refusal
		if err := d.client.Open(t.Context(), reply, reasonForm()); !errors.As(err, &refused) || !strings.Contains(refused.Hint, "again") {
			t.Error("a trigger that was used:", err)
		}
		d.command(t, d.ana, "x")
		late := d.next(t).Reply
		late.View = "VGONE"
		if err := d.client.Open(t.Context(), late, reasonForm()); err != nil {
			t.Error("a form that was closed opens anew:", err)
		}
		home := goslack.ModalViewRequest{Type: goslack.VTHomeTab, Blocks: goslack.Blocks{BlockSet: []goslack.Block{row("start")}}}
		if err := d.client.Open(t.Context(), bot.Reply{User: d.ben.ID}, home); err != nil {
			t.Fatal(err)
		}
		if v, ok := d.Home(d.ben.ID); !ok || len(v.Buttons()) != 1 {
			t.Errorf("ben's home: %+v", v)
		}
	})
}

// C4: Slack's codes in three heaps: about the content, for a person to mend,
// passing by themselves. What is not known somebody may be able to mend.
func TestRefusalsAreSorted(t *testing.T) {
	heaps := map[string][]string{
		"passes": {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "hash_conflict", "team_added_to_org"},
		"never":  {"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text", "invalid_metadata_format", "cant_update_message", "edit_window_closed"},
		"gone":   {"message_not_found", "thread_not_found", "not_found", "view_not_found"},
		"mends": {"not_in_channel", "channel_not_found", "is_archived", "missing_scope", "invalid_auth", "token_revoked", "token_expired", "account_inactive", "restricted_action",
			"restricted_action_read_only_channel", "ekm_access_denied", "org_login_required", "a_code_of_next_year"},
	}
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		for heap, codes := range heaps {
			for _, code := range codes {
				d.Faults.Add(slackfake.On("chat.postMessage", slackfake.Refusal(code, "")))
				_, err := d.client.Post(t.Context(), bot.Message{Channel: "#deploys", Text: "x"})
				var no *bot.Refusal
				got := "passes"
				switch {
				case !errors.As(err, &no):
				case no.Never:
					got = "never"
				case no.Gone:
					got = "gone"
				default:
					got = "mends"
				}
				if err == nil || got != heap {
					t.Errorf("%s: %s, want %s (%v)", code, got, heap, err)
				}
				d.Faults.Set()
				time.Sleep(10 * time.Second) // the lane
			}
		}
	})
}
