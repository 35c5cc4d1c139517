package workflows

// Released says what becomes of the issues that a deployment brings.
type Released struct {
	Stages     []string `json:"stages,omitempty"`     // whose success counts; empty: the last one with an environment
	Status     string   `json:"status,omitempty"`     // that they move to
	FixVersion string   `json:"fixVersion,omitempty"` // that they get; {number} and {pipeline} are filled in
}

// In are the stages whose success counts.
func (r *Released) In(p *Pipeline) []string {
	if len(r.Stages) > 0 {
		return r.Stages
	}
	for i := len(p.Stages) - 1; i >= 0; i-- {
		if p.Stages[i].Environment != "" {
			return []string{p.Stages[i].Name}
		}
	}
	return nil
}
