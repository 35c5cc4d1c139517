package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/compare"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

func (a *api) unknown(_ http.ResponseWriter, r *http.Request, _ workflows.Principal) (int, any, error) {
	return 0, nil, &workflows.Problem{Code: codeNotFound, Message: "there is no " + r.Method + " " + r.URL.Path, Hint: "the API begins at /api/v1/pipelines"}
}

// whoami needs no permission: it says of the token only what it is.
func (a *api) whoami(_ http.ResponseWriter, _ *http.Request, by workflows.Principal) (int, any, error) {
	return http.StatusOK, by, nil
}

// access says whether somebody may do something, and why.
func (a *api) access(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	q := say.AccessQuestion{Who: r.FormValue("who"), Pipeline: r.FormValue("pipeline"), Stage: r.FormValue("stage")}
	_ = q.Verb.UnmarshalText([]byte(r.FormValue("verb"))) // it takes every word
	answer, err := a.Explainer.Explain(r.Context(), by, q)
	answer.Holders = notNil(answer.Holders)
	return http.StatusOK, answer, err
}

func (a *api) pipelines(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	all, err := a.Reader.Pipelines(r.Context(), by)
	return http.StatusOK, map[string]any{"pipelines": notNil(all)}, err
}

func (a *api) pipeline(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	version, err := number(r, "version", 1<<30)
	if err != nil {
		return 0, nil, err
	}
	p, err := a.Reader.Pipeline(r.Context(), by, r.PathValue("pipeline"), version)
	if err == nil {
		tag(w, p.Version)
	}
	return http.StatusOK, p, err
}

func (a *api) executions(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	q := record.Query{Pipeline: r.PathValue("pipeline"), Status: workflows.Status(r.FormValue("status")), SucceededInStage: r.FormValue("succeededInStage")}
	if q.Status != "" && !q.Status.Final() && q.Status != workflows.StatusInProgress && q.Status != workflows.StatusStopping {
		return 0, nil, invalid("status", "there is no status "+string(q.Status), "one of InProgress, Stopping, Stopped, Succeeded, Superseded, Failed, Cancelled")
	}
	var err error
	if q.Limit, err = number(r, "limit", 100); err != nil {
		return 0, nil, err
	}
	if q.Before, err = number(r, "before", 1<<30); err != nil {
		return 0, nil, err
	}
	all, err := a.Reader.Executions(r.Context(), by, q)
	return http.StatusOK, map[string]any{"executions": notNil(all)}, err
}

func (a *api) execution(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	e, err := a.Reader.Execution(r.Context(), by, r.PathValue("execution"))
	return http.StatusOK, e, err
}

// changes is what the execution brings into a stage.
func (a *api) changes(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	set, err := a.Contents.Changes(r.Context(), by, r.PathValue("execution"), r.FormValue("stage"))
	return http.StatusOK, set, err
}

// notes are the release notes of what a stage runs.
func (a *api) notes(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	notes, err := a.Contents.Notes(r.Context(), by, r.PathValue("pipeline"), r.PathValue("stage"), r.FormValue("since"))
	return http.StatusOK, notes, err
}

// compare puts two executions side by side.
func (a *api) compare(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	var sides [2]workflows.Execution
	var defined [2]workflows.PipelineView
	for i, field := range []string{"a", "b"} {
		ref := r.FormValue(field)
		if ref == "" {
			return 0, nil, invalid(field, "the query must name two executions, a and b", "compare?a=webshop%2341&b=webshop%2342")
		}
		var err error
		if sides[i], err = a.Reader.Execution(r.Context(), by, ref); err != nil {
			return 0, nil, err
		}
		defined[i], err = a.Reader.Pipeline(r.Context(), by, sides[i].Pipeline, sides[i].Version)
		if p := (*workflows.Problem)(nil); errors.As(err, &p) && p.Code == workflows.CodeVersionNotFound {
			defined[i].Definition = nil // of a pipeline in AWS, which had it before it was first seen
		} else if err != nil {
			return 0, nil, err
		}
	}
	return http.StatusOK, compare.Executions(&sides[0], &sides[1], defined[0].Definition, defined[1].Definition), nil
}

func (a *api) targets(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	all, err := a.Reader.Targets(r.Context(), by, r.PathValue("pipeline"), r.PathValue("stage"))
	return http.StatusOK, map[string]any{"targets": notNil(all)}, err
}

func (a *api) approvals(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	all, err := a.Watcher.Approvals(r.Context(), by)
	return http.StatusOK, map[string]any{"approvals": notNil(all)}, err
}

func (a *api) log(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	attempt, err := number(r, "attempt", 1<<20)
	if err != nil {
		return 0, nil, err
	}
	offset, err := number(r, "offset", 1<<40)
	if err != nil {
		return 0, nil, err
	}
	l, err := a.Watcher.Log(r.Context(), by, r.PathValue("execution"), r.FormValue("stage"), r.FormValue("action"), attempt)
	if err != nil {
		return 0, nil, err
	}
	defer l.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if offset > 0 && r.Header.Get("Range") == "" {
		r.Header.Set("Range", "bytes="+strconv.Itoa(offset)+"-")
	}
	http.ServeContent(w, r, "", time.Time{}, l)
	return 0, nil, nil
}

// number reads a whole number from the query; none is 0.
func number(r *http.Request, name string, most int) (int, error) {
	text := r.FormValue(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, invalid(name, name+" must be a whole number from 0 to "+strconv.Itoa(most), "check the query")
	}
	return n, nil
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
