// Package doctor looks whether everything is there that the service needs:
// configuration, folders, Slack, GitHub, Bitbucket, GitLab, Jira and AWS. It works without the
// service, changes nothing, and shows no secret.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/vault"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Options say what to look at.
type Options struct {
	Config     string            // file
	Principals []string          // ARNs of those who should not be able to answer approvals in AWS
	Transport  http.RoundTripper // of Slack, GitHub and Jira; http.DefaultTransport when nil
	Now        func() time.Time  // time.Now when nil
}

// Report is what was found.
type Report struct {
	OK     bool    `json:"ok"` // nothing failed
	Checks []Check `json:"checks"`
}

// Check is one line of a report.
type Check struct {
	Section string `json:"section"` // configuration, data, pipelines, slack, github, bitbucket, gitlab, jira, aws
	selftest.Result
}

// allTime is how long one vendor is looked at.
const allTime = 2 * time.Minute

// doctor looks at one configuration.
type doctor struct {
	o         Options
	c         *config.Config
	unset     []string // messages of secrets that are not there
	pipelines []*workflows.Pipeline
}

// Run looks at everything, the vendors side by side.
func Run(ctx context.Context, o Options) Report {
	d := &doctor{o: o}
	checks, usable := d.configuration(ctx)
	if usable {
		checks = append(checks, d.folder()...)
		checks = append(checks, d.files()...)
		checks = append(checks, d.vendors(ctx)...)
	}
	ok := !slices.ContainsFunc(checks, func(c Check) bool { return c.Status == selftest.Failed })
	return Report{OK: ok, Checks: checks}
}

func in(section string, checks ...selftest.Result) []Check {
	all := make([]Check, len(checks))
	for i, c := range checks {
		all[i] = Check{section, c}
	}
	return all
}

// configuration reads the file. With faults nothing else can be looked at; of a
// secret that is not there only its own section suffers.
func (d *doctor) configuration(ctx context.Context) (checks []Check, usable bool) {
	c, faults, err := config.Inspect(d.o.Config)
	if err != nil {
		return in("configuration", selftest.Result{Status: selftest.Failed, Message: err.Error(), Fix: []string{"name the file with --config; rollcall init writes a first one"}}), false
	}
	if len(faults) == 0 {
		filled, err := vault.Fill(ctx, c)
		var kept config.Problems
		switch {
		case err == nil:
			c = filled
		case errors.As(err, &kept):
			faults = kept
		default:
			return in("configuration", selftest.Result{Status: selftest.Failed, Message: err.Error()}), false
		}
	}
	d.c, usable = c, true
	for _, f := range faults {
		check := selftest.Result{About: fmt.Sprintf("line %d", f.Line), Status: selftest.Failed, Message: f.Message}
		if f.Hint != "" {
			check.Fix = []string{f.Hint}
		}
		if f.Unset {
			d.unset = append(d.unset, f.Message)
		} else {
			usable = false
		}
		checks = append(checks, Check{"configuration", check})
	}
	if len(faults) == 0 {
		checks = in("configuration", selftest.Result{Status: selftest.OK, Message: d.o.Config})
	}
	if !usable {
		checks = append(checks, in("configuration", selftest.Result{Status: selftest.Skipped, Message: "nothing else was looked at", Fix: []string{"correct the configuration first"}})...)
	}
	for _, w := range slices.Concat(c.Open(), c.Warnings()) {
		checks = append(checks, Check{"configuration", selftest.Result{Status: selftest.Warning, Message: w}})
	}
	return checks, usable
}

// lacks says whether a secret of a section is not there.
func (d *doctor) lacks(section string) bool {
	return slices.ContainsFunc(d.unset, func(message string) bool { return strings.HasPrefix(message, section+".") })
}

// vendors looks at all that are configured, side by side, in a steady order.
func (d *doctor) vendors(ctx context.Context) []Check {
	looks := []struct {
		section string
		on      bool
		look    func(context.Context) []selftest.Result
	}{
		{"slack", d.c.Slack != nil, d.slack}, {"github", d.c.GitHub != nil, d.github}, {"bitbucket", d.c.Bitbucket != nil, d.bitbucket}, {"gitlab", d.c.GitLab != nil, d.gitlab},
		{"jira", d.c.Jira != nil, d.jira}, {"aws", len(d.c.Bridges) > 0 || len(d.ecsGates()) > 0 || len(d.actions()) > 0 || len(d.c.PipelinePolicy().Stores)+len(d.c.PublishNeeds()) > 0, d.aws},
	}
	found := make([][]Check, len(looks))
	var all sync.WaitGroup
	for i, l := range looks {
		switch {
		case !l.on:
		case d.lacks(l.section):
			found[i] = in(l.section, selftest.Result{Status: selftest.Skipped, Message: "was not looked at", Fix: []string{"set its secrets first: they are listed under configuration"}})
		default:
			all.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, allTime)
				defer cancel()
				found[i] = in(l.section, l.look(ctx)...)
			})
		}
	}
	all.Wait()
	return slices.Concat(found...)
}
