package gates

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/delivery"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// protectionPayload is what is read of it.
type protectionPayload struct {
	Action      string `json:"action"`
	Environment string `json:"environment"`
	Event       string `json:"event"`
	Callback    string `json:"deployment_callback_url"`
	Deployment  struct {
		ID  int64  `json:"id"`
		SHA string `json:"sha"`
		Ref string `json:"ref"`
	} `json:"deployment"`
	Repository struct {
		FullName string `json:"full_name"`
		HTMLURL  string `json:"html_url"`
	} `json:"repository"`
	Sender       delivery.User `json:"sender"`
	Installation struct {
		ID int64 `json:"id"`
	} `json:"installation"`
}

// request is a deployment that waits, as its receipt keeps it.
type request struct {
	Repository   string `json:"repository"`
	Environment  string `json:"environment"`
	Event        string `json:"event,omitempty"` // that started the workflow
	Run          int64  `json:"run"`
	Deployment   int64  `json:"deployment,omitempty"`
	Installation int64  `json:"installation"`
	SHA          string `json:"sha"`
	Ref          string `json:"ref,omitempty"`
	Page         string `json:"page,omitempty"` // of the repository
	Login        string `json:"login"`          // of the sender
}

// queue is the queue of a receipt: requests for one repository follow each other.
func queue(r work.Receipt) (queue string, ours bool) {
	var q request
	err := json.Unmarshal(r.Payload, &q)
	return strings.ToLower(q.Repository), err == nil
}

// Take answers a verified delivery that asks whether a deployment may go on. Receipt
// and execution are durable when GitHub is answered, as far as that comes in time.
func (g *Gates) Take(w http.ResponseWriter, r *http.Request, receipt work.Receipt, payload []byte) *wire.Rejection {
	q, ignored, err := g.read(payload)
	if err != nil {
		return delivery.Invalid(err.Error())
	}
	ctx, cancel := context.WithTimeout(r.Context(), delivery.AnswerWithin)
	defer cancel()
	var fresh bool
	a := delivery.Answer{Started: []string{}, Ignored: []string{}}
	if ignored == "" {
		receipt.Source = gatesName
		if receipt.Payload, err = json.Marshal(q); err == nil {
			receipt, fresh, err = g.inbox.Take(ctx, receipt, delivery.AnswerWithin)
		}
	} else {
		a.Ignored = append(a.Ignored, ignored)
		receipt.Source, receipt.Done = gatesName, true
		if receipt.Result, err = json.Marshal(a); err == nil {
			receipt, fresh, err = g.engine.Accept(ctx, receipt)
		}
	}
	if err == nil && len(receipt.Result) > 0 {
		err = json.Unmarshal(receipt.Result, &a)
	}
	if err != nil {
		return &wire.Rejection{Status: http.StatusServiceUnavailable, Code: workflows.CodeUnavailable, Detail: "the delivery could not be recorded; deliver it again", Cause: err}
	}
	a.Duplicate = !fresh
	wire.Answer(w, signed(fresh), a)
	return nil
}

// read says what is asked, or why it is not for us. How old the deployment is does not
// matter: a job may have waited for days before its environment's rules are asked, and
// what GitHub has ended meanwhile ends here by the next look. The error means that the delivery makes no sense.
func (g *Gates) read(payload []byte) (q request, ignored string, err error) {
	var p protectionPayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return q, "", errors.New("the request of a deployment protection rule cannot be read: it is no JSON object, or a field has an unexpected type")
	}
	if _, _, err := api.SplitRepository(p.Repository.FullName); err != nil {
		return q, "", err
	}
	name := p.Repository.FullName + ", environment " + words.Cut(clean.Line(p.Environment), 100)
	switch {
	case p.Action != "requested":
		return q, fmt.Sprintf("%s: %s asks for nothing", name, words.Cut(clean.Line(p.Action), 64)), nil
	case p.Environment == "" || len(p.Environment) > 255 || p.Environment != clean.Line(p.Environment):
		return q, "", errors.New("the request of a deployment protection rule names no environment")
	case !api.IsSHA(p.Deployment.SHA):
		return q, "", errors.New("the request of a deployment protection rule names no commit")
	case g.row(p.Repository.FullName, p.Environment) == nil:
		return q, name + ": no row of github.gates is for it", nil
	}
	run, ok := g.runOf(p.Callback, p.Repository.FullName)
	switch {
	case !ok:
		return q, name + ": the callback does not lead to a run of it at github.apiURL, so nothing is sent there", nil
	case p.Installation.ID <= 0:
		return q, name + ": the delivery names no installation of the app; let GitHub deliver to the app's webhook", nil
	}
	page := p.Repository.HTMLURL
	if !strings.HasPrefix(page, "https://") && !strings.HasPrefix(page, "http://") || len(page) > 500 || page != clean.Line(page) {
		page = ""
		if g.o.WebURL != "" {
			page = g.o.WebURL + p.Repository.FullName
		}
	}
	return request{Repository: p.Repository.FullName, Environment: p.Environment, Event: words.Cut(clean.Line(p.Event), 64), Run: run, Deployment: p.Deployment.ID,
		Installation: p.Installation.ID, SHA: p.Deployment.SHA, Ref: words.Cut(clean.Line(p.Deployment.Ref), 200), Page: page, Login: words.Cut(clean.Line(string(p.Sender.Login)), 100)}, "", nil
}

// runOf is the run that a callback leads to, if it is one of the repository and at the
// API of the configuration: the token of an installation goes nowhere else.
func (g *Gates) runOf(callback, repository string) (run int64, ok bool) {
	rest, ours := strings.CutPrefix(callback, g.api.String()+"repos/"+repository+"/actions/runs/")
	number, whole := strings.CutSuffix(rest, "/deployment_protection_rule")
	if !ours || !whole || len(number) > 18 || strings.Trim(number, "0123456789") != "" {
		return 0, false
	}
	run, err := strconv.ParseInt(number, 10, 64)
	return run, err == nil && run > 0
}

// process starts the execution of a request. One that was started before is found by its token.
func (g *Gates) process(ctx context.Context, receipt work.Receipt, try wire.Try) ([]byte, error) {
	var q request
	if err := json.Unmarshal(receipt.Payload, &q); err != nil {
		return nil, fmt.Errorf("read the receipt: %w", err)
	}
	a := delivery.Answer{Started: []string{}, Ignored: []string{}}
	r := g.row(q.Repository, q.Environment)
	if r == nil { // the configuration has changed since
		a.Ignored = append(a.Ignored, fmt.Sprintf("%s, environment %s: no row of github.gates is for it", q.Repository, q.Environment))
		return json.Marshal(a)
	}
	p := r.pipeline(q.Repository, q.Environment)
	g.history.learn(q.Repository, q.Installation)
	var made event.Result
	err := try(ctx, func(ctx context.Context) (err error) {
		if err = g.put(ctx, p); err == nil {
			made, err = g.engine.Submit(ctx, g.start(p.Name, &q), workflows.EnginePrincipal())
		}
		return err
	})
	switch {
	case err != nil && refusedForGood(err):
		a.Ignored = append(a.Ignored, p.Name+": "+err.Error())
	case err != nil:
		return nil, err
	case made.Execution != nil:
		a.Started = append(a.Started, made.Execution.ID)
	}
	return json.Marshal(a)
}

// start is the intent that asks people.
func (g *Gates) start(pipeline string, q *request) workflows.Intent {
	change := work.Change{By: delivery.Principal(q.Login, "")}
	g.emails.Join(&change)
	from := ""
	if q.Event != "" {
		from = " (" + q.Event + ")"
	}
	revision := workflows.SourceRevision{ActionName: gateRevision, RevisionID: q.SHA, Repository: q.Repository, Branch: q.Ref}
	page := ""
	if q.Page != "" {
		revision.RevisionURL, page = q.Page+"/commit/"+q.SHA, fmt.Sprintf("%s/actions/runs/%d", q.Page, q.Run)
	}
	variables := map[string]string{varRun: strconv.FormatInt(q.Run, 10), varPage: page, varRef: q.Ref, varEvent: q.Event,
		varDeployment: strconv.FormatInt(q.Deployment, 10), varInstallation: strconv.FormatInt(q.Installation, 10)}
	maps.DeleteFunc(variables, func(_, value string) bool { return value == "" }) // the default is the same, and nobody may give none
	return workflows.Intent{
		Verb: workflows.Start, Pipeline: pipeline, Token: q.token(), Change: []workflows.SourceRevision{revision},
		Trigger: &workflows.StartedBy{Type: workflows.TriggerProtected, By: change.By,
			Detail: fmt.Sprintf("GitHub Actions: run %d%s of %s asks to deploy to %s, for %s", q.Run, from, q.Repository, q.Environment, change.By.Called())},
		Variables: variables,
	}
}

// token is the same for whatever delivery brings the request.
func (q *request) token() string {
	if q.Deployment != 0 {
		return fmt.Sprintf("github-gate/%s/%d", strings.ToLower(q.Repository), q.Deployment)
	}
	return fmt.Sprintf("github-gate/%s/run/%d/%s/%s", strings.ToLower(q.Repository), q.Run, strings.ToLower(q.Environment), q.SHA)
}

// asked is a request as its execution knows it.
type asked struct {
	owner, name, environment string
	run, deployment          int64
	installation             int64
	page                     string
	since                    time.Time
}

// askedBy reads what an execution is about; ok is false for one of another kind.
func askedBy(p *workflows.Pipeline, e *workflows.Execution) (q asked, ok bool) {
	if p == nil || !p.IsProtection() || len(e.Stages) == 0 || len(e.Stages[0].Actions) == 0 {
		return q, false
	}
	var err error
	if q.owner, q.name, err = api.SplitRepository(p.Protects.Repository); err != nil {
		return q, false
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(e.Variables[name], 10, 64) // none: 0
		return n
	}
	q.environment, q.page, q.since = p.Protects.Environment, e.Variables[varPage], e.StartedAt
	q.run, q.deployment, q.installation = number(varRun), number(varDeployment), number(varInstallation)
	return q, q.run > 0 && q.installation > 0
}

func (q *asked) repository() string { return q.owner + "/" + q.name }
