// Package actions runs workflows of GitHub Actions, for actions of the provider
// GitHubWorkflow.
//
// A dispatch is the request that starts a workflow; the [Runner] makes it, finds the run
// that it became, and ends as the run does. GitHub's answer may be lost, and it may not
// name the run: a book of each workflow's dispatches, which is durable before the call,
// tells which run is whose. [Checks] asks before anything runs whether the workflows are
// there and take the inputs that actions give.
package actions
