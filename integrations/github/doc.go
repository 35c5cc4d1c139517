// Package github takes what GitHub delivers, and answers what is asked about it.
//
// The rest of GitHub is below: clients and what their refusals mean in api, what readers
// of deliveries share in delivery, what is shown on GitHub in feedback, deployments of
// GitHub Actions that ask here in gates, workflows that run for us in actions.
//
// Inbound, [Webhook] takes signed deliveries and turns pushes and pull requests
// into [work.Change] values, which the engine records with their receipt
// before GitHub is answered. The files that a pull request changes are not in
// its delivery: where a filter needs them, the delivery is only accepted, and
// [Webhook.Run] asks GitHub and finishes it. The people that a delivery names are good for
// excluding somebody from approving their own work, never for giving rights.
//
// A webhook's list of deliveries says which did not arrive: [Webhook.FindMissed] makes
// them good. [Comments] carries out what people write on pull requests.
//
// Asked, [Pulls] says by which pull requests commits came, in few calls, and
// [Directory] who is in a team.
//
// Payloads are read into narrow structs of our own, because the library's
// types refuse deliveries of real organisations; the library makes the calls.
package github
