package jirafake

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// releases is what Jira knows of deployments: remote links, versions, and what the
// Deployments API was given.
type releases struct {
	links       map[string][]RemoteLink    // by issue
	versions    map[string][]string        // by project
	fixed       map[string][]string        // versions by issue
	deployments map[deploymentKey]Deployed // the newest update of each
	refused     string                     // what every deployment is refused for
}

type deploymentKey struct {
	pipeline, environment string
	sequence              int64
}

// Deployed is a deployment that the Deployments API took.
type Deployed struct {
	Sequence    int64     `json:"deploymentSequenceNumber"`
	Update      int64     `json:"updateSequenceNumber"`
	State       string    `json:"state"`
	DisplayName string    `json:"displayName"`
	Description string    `json:"description"`
	Label       string    `json:"label"`
	URL         string    `json:"url"`
	LastUpdated time.Time `json:"lastUpdated"`
	Schema      string    `json:"schemaVersion"`
	Pipeline    struct{ ID, DisplayName, URL string }
	Environment struct{ ID, DisplayName, Type string }
	// Issues are the keys of its associations.
	Issues       []string `json:"-"`
	Associations []struct {
		Type   string   `json:"associationType"`
		Values []string `json:"values"`
	} `json:"associations"`
}

func newReleases() releases {
	return releases{links: map[string][]RemoteLink{}, versions: map[string][]string{}, fixed: map[string][]string{}, deployments: map[deploymentKey]Deployed{}}
}

// releaseRoutes are what is asked about deployments.
func (s *Server) releaseRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /rest/api/2/issue/{key}/remotelink":        s.remoteLinks,
		"POST /rest/api/2/issue/{key}/remotelink":       s.addRemoteLink,
		"POST /rest/api/2/version":                      s.addVersion,
		"PUT /rest/api/2/issue/{key}":                   s.updateIssue,
		"POST /rest/deployments/0.1/bulk":               s.deploy,
		"POST /jira/deployments/0.1/cloud/{cloud}/bulk": s.deploy,
	}
}

// Deployments are those that the Deployments API knows, by their sequence numbers.
func (s *Server) Deployments() []Deployed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.releases.deployments), func(a, b Deployed) int { return int(a.Sequence - b.Sequence) })
}

// FixVersions are an issue's fix versions.
func (s *Server) FixVersions(key string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.releases.fixed[key])
}

// RefuseDeployments has the Deployments API take every call, and none of its deployments. Empty: it takes them.
func (s *Server) RefuseDeployments(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releases.refused = why
}

// addVersion makes a version of a project; one of each name.
func (s *Server) addVersion(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name, Project string }
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil || in.Name == "" || !slices.Contains(s.options.Projects, in.Project):
		refuse(w, http.StatusBadRequest, "", map[string]string{"project": "Project must be specified to create a version."})
	case slices.Contains(s.forbidden, "ADMINISTER_PROJECTS"):
		refuse(w, http.StatusForbidden, "You must have Administer Projects permission to create a version.", nil)
	case slices.Contains(s.releases.versions[in.Project], in.Name):
		refuse(w, http.StatusBadRequest, "", map[string]string{"name": "A version with this name already exists in this project."})
	default:
		s.lastID++
		s.releases.versions[in.Project] = append(s.releases.versions[in.Project], in.Name)
		wire.Answer(w, http.StatusCreated, map[string]any{"id": fmt.Sprint(s.lastID), "name": in.Name})
	}
}

// updateIssue adds fix versions, which must be there.
func (s *Server) updateIssue(w http.ResponseWriter, r *http.Request) {
	i, ok := s.issue(w, r)
	if !ok {
		return
	}
	var in struct {
		Update struct {
			FixVersions []struct{ Add struct{ Name string } } `json:"fixVersions"`
		} `json:"update"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil || len(in.Update.FixVersions) == 0 {
		refuse(w, http.StatusBadRequest, "Invalid request payload. Refer to the REST API documentation and try again.", nil)
		return
	}
	s.mu.Lock()
	for _, add := range in.Update.FixVersions {
		if !slices.Contains(s.releases.versions[i.Project], add.Add.Name) {
			s.mu.Unlock()
			refuse(w, http.StatusBadRequest, "", map[string]string{"fixVersions": "Version name '" + add.Add.Name + "' is not valid"})
			return
		}
		if !slices.Contains(s.releases.fixed[i.Key], add.Add.Name) {
			s.releases.fixed[i.Key] = append(s.releases.fixed[i.Key], add.Add.Name)
		}
	}
	s.mu.Unlock()
	s.changes.Notify()
	w.WriteHeader(http.StatusNoContent)
}

// deploy is the Deployments API: of each deployment the update with the highest number stays.
func (s *Server) deploy(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Deployments []Deployed `json:"deployments"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil || len(in.Deployments) == 0 || len(in.Deployments) > 100 {
		refuse(w, http.StatusBadRequest, "Request has incorrect format.", nil)
		return
	}
	accepted, rejected, unknown := []any{}, []any{}, []string{}
	for _, d := range in.Deployments {
		key := map[string]any{"pipelineId": d.Pipeline.ID, "environmentId": d.Environment.ID, "deploymentSequenceNumber": d.Sequence}
		for _, a := range d.Associations {
			for _, issue := range a.Values {
				if _, ok := s.Issue(issue); !ok {
					unknown = append(unknown, issue)
				}
				d.Issues = append(d.Issues, issue)
			}
		}
		if why := s.faultOf(&d); why != "" {
			rejected = append(rejected, map[string]any{"key": key, "errors": []any{map[string]string{"message": why}}})
			continue
		}
		at := deploymentKey{d.Pipeline.ID, d.Environment.ID, d.Sequence}
		s.mu.Lock()
		if old, ok := s.releases.deployments[at]; !ok || d.Update > old.Update {
			s.releases.deployments[at] = d
		}
		s.mu.Unlock()
		accepted = append(accepted, key)
	}
	s.changes.Notify()
	wire.Answer(w, http.StatusAccepted, map[string]any{"acceptedDeployments": accepted, "rejectedDeployments": rejected, "unknownIssueKeys": unknown})
}

// faultOf says why a deployment is not taken; empty: it is.
func (s *Server) faultOf(d *Deployed) string {
	s.mu.Lock()
	refused := s.releases.refused
	s.mu.Unlock()
	states := []string{"unknown", "pending", "in_progress", "cancelled", "failed", "rolled_back", "successful"}
	kinds := []string{"unmapped", "development", "testing", "staging", "production"}
	switch {
	case refused != "":
		return refused
	case !slices.Contains(states, d.State):
		return "state is not one of " + strings.Join(states, ", ")
	case !slices.Contains(kinds, d.Environment.Type):
		return "environment.type is not one of " + strings.Join(kinds, ", ")
	case d.Pipeline.ID == "" || d.Environment.ID == "" || d.DisplayName == "" || d.Description == "" || d.Schema != "1.0" || d.LastUpdated.IsZero():
		return "a required field is missing"
	case len(d.Issues) == 0 || len(d.Issues) > 500:
		return "associations must hold 1 to 500 values"
	}
	return ""
}
