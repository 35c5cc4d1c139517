package workflows

import "encoding/json"

// Rows that were written under earlier names are read here: the lock of a
// [RollbackPolicy] was called hold, the original definition of a rollback asWas
// and the current one asIs. Nothing is written under them any more.

// UnmarshalJSON reads a policy, under either name of its lock.
func (p *RollbackPolicy) UnmarshalJSON(data []byte) error {
	type plain RollbackPolicy
	row := struct {
		*plain
		Hold string `json:"hold"`
	}{plain: (*plain)(p)}
	if err := json.Unmarshal(data, &row); err != nil {
		return err
	}
	if row.Hold != "" {
		p.Lock = row.Hold
	}
	return nil
}

// UnmarshalJSON reads a rollback, under either name of its definition.
func (r *Rollback) UnmarshalJSON(data []byte) error {
	type plain Rollback
	err := json.Unmarshal(data, (*plain)(r))
	r.Definition = definitionNamed(r.Definition)
	return err
}

// UnmarshalJSON reads a planned rollback, under either name of its definition.
func (p *PlannedRollback) UnmarshalJSON(data []byte) error {
	type plain PlannedRollback
	err := json.Unmarshal(data, (*plain)(p))
	p.Definition = definitionNamed(p.Definition)
	return err
}

func definitionNamed(name string) string {
	switch name {
	case "asWas":
		return "original"
	case "asIs":
		return "current"
	}
	return name
}
