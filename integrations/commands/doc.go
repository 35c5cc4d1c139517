// Package commands carries out actions of the provider Commands: lines of
// shell on this machine, under a supervisor that outlives the service.
package commands
