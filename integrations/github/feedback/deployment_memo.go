package feedback

import (
	"context"
	"slices"
	"time"
)

const (
	// lagAfterLost is how long a create of unknown outcome gets to show up in
	// GitHub's list; lagAfterCrash is that time from the marker on, when nobody
	// lived to see how it went.
	lagAfterLost  = 5 * time.Second
	lagAfterCrash = 20 * time.Second
)

// deployed is the memo of an execution: its deployments on GitHub.
type deployed struct {
	Deployments []*deployment `json:"deployments"`

	key string
}

// deployment is one of them, as GitHub has it.
type deployment struct {
	Stage       string `json:"stage"`
	Repository  string `json:"repository"`
	SHA         string `json:"sha"`
	Environment string `json:"environment"`
	// Creating is the marker: a create may be under way, or have happened. Before
	// Until, not finding it proves nothing.
	Creating bool      `json:"creating,omitempty"`
	Until    time.Time `json:"until,omitzero"`

	ID          int64  `json:"id,omitempty"` // 0: there is none yet
	State       string `json:"state,omitempty"`
	Description string `json:"description,omitempty"`
	Refused     int    `json:"refused,omitempty"` // HTTP status with which GitHub refused this state for good
}

// open says whether GitHub shows it as under way.
func (d *deployment) open() bool {
	return d.Creating || d.ID != 0 && d.Refused == 0 && !isFinal(d.State)
}

// isFinal says whether a deployment in a state is over.
func isFinal(state string) bool {
	return state == stateSuccess || state == stateFailure || state == stateError || state == stateInactive
}

func (x *deployed) of(stage, repository string) *deployment {
	i := slices.IndexFunc(x.Deployments, func(d *deployment) bool { return d.Stage == stage && d.Repository == repository })
	if i < 0 {
		return nil
	}
	return x.Deployments[i]
}

func (x *deployed) drop(d *deployment) {
	x.Deployments = slices.DeleteFunc(x.Deployments, func(o *deployment) bool { return o == d })
}

func (d *Deployments) load(ctx context.Context, execution string) (*deployed, error) {
	x := &deployed{key: executionKey(execution)}
	return x, d.read(ctx, x.key, x)
}

func (d *Deployments) save(ctx context.Context, x *deployed) error {
	if len(x.Deployments) == 0 {
		return d.note(ctx, x.key, nil)
	}
	return d.note(ctx, x.key, x)
}
