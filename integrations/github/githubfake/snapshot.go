package githubfake

import "github.com/rollcall-bot/rollcall/integrations/wire/wirefake"

// snapshotVersion is the form of snapshots that is written, and the only one that is read.
const snapshotVersion = 1

// snapshot is what the fake took and sent. Options, faults and counts of calls
// are not in it.
type snapshot struct {
	Snapshot   int                 `json:"snapshot"`
	Statuses   []savedStatus       `json:"statuses"`   // oldest first
	Deliveries []wirefake.Delivery `json:"deliveries"` // oldest first
}

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
	return wirefake.WriteSnapshot("GitHub", saved)
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
	s.mu.Unlock()
	s.hook.Restore(saved.Deliveries)
	s.changes.Notify()
	return nil
}
