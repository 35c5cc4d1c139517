package jira

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// wish is what an issue is to be once an execution has brought it somewhere.
type wish struct {
	Execution string `json:"execution"`
	Status    string `json:"status,omitempty"`
	Version   string `json:"version,omitempty"`
}

// wishOf is what the definition in force wants of issues that come into a stage;
// nil: nothing.
func (d *Deployments) wishOf(ctx context.Context, x *workflows.Execution, stage string) *wish {
	view, err := d.Reader.Pipeline(ctx, workflows.EnginePrincipal(), x.Pipeline, 0)
	if err != nil || view.Definition == nil || view.Definition.Jira == nil {
		return nil
	}
	j := view.Definition.Jira
	if !slices.Contains(j.In(view.Definition), stage) || x.Rollback != nil {
		return nil
	}
	return &wish{Execution: x.ID, Status: j.Status, Version: versionName(j.FixVersion, x)}
}

// versionName fills in what a version's name leaves open.
func versionName(name string, x *workflows.Execution) string {
	name = strings.NewReplacer("{number}", strconv.Itoa(x.Number), "{pipeline}", x.Pipeline).Replace(name)
	return words.Cut(name, 255)
}

// grant moves an issue to the status that is wished, and gives it the fix version, once.
func (d *Deployments) grant(ctx context.Context, r *issueRecord, _ string, e *environment) error {
	if e.Wish == nil {
		return nil
	}
	if e.Wish.Version != "" {
		err := d.addVersion(ctx, r.issue(), e.Wish.Version)
		if err := d.note(ctx, r, err, func() { e.Wish.Version = "" }); err != nil {
			return err
		}
	}
	if e.Wish.Status != "" {
		offered, moved, err := d.jira.move(ctx, r.issue(), toStatus(e.Wish.Status))
		if err == nil && !moved {
			d.Log.Info("an issue is not moved after a deployment: Jira offers no transition to that status from where it is", "issue", r.issue(), "status", e.Wish.Status, "offered", offered)
		}
		if err := d.note(ctx, r, err, func() { e.Wish.Status = "" }); err != nil {
			return err
		}
	}
	e.Wish = nil
	return d.saveRecord(ctx, r)
}

// addVersion gives an issue a fix version, which is made where its project has none of
// the name. Without the right to make versions it must be there.
func (d *Deployments) addVersion(ctx context.Context, key, version string) error {
	project, _, _ := strings.Cut(key, "-")
	made := project + "/" + version
	if !d.versions[made] {
		err := d.jira.call(ctx, http.MethodPost, "rest/api/2/version", map[string]any{"name": version, "project": project, "released": true,
			"releaseDate": d.Now().UTC().Format("2006-01-02")}, nil)
		switch answered(err) {
		case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict: // it is there, or somebody else must make it
			err = nil
		}
		if err != nil {
			return fmt.Errorf("making the version %s of %s: %w", version, project, err)
		}
		d.versions[made] = true
	}
	add := map[string]any{"update": map[string]any{"fixVersions": []any{map[string]any{"add": map[string]string{"name": version}}}}}
	err := d.jira.call(ctx, http.MethodPut, "rest/api/2/issue/"+key, add, nil)
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusBadRequest {
		// Nobody can mend it but who configures it: the next execution tries again.
		d.Log.Warn("Jira does not take a fix version", "issue", key, "version", version, "error", err, "hint", "make the version in the project, or give the account the permission Administer Projects")
		return nil
	}
	return err
}
