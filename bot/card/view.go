package card

// What the forms of bot/form say of an execution, in the words of its card.

// Carries is what the execution brings, in a few plain words that are not escaped.
func (v *View) Carries() string { return carries(&v.Execution) }

// Lacks is what an override would set aside, in plain words that are not escaped.
// An empty action means the stage's conditions, or its only gate.
func (v *View) Lacks(stage, action string) []string {
	missing, _, _ := lacking(&v.Execution, stage, action)
	return missing
}

// SeveralGates says whether the execution asks at more than one gate at a time.
func (v *View) SeveralGates() bool { return severalGates(&v.Execution) }
