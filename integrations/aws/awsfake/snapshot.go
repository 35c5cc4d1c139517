package awsfake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// kept is what a region's CodePipeline is made of.
type kept struct {
	Account   string          `json:"account"`
	Region    string          `json:"region"`
	Pipelines json.RawMessage `json:"pipelines"`
}

// Snapshot is all pipelines as bytes. Roles, policies, sessions, queues, logs and builds are not in it: their owner makes them again.
func (s *Server) Snapshot() ([]byte, error) {
	all := []kept{}
	for at, r := range s.places() {
		raw, err := r.pipelines.Snapshot()
		if err != nil {
			return nil, err
		}
		all = append(all, kept{at.account, at.region, raw})
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region)) })
	return json.Marshal(all)
}

// Restore makes a new server's pipelines what those of another one were.
func (s *Server) Restore(snapshot []byte) error {
	var all []kept
	if err := json.Unmarshal(snapshot, &all); err != nil {
		return fmt.Errorf("read the snapshot of AWS: %w", err)
	}
	for _, k := range all {
		if err := s.region(k.Account, k.Region).pipelines.Restore(k.Pipelines); err != nil {
			return err
		}
	}
	return nil
}

// Version is another one with every change of a pipeline by a call or by the owner.
func (s *Server) Version() uint64 {
	n := 0
	for _, r := range s.places() {
		n += r.pipelines.Changes()
	}
	return uint64(n) //nolint:gosec // a count
}

func (s *Server) places() map[place]*region {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[place]*region{}
	for at, r := range s.regions {
		all[at] = r
	}
	return all
}
