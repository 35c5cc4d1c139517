package config

import (
	"fmt"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// How commits show their pipelines: GitHub.Feedback.
const (
	FeedbackStatuses = "statuses" // one status for the pipeline and one for each stage
	FeedbackChecks   = "checks"   // one status for the pipeline and a check run with the stages
	FeedbackNone     = "none"     // nothing
)

// on is a switch that is on unless the file says otherwise.
func on(given *bool) bool { return given == nil || *given }

// ShowsDeployments says whether deployments are kept on GitHub.
func (g *GitHub) ShowsDeployments() bool { return on(g.Deployments) }

// CommentsOnPulls says whether pull requests get a comment that says where they run.
func (g *GitHub) CommentsOnPulls() bool { return on(g.PullRequests.Comment) }

// RecordsDeployments says whether GitHub is told which image runs where.
func (g *GitHub) RecordsDeployments() bool { return on(g.DeploymentRecords) }

// LooksUpFacts says whether GitHub is asked, when a gate opens, about image and tag.
func (g *GitHub) LooksUpFacts() bool { return on(g.GateFacts) }

// Writes are the permissions that this feedback needs, by GitHub's names.
func (g *GitHub) Writes() (names []string) {
	if g.Feedback != FeedbackNone {
		names = append(names, "statuses")
	}
	if g.Feedback == FeedbackChecks {
		names = append(names, "checks")
	}
	if g.ShowsDeployments() {
		names = append(names, "deployments")
	}
	if g.CommentsOnPulls() {
		names = append(names, "pull_requests")
	}
	return names
}

func (d *decoder) checkFeedback(g *GitHub) {
	known := []string{FeedbackStatuses, FeedbackChecks, FeedbackNone}
	switch {
	case g.Feedback == "":
	case !slices.Contains(known, g.Feedback):
		d.problem(d.at("github.feedback"), fmt.Sprintf("github.feedback cannot be %s", words.Quoted(g.Feedback)), "it is statuses, checks or none")
	case g.Feedback == FeedbackChecks && g.App == nil:
		d.problem(d.at("github.feedback"), "github.feedback checks needs github.app", "GitHub lets only an app write check runs; use statuses with a token")
	}
}
