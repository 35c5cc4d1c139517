package githubfake

import (
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// snapshotVersion is the form of snapshots that is written, and the only one that is read.
const snapshotVersion = 1

// snapshot is what the fake took and sent. Options, faults and counts of calls
// are not in it.
type snapshot struct {
	Snapshot   int                 `json:"snapshot"`
	Statuses   []savedStatus       `json:"statuses"`   // oldest first
	Deliveries []wirefake.Delivery `json:"deliveries"` // oldest first
	// What was reported beyond statuses, oldest first.
	Deployments []savedDeployment `json:"deployments,omitempty"`
	Comments    []savedComment    `json:"comments,omitempty"`
	Checks      []savedCheck      `json:"checks,omitempty"`
	LastID      int64             `json:"lastID,omitempty"`
}

// The fields that GitHub does not answer with stand beside those that it does.
type (
	savedDeployment struct {
		Repository string `json:"repository"`
		Deployment
		Statuses []DeploymentStatus `json:"statuses,omitempty"`
	}
	savedComment struct {
		Repository string `json:"repository"`
		Number     int    `json:"number"`
		Comment
		Edits int `json:"edits,omitempty"`
	}
	savedCheck struct {
		Repository string `json:"repository"`
		CheckRun
	}
)

type savedStatus struct {
	Repository string `json:"repository"`
	SHA        string `json:"sha"`
	Status
}

// Snapshot is the fake as JSON, for Restore.
func (s *Server) Snapshot() ([]byte, error) {
	saved := snapshot{Snapshot: snapshotVersion, Statuses: []savedStatus{}, Deliveries: append([]wirefake.Delivery{}, s.Deliveries()...)}
	for _, st := range s.Statuses("") {
		saved.Statuses = append(saved.Statuses, savedStatus{st.Repository, st.SHA, st})
	}
	s.mu.Lock()
	s.feedback.save(&saved)
	s.mu.Unlock()
	return wirefake.WriteSnapshot("GitHub", saved)
}

func (f *feedback) save(to *snapshot) {
	to.LastID = f.lastID
	for _, d := range f.deployments {
		to.Deployments = append(to.Deployments, savedDeployment{d.Repository, *d, slices.Clone(d.Statuses)})
	}
	for _, c := range f.comments {
		to.Comments = append(to.Comments, savedComment{c.Repository, c.Number, *c, c.Edits})
	}
	for _, c := range f.checks {
		to.Checks = append(to.Checks, savedCheck{c.Repository, *c})
	}
}

func (f *feedback) restore(from *snapshot) {
	f.lastID, f.deployments, f.comments, f.checks = from.LastID, nil, nil, nil
	for _, saved := range from.Deployments {
		d := saved.Deployment
		d.Repository, d.Statuses = saved.Repository, saved.Statuses
		f.deployments = append(f.deployments, &d)
	}
	for _, saved := range from.Comments {
		c := saved.Comment
		c.Repository, c.Number, c.Edits = saved.Repository, saved.Number, saved.Edits
		f.comments = append(f.comments, &c)
	}
	for _, saved := range from.Checks {
		c := saved.CheckRun
		c.Repository = saved.Repository
		f.checks = append(f.checks, &c)
	}
}

// Restore puts a snapshot in place of all that was taken and sent. The error
// says why it cannot be used; then nothing has changed.
func (s *Server) Restore(data []byte) error {
	var saved snapshot
	if err := wirefake.ReadSnapshot("GitHub", snapshotVersion, data, &saved); err != nil {
		return err
	}
	var statuses []Status
	for _, st := range saved.Statuses {
		st.Status.Repository, st.Status.SHA = st.Repository, st.SHA
		statuses = append(statuses, st.Status)
	}
	s.mu.Lock()
	s.statuses = statuses
	s.feedback.restore(&saved)
	s.mu.Unlock()
	s.hook.Restore(saved.Deliveries)
	s.changes.Notify()
	return nil
}
