package codebuild

import "time"

// Script is what a build does. The zero value succeeds after 20 seconds and hands its source on as its artifact.
type Script struct {
	Takes    map[string]time.Duration // by phase; a phase that is not named takes its usual time
	Hold     string                   // a phase that does not end by itself: [Service.Release] or StopBuild ends it
	Fail     *Failure                 // nil: it succeeds
	Lines    map[string][]string      // of the log, by phase, spread evenly over its time
	Exported map[string]string        // exported variables
	// Files are what the artifacts are made of, by identifier ("" is the primary one), then by path. nil: the files of the
	// source, or one of the build's ID if there is none. An artifact without files fails in UPLOAD_ARTIFACTS.
	Files   map[string]map[string]string
	Reports []Report
}

// Failure is where and how a build ends badly.
type Failure struct {
	Phase         string // empty: BUILD
	Status        string // of the build: FAILED, FAULT, TIMED_OUT or STOPPED, as somebody in AWS stops it; empty: FAILED
	Code, Message string // the context of the phase; empty: a command that ended with status 1
}

func (f *Failure) filled() Failure {
	out := *f
	if out.Phase == "" {
		out.Phase = phaseBuild
	}
	if out.Status == "" {
		out.Status = statusFailed
	}
	if out.Code == "" && out.Message == "" && out.Status == statusFailed {
		out.Code, out.Message = "COMMAND_EXECUTION_ERROR", "Error while executing command: make. Reason: exit status 1"
	}
	return out
}

// Report is a report of tests.
type Report struct {
	Name  string // of its group: PROJECT-NAME
	Cases []Case
}

// Case is a test case.
type Case struct {
	Name, Message string
	Status        string // SUCCEEDED, FAILED, ERROR, SKIPPED; empty: SUCCEEDED
}

// Group is a build of a batch.
type Group struct {
	ID            string
	DependsOn     []string
	IgnoreFailure bool
	Script        Script
}

// Build is a build that others made: it is over, or stays as it is.
type Build struct {
	ID                  string // PROJECT:UUID
	Status              string // SUCCEEDED, FAILED, FAULT, TIMED_OUT, IN_PROGRESS, STOPPED
	Phases              []Phase
	LogGroup, LogStream string
}

// Phase is a phase of a build. Code and Message are its context.
type Phase struct {
	Type, Status, Code, Message string
}

const (
	phaseSubmitted    = "SUBMITTED"
	phaseQueued       = "QUEUED"
	phaseProvisioning = "PROVISIONING"
	phaseDownload     = "DOWNLOAD_SOURCE"
	phaseInstall      = "INSTALL"
	phasePreBuild     = "PRE_BUILD"
	phaseBuild        = "BUILD"
	phasePostBuild    = "POST_BUILD"
	phaseUpload       = "UPLOAD_ARTIFACTS"
	phaseFinalizing   = "FINALIZING"
	phaseCompleted    = "COMPLETED"

	statusRunning   = "IN_PROGRESS"
	statusSucceeded = "SUCCEEDED"
	statusFailed    = "FAILED"
	statusTimedOut  = "TIMED_OUT"
	statusStopped   = "STOPPED"
)

// usual is how long a phase takes.
func usual(phase string) time.Duration {
	return map[string]time.Duration{
		phaseQueued: time.Second, phaseProvisioning: 5 * time.Second, phaseDownload: time.Second, phaseInstall: time.Second, phaseBuild: 10 * time.Second,
		phaseUpload: time.Second, phaseFinalizing: time.Second,
	}[phase]
}

// after is the phase that follows one: after a failure the build goes straight to its end, only that POST_BUILD and
// UPLOAD_ARTIFACTS follow a failed BUILD.
func after(phase string, ok bool) string {
	if !ok {
		switch phase {
		case phaseSubmitted, phaseQueued, phaseProvisioning, phaseFinalizing:
			return phaseCompleted
		case phaseDownload, phaseInstall, phasePreBuild:
			return phaseFinalizing
		}
	}
	return map[string]string{
		phaseSubmitted: phaseQueued, phaseQueued: phaseProvisioning, phaseProvisioning: phaseDownload, phaseDownload: phaseInstall, phaseInstall: phasePreBuild,
		phasePreBuild: phaseBuild, phaseBuild: phasePostBuild, phasePostBuild: phaseUpload, phaseUpload: phaseFinalizing, phaseFinalizing: phaseCompleted,
	}[phase]
}
