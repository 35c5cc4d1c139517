package audit_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

func TestAnchorsAreReadWhereverTheyStand(t *testing.T) {
	sum := strings.Repeat("0f", 32)
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	want := record.Anchor{Pipeline: "webshop", Record: 42, Hash: sum, At: at}
	log := func(handler func(*bytes.Buffer) slog.Handler) string {
		var out bytes.Buffer
		l := slog.New(handler(&out))
		l.Info("rollcall started", "pipelines", "./pipelines")
		l.Info(audit.Word, "pipeline", "webshop", "record", uint64(42), "hash", sum, "at", at)
		return out.String()
	}
	text := log(func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) })
	json := log(func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) })
	message := `{"event_type":"rollcall_execution","event_payload":{"execution":"e1","pipeline":"webshop","number":7,"record":42,"hash":"` + sum + `","at":"2026-03-02T12:00:00Z"}}`
	for name, c := range map[string]string{
		"a log as text":         text,
		"a log as JSON":         json,
		"journald's log":        "Mar 02 12:00:00 host rollcall[7]: " + strings.Split(text, "\n")[1],
		"docker's JSON log":     "2026-03-02T12:00:00Z stderr F " + strings.Split(json, "\n")[1],
		"a message's metadata":  message,
		"messages of a channel": `{"ok":true,"messages":[{"text":"hi"},` + "\n" + `{"ts":"1.2","metadata":` + message + `}]}`,
		"metadata, one a line":  message + "\n",
		"an exported record":    `{"at":"2026-03-02T12:00:00Z","pipeline":"webshop","record":42,"hash":"` + sum + `","events":[],"stored":"AQ=="}`,
		"upper case":            strings.ToUpper(`{"x":"`) + `", "pipeline":"webshop","record":42,"at":"2026-03-02T12:00:00Z","hash":"` + strings.ToUpper(sum) + `"}`,
	} {
		got, err := audit.Anchors([]byte(c))
		if err != nil || !cmp.Equal(got, []record.Anchor{want}) {
			t.Errorf("%s: %+v %v\n%s", name, got, err, c)
		}
	}
	for name, c := range map[string]string{
		"nothing":            "",
		"no anchor":          "time=2026-03-02T12:00:00Z level=INFO msg=\"rollcall started\"\n",
		"a short hash":       `{"pipeline":"webshop","record":42,"hash":"0f0f"}`,
		"no number":          `{"pipeline":"webshop","record":"last","hash":"` + sum + `"}`,
		"the word, no facts": "msg=anchor pipeline= record= hash=\n",
		"an open quote":      "msg=\"anchor pipeline=webshop\n",
	} {
		if got, err := audit.Anchors([]byte(c)); !errors.Is(err, audit.ErrNoAnchors) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

func FuzzAnchors(f *testing.F) {
	f.Add([]byte("level=INFO msg=anchor pipeline=webshop record=42 hash=" + strings.Repeat("0f", 32)))
	f.Add([]byte(`{"pipeline":"webshop","record":42,"hash":"` + strings.Repeat("0f", 32) + `"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := audit.Anchors(text)
		if (err == nil) != (len(all) > 0) {
			t.Errorf("%d anchors and %v", len(all), err)
		}
		for _, a := range all {
			if a.Record == 0 || a.Pipeline == "" || len(a.Hash) != 64 {
				t.Errorf("half an anchor: %+v", a)
			}
		}
	})
}
