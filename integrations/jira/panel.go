package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// PanelOptions say where the Deployments API is, and as whom it is called.
type PanelOptions struct {
	URL       string   // of Jira
	APIURL    string   // where calls of Jira itself go; empty: URL
	Gateway   string   // of Cloud, such as https://api.atlassian.com; empty: Jira has the API itself
	CloudID   string   // of the site, below the gateway
	Account   *Account // in place of User and Token
	User      string
	Token     string
	PublicURL string            // where pipelines and executions can be looked at
	Now       func() time.Time  // nil: time.Now
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport
}

// Panel says to Jira's deployments panel how executions ended.
type Panel struct {
	PanelOptions
	client *client
	path   string
}

// NewPanel checks the options; its errors are *workflows.Problem.
func NewPanel(o PanelOptions) (*Panel, error) {
	at, path := site{o.URL, o.APIURL, o.User, o.Token, o.Account}, "rest/deployments/0.1/bulk"
	if o.Gateway != "" {
		at.apiURL, path = o.Gateway, "jira/deployments/0.1/cloud/"+url.PathEscape(o.CloudID)+"/bulk"
	}
	c, err := newPacedClient(at, o.Transport, wire.Pacing{Timeout: 20 * time.Second, PerSecond: 5, Burst: 10})
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	return &Panel{o, c, path}, nil
}

// panelDeployment is one deployment in the words of the API.
type panelDeployment struct {
	Sequence     int               `json:"deploymentSequenceNumber"` // rises by pipeline and environment
	Update       int64             `json:"updateSequenceNumber"`     // the newest wins
	Associations []panelIssues     `json:"associations"`
	DisplayName  string            `json:"displayName"`
	URL          string            `json:"url"`
	Description  string            `json:"description"`
	LastUpdated  time.Time         `json:"lastUpdated"`
	Label        string            `json:"label"`
	State        string            `json:"state"`
	Pipeline     map[string]string `json:"pipeline"`
	Environment  map[string]string `json:"environment"`
	Schema       string            `json:"schemaVersion"`
}

type panelIssues struct {
	Type   string   `json:"associationType"`
	Values []string `json:"values"`
}

// say says how an execution ended for some issues, unless it has been said. What
// Jira refuses for good is not said again. gone: they are those that it took away.
func (p *Panel) say(ctx context.Context, a *arrival, l landing, keys []string, gone bool) error {
	if p == nil || len(keys) == 0 {
		return nil
	}
	if gone && l.State == successful {
		l.State = rolledBack
	}
	said := printOfText(l.State + " " + strings.Join(keys, " "))
	if a.Said == said {
		return nil
	}
	var answer struct {
		Rejected []struct {
			Errors []struct {
				Message string `json:"message"`
			} `json:"errors"`
		} `json:"rejectedDeployments"`
	}
	in := map[string]any{"deployments": []panelDeployment{p.deployment(l, keys)}, "providerMetadata": map[string]string{"product": "rollcall"}}
	if err := p.client.call(ctx, http.MethodPost, p.path, in, &answer); err != nil && !final(err) {
		return fmt.Errorf("saying to Jira's deployments how %s ended: %w", l.ref(), err)
	} else if err != nil {
		p.refused(a, l, err.Error())
	}
	for _, r := range answer.Rejected {
		raw, _ := json.Marshal(r.Errors)
		p.refused(a, l, words.Cut(string(raw), 500))
	}
	a.Said = said
	return nil
}

// refused notes what Jira will not take, for the execution's note.
func (p *Panel) refused(a *arrival, l landing, why string) {
	a.Refused = fmt.Sprintf("Jira's deployments do not take %s: %s", l.ref(), why)
}

func (p *Panel) deployment(l landing, keys []string) panelDeployment {
	state := map[string]string{successful: "deployed to", failedHere: "failed in", rolledBack: "rolled back in"}[l.State]
	d := panelDeployment{
		Sequence: l.Number, Update: max(p.Now().UnixMilli(), l.At.UnixMilli()), Associations: []panelIssues{{"issueIdOrKeys", keys}},
		DisplayName: words.Cut(l.ref(), 255), Description: words.Cut(fmt.Sprintf("%s %s %s", l.ref(), state, l.Environment), 255),
		LastUpdated: l.At.UTC(), Label: words.Cut(fmt.Sprintf("#%d", l.Number), 255), State: l.State, Schema: "1.0",
		URL:         p.PublicURL + "/executions/" + l.Execution,
		Pipeline:    map[string]string{"id": "rollcall/" + l.Pipeline, "displayName": words.Cut(l.Pipeline, 255), "url": p.PublicURL + "/"},
		Environment: map[string]string{"id": words.Cut(l.Environment, 255), "displayName": words.Cut(l.Environment, 255), "type": environmentType(l.Environment)},
	}
	return d
}

// environmentType is Jira's word for an environment.
func environmentType(name string) string {
	for _, kind := range [][]string{
		{"production", "prod", "live"}, {"staging", "stage", "preprod", "pre-production", "uat"}, {"testing", "test", "qa"}, {"development", "dev"},
	} {
		for _, word := range kind {
			if strings.EqualFold(name, word) || strings.HasPrefix(strings.ToLower(name), word+"-") {
				return kind[0]
			}
		}
	}
	return "unmapped"
}
