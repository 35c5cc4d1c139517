package words_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

func TestSentences(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{words.List(nil, "and"), ""},
		{words.List(strings.Fields("A"), "and"), "A"},
		{words.List(strings.Fields("A B C"), "or"), "A, B or C"},
		{words.Because("stopped by ana", ""), "stopped by ana"},
		{words.Because("stopped by ana", "wrong branch"), "stopped by ana: wrong branch"},
		{words.Span(24 * time.Hour), "1 day"},
		{words.Spaced("stageSkipped"), "stage skipped"},
		{words.Spaced("archived"), "archived"},
		{words.Span(90 * time.Minute), "90 minutes"},
		{words.Span(2 * time.Hour), "2 hours"},
		{words.Span(90*time.Second + 400*time.Millisecond), "1m30s"},
		{words.Ordinal(1) + " " + words.Ordinal(2) + " " + words.Ordinal(3) + " " + words.Ordinal(4), "1st 2nd 3rd 4th"},
		{words.Ordinal(11) + " " + words.Ordinal(12) + " " + words.Ordinal(21) + " " + words.Ordinal(113), "11th 12th 21st 113th"},
		{words.Revision("0123456789012345678901234567890123456789"), "0123456"},
		{words.Revision("v1.2.3"), "v1.2.3"},
		{words.Cut("waiting for approval", 20), "waiting for approval"},
		{words.Cut("waiting for approval", 9), "waiting…"},
		{words.CutBytes("größer", 8), "größer"},
		{words.CutBytes("größer", 6), "gr…"}, // not in the middle of the ö
		{words.Quoted(`a "b"`), `"a \"b\""`},
		{words.Quoted(strings.Repeat("x", 61)), `"` + strings.Repeat("x", 60) + `…"`},
		{strings.Join(words.Keys(map[string]int{"b": 1, "a": 2}), " "), "a b"},
		{words.Count(1, "stage"), "1 stage"},
		{words.Count(0, "stage"), "0 stages"},
		{words.Moment(time.Date(2026, 3, 2, 10, 5, 0, 0, time.FixedZone("CET", 3600))), "2 Mar 09:05 UTC"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"outputArtifacts", "inputArtifacts", "runOrder", "name", "approve"}
	for word, want := range map[string]string{
		"outputArtifact":  "outputArtifacts",
		"outptuArtifacts": "outputArtifacts",
		"runorder":        "runOrder",
		"run_order":       "runOrder",
		"nmae":            "name",
		"aprove":          "approve",
		"xyz":             "",
		"":                "",
		"no":              "",
	} {
		if got, ok := words.Nearest(word, known); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", word, got, ok, want)
		}
	}
}
