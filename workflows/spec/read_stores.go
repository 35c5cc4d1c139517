package spec

import "github.com/rollcall-bot/rollcall/workflows"

// checked is a key's text, checked against the table; "" when it has another form.
func (o object) checked(key string) string {
	o.unused(key)
	return scalarOf(o.get(key))
}

// scalarOf is the text of a node that holds one; what else it holds is reported elsewhere.
func scalarOf(n *node) string {
	if n == nil || n.kind != scalar {
		return ""
	}
	return n.text
}

// stores reads where AWS finds artifacts.
func (r reader) stores(o object, p *workflows.Pipeline) {
	o.unused("artifactStore", "artifactStores")
	if o.has("artifactStore") && o.has("artifactStores") {
		r.add(o.get("artifactStores").pos, "artifactStore and artifactStores are both given", "keep one")
	}
	if n := o.get("artifactStore"); n != nil && n.kind == mapping {
		store := storeOf(n)
		p.ArtifactStore = &store
	}
	if n := o.get("artifactStores"); n != nil && n.kind == mapping {
		for _, e := range n.entries {
			if p.ArtifactStores == nil {
				p.ArtifactStores = map[string]workflows.ArtifactStore{}
			}
			p.ArtifactStores[e.key] = storeOf(e.value)
		}
	}
}

// storeOf reads a store that was checked against the table; both of its types have one word.
func storeOf(n *node) (s workflows.ArtifactStore) {
	s.Location, s.Type = scalarOf(n.get("location")), "S3"
	if k := n.get("encryptionKey"); k != nil && k.kind == mapping {
		s.EncryptionKey = &struct {
			ID   string `json:"id"`
			Type string `json:"type"`
		}{scalarOf(k.get("id")), "KMS"}
	}
	return s
}
