// Package accesstest holds one table of verb, state and person, and what each
// surface must make of it.
//
// testdata/table.txt says who may ask for what while a pipeline stands in some
// way. [Run] takes a surface through it: for each cell it asks the pure question
// of workflows/access about how things stand there, finds the answer in the
// table, and then asks the surface, which must refuse exactly whom the answer
// refuses. The service, its offers, the HTTP API and the bot are driven by the
// tests of this package, `rollcall test` by those of rehearsal.
package accesstest
