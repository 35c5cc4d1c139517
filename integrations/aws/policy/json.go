package policy

import (
	"bytes"
	"encoding/json"
)

// JSON prints the set as one JSON document: every policy with its comment, and
// the document itself as IAM takes it.
func (s Set) JSON() []byte {
	type policy struct {
		Name     string   `json:"name"`
		Kind     string   `json:"kind"`
		Role     string   `json:"role,omitempty"`
		Comment  string   `json:"comment"`
		Document Document `json:"document"`
	}
	out := struct {
		Comment  string   `json:"comment"`
		Warnings []string `json:"warnings"`
		Policies []policy `json:"policies"`
	}{s.Comment, append([]string{}, s.Warnings...), []policy{}}
	for _, d := range s.Documents {
		out.Policies = append(out.Policies, policy{d.Name, d.Kind, d.Role, d.Comment, d})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		panic(err) // values of strings only
	}
	return b.Bytes()
}
