// Package gates makes rollcall a deployment protection rule of GitHub Actions.
//
// A [Row] says which deployments ask here: those of a repository to an environment. Each
// request becomes an execution of a pipeline of its own with one gate; votes are sent as
// reports, the decision as the answer, by [Gates], which also looks at what became of
// deployments that people let past on GitHub. [Checks] asks whether the app may be such a
// rule and the environments use it.
package gates
