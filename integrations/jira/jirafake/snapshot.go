package jirafake

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// snapshotVersion is the form of snapshots that is written, and the only one that is read.
const snapshotVersion = 1

// snapshot is the issues, and the counters that must not begin anew: keys and
// identifiers of deliveries are given once. Options, faults, refused fields and
// calls are not in it.
type snapshot struct {
	Snapshot   int            `json:"snapshot"`
	Issues     []savedIssue   `json:"issues"` // oldest first
	LastID     int            `json:"lastId"`
	Numbers    map[string]int `json:"numbers"` // the last given, by project
	Deliveries int            `json:"deliveries"`
}

type savedIssue struct {
	ID          int      `json:"id"`
	Key         string   `json:"key"`
	Project     string   `json:"project"`
	Type        string   `json:"type"`
	Summary     string   `json:"summary"`
	Description string   `json:"description"`
	Labels      []string `json:"labels"`
	Status      string   `json:"status"`
	Comments    []string `json:"comments"`
	CommentIDs  []int    `json:"commentIds,omitempty"` // of Comments; absent in older snapshots
	Resolution  string   `json:"resolution,omitempty"`
	Components  []string `json:"components,omitempty"`
	Priority    string   `json:"priority,omitempty"`
	Links       []Link   `json:"links,omitempty"`

	Remote []RemoteLink `json:"remote,omitempty"`

	Fields map[string]json.RawMessage `json:"fields,omitempty"`

	Created time.Time `json:"created"`
	Closed  time.Time `json:"closed,omitzero"`
}

// Snapshot is the fake as JSON, for Restore.
func (s *Server) Snapshot() ([]byte, error) {
	s.mu.Lock()
	saved := snapshot{Snapshot: snapshotVersion, Issues: []savedIssue{}, LastID: s.lastID, Numbers: maps.Clone(s.numbers), Deliveries: s.deliveries}
	for _, o := range s.issues {
		i := o.clone()
		saved.Issues = append(saved.Issues, savedIssue{
			ID: i.id, Key: i.Key, Project: i.Project, Type: i.Type, Summary: i.Summary, Description: i.Description,
			Labels: i.Labels, Status: i.Status, Comments: i.Comments, CommentIDs: i.commentIDs, Created: i.Created.UTC(), Closed: i.Closed.UTC(),
			Resolution: i.Resolution, Components: i.Components, Priority: i.Priority, Links: i.Links, Fields: i.Fields, Remote: s.releases.links[i.Key],
		})
	}
	s.mu.Unlock()
	return wirefake.WriteSnapshot("Jira", saved)
}

// Restore puts a snapshot in place of all issues. The error says why it cannot
// be used; then nothing has changed.
func (s *Server) Restore(data []byte) error {
	var saved snapshot
	if err := wirefake.ReadSnapshot("Jira", snapshotVersion, data, &saved); err != nil {
		return err
	}
	var issues []*Issue
	remote := map[string][]RemoteLink{}
	for _, i := range saved.Issues {
		issues = append(issues, &Issue{
			id: i.ID, Key: i.Key, Project: i.Project, Type: i.Type, Summary: i.Summary, Description: i.Description,
			Labels: i.Labels, Status: i.Status, Comments: i.Comments, commentIDs: i.ids(), Created: i.Created, Closed: i.Closed,
			Resolution: i.Resolution, Components: i.Components, Priority: i.Priority, Links: i.Links, Fields: i.Fields,
		})
		remote[i.Key] = i.Remote
	}
	s.mu.Lock()
	s.releases.links = remote
	s.issues, s.lastID, s.deliveries, s.numbers = issues, saved.LastID, saved.Deliveries, map[string]int{}
	maps.Copy(s.numbers, saved.Numbers)
	s.mu.Unlock()
	s.changes.Notify()
	return nil
}

// ids are those of the comments; an older snapshot has none.
func (i *savedIssue) ids() []int {
	ids := i.CommentIDs
	for n := len(ids); n < len(i.Comments); n++ {
		ids = append(ids, n+1)
	}
	return ids
}
