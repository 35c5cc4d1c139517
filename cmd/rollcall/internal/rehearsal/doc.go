// Package rehearsal plays test files: unit tests for pipelines, which run in
// milliseconds on the machine that decides in the service too, with no
// processes, no store and no clock but the test's own.
//
// A *test file* (webshop.test.yaml beside webshop.yaml) names its pipeline, the
// people, and *tests*; a test is a list of *steps*. A step holds at most one
// *act* (push, start, approve, wait …), and beside it what must follow: that it
// is refused, which execution it starts, what is expected to be true then. What
// actions would do outside is *faked*: they succeed at once, unless `outcomes`
// says otherwise. After every act the pipeline goes on for as long as anything
// follows by itself.
//
// Reading is one walk over the YAML tree along tables of keys (keys.go), so that
// every fault is found at once, with its place, and the reference in the
// documentation is printed from the same tables. Playing a test (world.go) is
// the part that the runtime has in the service: it looks facts up, carries tasks
// out and lets time pass. What is expected is compared in expect.go.
package rehearsal
