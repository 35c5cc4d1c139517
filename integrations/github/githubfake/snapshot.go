package githubfake

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// snapshotVersion is the form of snapshots that is written, and the only one that is read.
const snapshotVersion = 1

// snapshot is what the fake took and sent. Options, faults and counts of calls
// are not in it.
type snapshot struct {
	Snapshot   int             `json:"snapshot"`
	Statuses   []savedStatus   `json:"statuses"`   // oldest first
	Deliveries []savedDelivery `json:"deliveries"` // oldest first
}

type savedStatus struct {
	Repository string `json:"repository"`
	SHA        string `json:"sha"`
	Status
}

type savedDelivery struct {
	ID      string `json:"id"`
	Event   string `json:"event"`
	Payload []byte `json:"payload"`
	Status  int    `json:"status"`
	Answer  []byte `json:"answer"`
}

// Snapshot is the fake as JSON, for Restore.
func (s *Server) Snapshot() ([]byte, error) {
	saved := snapshot{Snapshot: snapshotVersion, Statuses: []savedStatus{}, Deliveries: []savedDelivery{}}
	for _, st := range s.Statuses("") {
		saved.Statuses = append(saved.Statuses, savedStatus{st.Repository, st.SHA, st})
	}
	for _, d := range s.Deliveries() {
		saved.Deliveries = append(saved.Deliveries, savedDelivery(d))
	}
	b, err := json.Marshal(saved)
	if err != nil {
		return nil, fmt.Errorf("writing GitHub's snapshot: %w", err)
	}
	return b, nil
}

// Restore puts a snapshot in place of all that was taken and sent. The error
// says why it cannot be used; then nothing has changed.
func (s *Server) Restore(data []byte) error {
	var saved snapshot
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&saved); err != nil {
		return fmt.Errorf("reading GitHub's snapshot: %w", err)
	}
	if saved.Snapshot != snapshotVersion {
		return fmt.Errorf("GitHub's snapshot has form %d, this program reads form %d", saved.Snapshot, snapshotVersion)
	}
	var statuses []Status
	for _, st := range saved.Statuses {
		st.Status.Repository, st.Status.SHA = st.Repository, st.SHA
		statuses = append(statuses, st.Status)
	}
	var deliveries []Delivery
	for _, d := range saved.Deliveries {
		deliveries = append(deliveries, Delivery(d))
	}
	s.mu.Lock()
	s.statuses, s.deliveries = statuses, deliveries
	s.mu.Unlock()
	s.changes.Notify()
	return nil
}
