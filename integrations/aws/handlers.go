package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/events"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/source"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// EventReceipts is the source of the receipts of events that pipelines wait for.
const EventReceipts = "eventbridge"

// openEvents opens the queue of events for those who hear them; nil: there is none.
func openEvents(o Options, handlers ...events.Handler) *events.Reader {
	if o.QueueURL == "" {
		return nil
	}
	e := events.Options{QueueURL: o.QueueURL, Region: o.Accounts.Region, Accounts: accounts.Open(o.Accounts), Handlers: handlers, Log: o.Log}
	if e.Region == "" && len(o.Bridges) > 0 {
		e.Region = o.Bridges[0].Region
	}
	return events.NewReader(e)
}

// sourceEvents handles events about new objects, images and commits: the source actions that
// follow them are looked at.
func sourceEvents(engine func() Engine) events.Handler {
	return events.Handler{DetailTypes: source.DetailTypes(), Handle: func(_ context.Context, e events.Event, done func()) bool {
		concerned := source.Concerned(&e)
		return concerned != nil && engine().Look(concerned, done)
	}}
}

// triggerEvents handles every event: pipelines may wait for any.
func triggerEvents(engine func() Engine) events.Handler {
	return events.Handler{Handle: func(_ context.Context, e events.Event, done func()) bool {
		id := e.ID
		if id == "" || len(id) > longestID || clean.Line(id) != id {
			sum := sha256.Sum256(e.Body)
			id = hex.EncodeToString(sum[:16])
		}
		c := work.Change{Provider: "EventBridge", Event: "event", Repository: shown(e.Source), Branch: shown(e.DetailType), Commit: id, Document: e.Body, At: e.Time}
		return engine().ReceiveEvent(work.Receipt{Key: EventReceipts + "/" + id, Source: EventReceipts}, c, done)
	}}
}

// shown is a name of an event as cards and the record have it. EventBridge's are shorter
// than that, but whoever may send to the queue writes what they like.
func shown(name string) string { return words.Cut(clean.Line(name), longestName) }

const longestName = 256

// longestID is how long an event's ID may be to be taken as it is; EventBridge's have 36 characters.
const longestID = 100

// actionEvents handles events about how builds, deployments, stacks, executions and alarms stand:
// the actions that may be about them are asked about at once. What has become of
// them AWS's answer says, not the event.
func actionEvents(frame *runner.Frame, engine func() Engine) events.Handler {
	return events.Handler{DetailTypes: slices.Sorted(maps.Keys(subjects())), Handle: func(_ context.Context, e events.Event, done func()) bool {
		names := subjects()[e.DetailType](&e)
		if len(names) == 0 || !strings.HasPrefix(e.Source, "aws.") {
			return false
		}
		if tasks := frame.Hint(e.Region, e.Account, names...); len(tasks) > 0 {
			engine().LookAgain(tasks...)
		}
		done()
		return true
	}}
}

// subjects say by what names actions may know what an event is about, by its type.
func subjects() map[string]func(e *events.Event) []string {
	build, service := detailed("build-id"), func(e *events.Event) []string { return named(e.Resources...) }
	return map[string]func(e *events.Event) []string{
		"CodeBuild Build State Change":                    build,
		"CodeBuild Build Phase Change":                    build,
		"ECS Deployment State Change":                     service,
		"ECS Service Action":                              service,
		"CodeDeploy Deployment State-change Notification": detailed("deploymentId"),
		"Step Functions Execution Status Change":          detailed("executionArn"),
		"CloudFormation Stack Status Change":              detailed("stack-id"),
		"CloudWatch Alarm State Change":                   detailed("alarmName"),
	}
}

// detailed reads the name from a key of the detail.
func detailed(key string) func(e *events.Event) []string {
	return func(e *events.Event) []string {
		var d map[string]any
		if !e.Read(&d) {
			return nil
		}
		name, _ := d[key].(string)
		return named(name)
	}
}

// named are the names of things: as they are, and of ARNs also their end, as
// settings have it: "webshop:0aeb" of a build, "shop" of a stack or a service.
func named(things ...string) (names []string) {
	for _, thing := range things {
		if thing == "" {
			continue
		}
		names = append(names, thing)
		parts := strings.SplitN(thing, ":", 6)
		if len(parts) < 6 || parts[0] != "arn" {
			continue
		}
		kind, rest, _ := strings.Cut(parts[5], "/")
		names = append(names, rest)
		path := strings.Split(rest, "/")
		if kind == "stack" {
			names = append(names, path[0])
		} else {
			names = append(names, path[len(path)-1])
		}
	}
	return names
}
