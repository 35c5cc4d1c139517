package gates

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

const (
	mostReports   = 10               // that GitHub takes of one deployment
	doubtfulUntil = 6                // as many may be said again without knowing whether they arrived
	answerPause   = 20 * time.Second // at most, between tries: who starts the service again sees the answer within half a minute
)

// sent is what GitHub was told about a deployment.
type sent struct {
	Reports int    `json:"reports,omitempty"` // that it may have taken
	Said    string `json:"said,omitempty"`    // the last of them
	Doubt   bool   `json:"doubt,omitempty"`   // whether that arrived is not known
	// Perhaps says that an answer may have been taken: a refusal then means that it was.
	Perhaps bool      `json:"perhaps,omitempty"`
	Refused bool      `json:"refused,omitempty"` // GitHub refused the first answer
	Why     string    `json:"why,omitempty"`     // it is said again
	Rounds  int       `json:"rounds,omitempty"`  // of tries that did not work
	Again   time.Time `json:"again,omitzero"`    // when it is tried again; zero: nothing is left to say
}

// later has it tried again, after a pause that grows; GitHub may ask for a longer one.
func (t *sent) later(now time.Time, why string, asked time.Duration) {
	t.Why, t.Again = why, now.Add(max(asked, min(time.Second<<min(t.Rounds, 5), answerPause)))
	t.Rounds++
}

// done notes that nothing is left to say for now.
func (t *sent) done() { t.Why, t.Rounds, t.Again = "", 0, time.Time{} }

// sentAll is the memo of a pipeline: its deployments that are not answered, by execution.
type sentAll struct {
	Open map[string]*sent `json:"open"`

	key    string
	stored string
}

func (g *Gates) load(ctx context.Context, pipeline string) (*sentAll, error) {
	q := &sentAll{key: "sent/" + url.PathEscape(pipeline)}
	raw, ok, err := g.notes.Memo(ctx, q.key)
	if err == nil && ok {
		q.stored, err = string(raw), json.Unmarshal(raw, q)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was sent to GitHub: %w", err)
	}
	if q.Open == nil {
		q.Open = map[string]*sent{}
	}
	return q, nil
}

// save makes durable what has changed.
func (g *Gates) save(ctx context.Context, q *sentAll) error {
	var raw []byte // none deletes
	var err error
	if len(q.Open) > 0 {
		raw, err = json.Marshal(q)
	}
	if err == nil && string(raw) != q.stored {
		err = g.notes.Note(ctx, q.key, raw)
	}
	if err != nil {
		return fmt.Errorf("noting what was sent to GitHub: %w", err)
	}
	q.stored = string(raw)
	return nil
}
