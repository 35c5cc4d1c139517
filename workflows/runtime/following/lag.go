package following

// Lag is how far a follower is behind.
type Lag struct {
	Commits uint64 // feed positions that it has not yet taken
	Behind  int    // pipelines for which it failed and is called again; the position goes on without them
}

// Lags says by name how far the followers are behind a feed position.
func (s *Followers) Lags(head uint64) map[string]Lag {
	all := map[string]Lag{}
	for _, w := range s.all {
		w.mu.Lock()
		l := Lag{Behind: len(w.rows)}
		if at := w.done(); at < head {
			l.Commits = head - at
		}
		w.mu.Unlock()
		all[w.name] = l
	}
	return all
}
