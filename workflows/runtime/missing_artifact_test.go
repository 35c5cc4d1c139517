package runtime

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
)

// Retention is named only where it may have been the cause: an artifact that is
// missing for another reason is worth a look at the data folder.
func TestWhyAnArtifactIsMissing(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	const day = retention.Age(24 * time.Hour)
	for name, c := range map[string]struct {
		age   retention.Age
		ended time.Duration // ago; 0: it has not ended
		want  string
	}{
		"retention is off":     {0, 1000 * time.Hour, "is missing from the data folder"},
		"old enough":           {90 * day, 91 * 24 * time.Hour, "was removed by retention (artifacts: 90d)"},
		"not old enough":       {90 * day, 89 * 24 * time.Hour, "is missing from the data folder"},
		"it has not ended yet": {90 * day, 0, "is missing from the data folder"},
	} {
		e := &Engine{o: Options{Now: func() time.Time { return now }}, retention: retention.New(retention.Options{Policy: retention.Policy{Artifacts: c.age}})}
		x := &workflows.Execution{}
		if c.ended > 0 {
			at := now.Add(-c.ended)
			x.EndedAt = &at
		}
		if got := e.whyMissing(x); got != c.want {
			t.Errorf("%s: it %s, want %s", name, got, c.want)
		}
	}
}
