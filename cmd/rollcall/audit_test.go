package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
)

// The record of real releases, as an auditor reads it who has the right audit
// and no other: whole against anchors from the log and from Slack's cards, also
// after a kill and with its end cut off.
func TestTheRecordOfReleases(t *testing.T) {
	w := newWorld(t)
	auditor := []string{"--token", "a-token-for-audit-only"}
	run := func(args ...string) string { return w.must(append(args, auditor...)...) }
	first := w.push("one", "SHOP-1: release one")
	w.approve(w.ana, 1)
	w.approve(w.ben, 1)
	w.ended(1, workflows.StatusSucceeded)
	early := run("audit", "export")
	w.kill()
	w.start()
	w.push("two", "SHOP-2: release two")
	w.approve(w.ben, 2)
	w.approve(w.ana, 2)
	w.ended(2, workflows.StatusSucceeded)
	between := time.Now().UTC().Format(time.RFC3339Nano)
	w.must("rollback", "webshop", "Production", "--to", "webshop#1", "-m", "coupons are free")
	w.ended(3, workflows.StatusSucceeded)

	// The cards carry anchors, in Slack, where nobody reaches who can write the database.
	var cards []any
	for n := 1; n <= 3; n++ {
		w.until("a card has an anchor", func() bool {
			posts := w.posts("rollcall_execution", w.execution(n).ID)
			if len(posts) == 0 || !strings.Contains(string(posts[0].Metadata.Payload), `"hash"`) {
				return false
			}
			cards = append(cards, posts[0].Metadata)
			return true
		})
	}
	text, err := json.Marshal(map[string]any{"messages": cards})
	if err != nil {
		t.Fatal(err)
	}
	w.write("cards.json", string(text))
	w.write("record.jsonl", run("audit", "export"))
	w.write("early.jsonl", early)
	for _, anchors := range []string{"cards.json", "service.log", "early.jsonl"} {
		for _, args := range [][]string{{"audit", "verify"}, {"audit", "verify", "record.jsonl"}} {
			if out := run(append(args, "--anchors", anchors)...); !strings.Contains(out, "nothing up to there was changed or is missing") {
				t.Errorf("%v --anchors %s: %s", args, anchors, out)
			}
		}
	}
	for _, anchors := range []string{"cards.json", "service.log"} {
		w.refuses("early.jsonl does not verify: webshop record ", "audit", "verify", "early.jsonl", "--anchors", anchors)
	}

	var shown audit.Answer
	show := func(name string) audit.Answer {
		t.Helper()
		shown = audit.Answer{}
		if err := json.Unmarshal([]byte(run("audit", "show", name, "-o", "json")), &shown); err != nil {
			t.Fatal(err)
		}
		return shown
	}
	if a := show(first[:7]); a.Execution != "webshop#3" || len(a.Also) != 1 || a.Also[0] != "webshop#1" || a.Rollback == nil || a.Rollback.Reason != "coupons are free" || len(a.Locks) == 0 || !a.Locks[0].Locked {
		t.Errorf("the commit's newest execution is its rollback: %+v", a)
	}
	if a := show("SHOP-2"); a.Execution != "webshop#2" || len(a.Left) != 1 || len(a.Votes) != 2 || a.Votes[0].By.Email != w.ben.Email || a.Votes[1].By.Email != w.ana.Email || a.Votes[0].Via != "slack" || len(a.Artifacts) != 2 || len(a.Artifacts[0].Digest) != 64 {
		t.Errorf("the second release: %+v", a)
	}
	if a := show("webshop@" + between); a.Execution != "webshop#2" || a.Moment == nil || len(a.Moment.Ran) != 1 || a.Moment.Ran[0].Stage != "Production" || !a.Moment.Ran[0].Certain {
		t.Errorf("what ran before the rollback: %+v", a)
	}
	if a := show("webshop#1"); len(a.Gates) != 1 || a.Gates[0].Rule.Text != "2 of group:release-managers" || a.Gates[0].Rule.Version != 1 || a.Record == 0 || len(a.Hash) != 64 {
		t.Errorf("the first release: %+v", a)
	}
	for _, secret := range w.secretsOfService {
		if out := w.read("record.jsonl"); strings.Contains(out, secret) {
			t.Errorf("the record holds a secret: %s", secret)
		}
	}
}
