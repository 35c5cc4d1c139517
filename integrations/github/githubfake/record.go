package githubfake

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Record is a deployment record of an artifact: what of it runs where.
type Record struct {
	Org        string `json:"-"`
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	Version    string `json:"version"`
	Status     string `json:"status"`
	Logical    string `json:"logical_environment"`
	Physical   string `json:"physical_environment"`
	Cluster    string `json:"cluster"`
	Deployment string `json:"deployment_name"`
	Repository string `json:"github_repository"`
}

// Records are the deployment records of an organization as they stand.
func (s *Server) Records(org string) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.feedback.records), func(r Record) bool { return r.Org != org })
}

// Attest adds an attestation that a workflow ("owner/name", ".github/workflows/build.yml",
// "refs/heads/main") has built what has a digest.
func (s *Server) Attest(repository, digest, workflow, ref string) {
	statement, err := json.Marshal(map[string]any{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
		"predicate": map[string]any{"buildDefinition": map[string]any{"externalParameters": map[string]any{
			"workflow": map[string]string{"ref": ref, "repository": "https://github.com/" + repository, "path": workflow}}}}})
	if err != nil {
		panic("githubfake: a statement always marshals: " + err.Error())
	}
	bundle, err := json.Marshal(map[string]any{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"dsseEnvelope": map[string]any{"payloadType": "application/vnd.in-toto+json", "payload": base64.StdEncoding.EncodeToString(statement)}})
	if err != nil {
		panic("githubfake: a bundle always marshals: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feedback.attested == nil {
		s.feedback.attested = map[string][]json.RawMessage{}
	}
	s.feedback.attested[digest] = append(s.feedback.attested[digest], bundle)
}

// Release adds a release of a tag.
func (s *Server) Release(repository, tag string, immutable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feedback.releases == nil {
		s.feedback.releases = map[string]bool{}
	}
	s.feedback.releases[repository+"@"+tag] = immutable
}

var isDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// createRecord adds a record, or replaces the one of the same deployment, as GitHub does.
func (s *Server) createRecord(w http.ResponseWriter, r *http.Request) {
	var in Record
	if !s.allowed(w, r) || !body(w, r, &in) {
		return
	}
	if in.Name == "" || !isDigest.MatchString(in.Digest) || in.Logical == "" || in.Deployment == "" || !slices.Contains([]string{"deployed", "decommissioned"}, in.Status) {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	in.Org = r.PathValue("org")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feedback.records = slices.DeleteFunc(s.feedback.records, func(o Record) bool {
		return o.Org == in.Org && o.Logical == in.Logical && o.Physical == in.Physical && o.Cluster == in.Cluster && o.Deployment == in.Deployment
	})
	s.feedback.records = append(s.feedback.records, in)
	s.changes.Notify()
	wire.Answer(w, http.StatusOK, map[string]any{"total_count": 1, "deployment_records": []Record{in}})
}

func (s *Server) listAttestations(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []any{}
	for _, bundle := range s.feedback.attested[r.PathValue("digest")] {
		found = append(found, map[string]any{"bundle": bundle, "repository_id": 1})
	}
	if len(found) == 0 {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	wire.Answer(w, http.StatusOK, map[string]any{"attestations": found})
}

func (s *Server) releaseOfTag(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	s.mu.Lock()
	immutable, ok := s.feedback.releases[fullName(r)+"@"+r.PathValue("tag")]
	s.mu.Unlock()
	if !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	wire.Answer(w, http.StatusOK, map[string]any{"id": 1, "tag_name": r.PathValue("tag"), "immutable": immutable})
}
