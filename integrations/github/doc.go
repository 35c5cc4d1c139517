// Package github connects rollcall with GitHub, in both directions.
//
// Inbound, [Webhook] takes signed deliveries and turns pushes and pull requests
// into [work.Change] values, which the engine records with their receipt
// before GitHub is answered. The files that a pull request changes are not in
// its delivery: where a filter needs them, the delivery is only accepted, and
// [Webhook.Run] asks GitHub and finishes it. The people that a delivery names are good for
// excluding somebody from approving their own work, never for giving rights.
//
// Outbound are followers, mirrors of executions: [Statuses] keeps commit
// statuses, the pipeline's "rollcall/PIPELINE" and one per stage, on the commits
// that an execution's GitHub sources brought in; [CheckRuns] shows the stages in a
// check run where an App may; [Deployments] keeps one deployment per execution
// and environment; [PullComments] says on pull requests where they run.
//
// Asked, [Pulls] says by which pull requests commits came, in few calls, and
// [Directory] who is in a team.
//
// Payloads are read into narrow structs of our own, because the library's
// types refuse deliveries of real organisations; the library makes the calls.
package github
