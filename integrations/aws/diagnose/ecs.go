package diagnose

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Rollout is how a deployment of a service of ECS ended.
type Rollout struct {
	Service    string   // its name
	Reason     string   // of the deployment, as ECS says it
	RolledBack bool     // ECS has the service run again what it ran before
	Breaker    bool     // the circuit breaker opened
	Alarms     []string // those that rang
	Events     []string // of the service, the newest first
	Stopped    []Stopped
	Targets    []Target // of its load balancers that are not healthy
}

// Target is a target of a load balancer that is not healthy.
type Target struct {
	Group, ID           string // the name of its target group; 10.0.1.7:8080
	State, Reason, Said string // unhealthy, Target.ResponseCodeMismatch, "Health checks failed with these codes: [502]"
	Check               HealthCheck
}

// HealthCheck is how a load balancer looks at its targets.
type HealthCheck struct {
	Protocol, Port, Path string // HTTP, 8080 or traffic-port, /health
	Wants                string // codes of HTTP: 200-299
	Within               int    // seconds
}

// String is the check in words: "HTTP /health on port 8080, wants 200 within 5 s".
func (c HealthCheck) String() string {
	said := strings.TrimSpace(c.Protocol + " " + c.Path)
	if c.Port != "" {
		said += " on port " + c.Port
	}
	if c.Wants != "" {
		said += ", wants " + c.Wants
	}
	if c.Within > 0 {
		said += " within " + strconv.Itoa(c.Within) + " s"
	}
	return said
}

// cause says how a target stands.
func (t Target) cause() string {
	said := "the target " + t.ID + " of " + t.Group + " is " + t.State
	if t.Reason != "" {
		said += " (" + t.Reason + ")"
	}
	return strings.TrimSuffix(said+": "+t.Said, ": ")
}

// fix is what to do about a target, by the code of its reason.
func (t Target) fix() string {
	asks := "the health check of " + t.Group + " asks " + t.Check.String() + ": "
	switch t.Reason {
	case "Target.ResponseCodeMismatch":
		return asks + "see what the container answers there, and correct the path or what it answers"
	case "Target.Timeout":
		return asks + "nothing answers in time: check that the container listens on that port, and that its security group allows the load balancer"
	case "Target.FailedHealthChecks":
		return asks + "the connection is refused or broken: check that the container listens on that port"
	case "Elb.InitialHealthChecking", "Elb.RegistrationInProgress":
		return asks + "it was still being asked for the first time: give the service a longer grace period (healthCheckGracePeriodSeconds)"
	}
	return asks + "check path, port and what the container answers there"
}

// Stopped is a task that stopped.
type Stopped struct {
	Task, Code, Reason         string // its ID, "TaskFailedToStart", "CannotPullContainerError: …"
	Container, ContainerReason string
	Exited                     bool // the container ran, and ended with ExitCode
	ExitCode                   int
}

// mostSaid is how many tasks, and how many events, a finding shows.
const mostSaid = 3

// ECS explains how a deployment failed: first by the tasks that stopped, then by
// what the service says.
func ECS(r Rollout) workflows.Finding {
	f := Failure{Service: "ECS deployment", Message: r.Reason}
	class, title := healthCheck, "the deployment of "+r.Service+" failed"
	switch {
	case len(r.Alarms) > 0 && r.RolledBack:
		class, title = externalRollback, "the alarm "+strings.Join(r.Alarms, ", ")+" had ECS roll "+r.Service+" back"
	case r.RolledBack && r.Breaker:
		class, title = externalRollback, "ECS has rolled "+r.Service+" back: its circuit breaker opened"
	case r.RolledBack:
		class, title = externalRollback, "ECS has rolled "+r.Service+" back"
	case r.Breaker:
		title = "the circuit breaker of " + r.Service + " opened"
	}
	found := workflows.Finding{Class: class, Retry: afterFix, Title: title}
	for _, said := range r.said() {
		if d, ok := Denied(said); ok {
			denied := access(f, d)
			found.Class, found.Cause, found.Fix, found.Statement = denied.Class, denied.Cause, denied.Fix, denied.Statement
			break
		}
	}
	if found.Fix == nil {
		found.Cause, found.Fix = r.cause()
	}
	found = finish(f, found)
	for _, t := range r.Targets[:min(mostSaid, len(r.Targets))] {
		found.Evidence = append(found.Evidence, evidence{text("target " + t.ID + " of " + t.Group), text(strings.TrimSuffix(t.State+" "+t.Reason+": "+t.Said, ": ") + "; asked: " + t.Check.String())})
	}
	for _, t := range r.Stopped[:min(mostSaid, len(r.Stopped))] {
		found.Evidence = append(found.Evidence, evidence{text("task " + t.Task), text(t.said())})
	}
	for _, e := range r.Events[:min(mostSaid, len(r.Events))] {
		found.Evidence = append(found.Evidence, evidence{"event of the service", text(e)})
	}
	return found
}

// healthTexts are by what it is known that a load balancer did not find tasks healthy.
const healthTexts = "ELB health checks|target group|health checks|unhealthy"

// IsHealth says whether a load balancer did not find the tasks healthy, as ECS says it.
func IsHealth(r Rollout) bool {
	for _, said := range r.said() {
		for part := range strings.SplitSeq(healthTexts, "|") {
			if _, _, ok := cutFold(said, part); ok {
				return true
			}
		}
	}
	return false
}

// said is everything that ECS says, the tasks first.
func (r Rollout) said() (all []string) {
	for _, t := range r.Stopped {
		all = append(all, t.Reason, t.ContainerReason)
	}
	return append(append(all, r.Reason), r.Events...)
}

func (t Stopped) said() string {
	said := strings.TrimPrefix(t.Code+": "+t.Reason, ": ")
	if t.Exited {
		said += "; " + t.Container + " exited with " + strconv.Itoa(t.ExitCode)
	}
	if t.ContainerReason != "" {
		said += "; " + t.Container + ": " + t.ContainerReason
	}
	return said
}

// cause is what the texts tell, and what to do about it.
func (r Rollout) cause() (cause string, fix []string) {
	for _, c := range []struct{ texts, fix string }{
		{"CannotPullContainer|CannotPullImage|pull image", "check that the image and its tag exist, that the execution role may pull it, and that the subnet reaches the registry"},
		{"ResourceInitializationError|unable to pull secrets|retrieve secret", "check that the secrets exist, that the execution role may read them, and that the subnet reaches Secrets Manager, SSM and CloudWatch Logs"},
		{"OutOfMemory|exited with 137|code 137", "the container was killed: give it more memory, or let it use less"},
		{healthTexts, "check path, port and time limit of the health check, and the grace period of the service (healthCheckGracePeriodSeconds)"},
		{"unable to place a task|RESOURCE:|no Container Instances|Capacity is unavailable", "the cluster has no room for the task: add capacity, or lower what the task asks for"},
	} {
		for _, said := range append(r.tasks(), r.said()...) {
			for part := range strings.SplitSeq(c.texts, "|") {
				if _, _, ok := cutFold(said, part); !ok {
					continue
				}
				if c.texts == healthTexts && len(r.Targets) > 0 {
					return r.Targets[0].cause(), []string{r.Targets[0].fix()}
				}
				return said, []string{c.fix}
			}
		}
	}
	for _, t := range r.Stopped {
		if t.Exited && t.ExitCode != 0 {
			return t.said(), []string{"look at the last lines that the container " + t.Container + " wrote"}
		}
	}
	if len(r.Alarms) > 0 {
		return r.Reason, []string{"look at the alarm " + strings.Join(r.Alarms, ", ")}
	}
	if len(r.Targets) > 0 {
		return r.Targets[0].cause(), []string{r.Targets[0].fix()}
	}
	return cmp.Or(r.Reason, "ECS does not say why"), []string{"look at the stopped tasks and the events of the service"}
}

// tasks is what is said of each task that stopped.
func (r Rollout) tasks() (all []string) {
	for _, t := range r.Stopped {
		all = append(all, t.said())
	}
	return all
}
