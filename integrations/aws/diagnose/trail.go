package diagnose

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// Subject is what an action works on, and the calls by which others change or delete it.
type Subject struct {
	Names            []string // as they stand in those calls: a bucket, a service, the ID of a deployment
	Changed, Deleted string   // as CloudTrail names them: UpdateService, DeleteService; empty: there is none
	Own              string   // the session in which the action's own calls are made; empty: it has none
}

// Trail says which events of CloudTrail would tell more about a finding. CloudTrail
// looks events up by one attribute; which of them it is, [Trail.Find] says.
type Trail struct {
	Attribute, Value string    // EventName, Username
	Since            time.Time // zero: as far back as CloudTrail goes

	denied  string // the permission that was refused
	subject Subject
}

// Event is an event of CloudTrail.
type Event struct {
	At              time.Time
	Who, Call, From string // ARN of who called; DeleteBucket; s3.amazonaws.com
	Code, Message   string // of the refusal; empty: it happened

	session    string
	parameters any
}

// TrailOf says what to look for: who was denied what, who deleted what is not there,
// or who changed what the action was changing since it began. False: nothing of it
// would tell more.
func TrailOf(f *workflows.Finding, s Subject, began time.Time, said ...string) (Trail, bool) {
	if f == nil {
		return Trail{}, false
	}
	switch f.Class {
	case accessDenied:
		for _, e := range f.Evidence {
			said = append(said, e.Text)
		}
		for _, one := range said {
			d, ok := Denied(one)
			if who := d.Who[strings.LastIndexByte(d.Who, '/')+1:]; ok && strings.HasPrefix(d.Who, "arn:") && strings.Contains(d.Who, "/") && !d.Explicit {
				return Trail{Attribute: "Username", Value: who, Since: began, denied: d.Action}, true
			}
		}
	case notFound, missingArtifact:
		return Trail{Attribute: "EventName", Value: s.Deleted, subject: s}, s.Deleted != "" && len(s.Names) > 0
	case conflict:
		return Trail{Attribute: "EventName", Value: s.Changed, Since: began, subject: s}, s.Changed != "" && len(s.Names) > 0 && s.Own != "" && !began.IsZero()
	}
	return Trail{}, false
}

// Find is the event that is looked for among those that CloudTrail answered, the
// newest first, each in CloudTrail's JSON.
func (t Trail) Find(newestFirst []string) (Event, bool) {
	for _, raw := range newestFirst {
		if e, ok := readEvent(raw); ok && t.fits(e) {
			return e, true
		}
	}
	return Event{}, false
}

func (t Trail) fits(e Event) bool {
	if t.denied != "" {
		_, call, _ := strings.Cut(t.denied, ":")
		refused := strings.Contains(e.Code, "Denied") || strings.Contains(e.Code, "Unauthorized")
		_, _, named := cutFold(e.Message, t.denied) // a PassRole is refused within another call
		return refused && (named || len(e.Call) >= len(call) && strings.EqualFold(e.Call[:len(call)], call))
	}
	return e.Code == "" && (t.subject.Own == "" || e.session != t.subject.Own) && names(e.parameters, t.subject.Names)
}

// names says whether one of the names, or an ARN that ends in it, stands somewhere in a value of JSON.
func names(value any, all []string) bool {
	switch v := value.(type) {
	case string:
		return slices.ContainsFunc(all, func(name string) bool {
			return name != "" && (v == name || strings.HasSuffix(v, "/"+name) || strings.HasSuffix(v, ":"+name) || strings.Contains(v, "/"+name+"/"))
		})
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return names(one, all) })
	case map[string]any:
		for _, one := range v {
			if names(one, all) {
				return true
			}
		}
	}
	return false
}

// longestEvent is how much of an event is read.
const longestEvent = 256 << 10

func readEvent(raw string) (Event, bool) {
	var in struct {
		EventTime              time.Time
		EventName, EventSource string
		ErrorCode              string
		ErrorMessage           string
		UserIdentity           struct {
			ARN       string
			InvokedBy string
		}
		RequestParameters any
	}
	if len(raw) > longestEvent || json.Unmarshal([]byte(raw), &in) != nil || in.EventName == "" {
		return Event{}, false
	}
	e := Event{At: in.EventTime, Who: in.UserIdentity.ARN, Call: in.EventName, From: in.EventSource, Code: in.ErrorCode, Message: in.ErrorMessage, parameters: in.RequestParameters}
	if e.Who == "" {
		e.Who = in.UserIdentity.InvokedBy
	}
	e.session = e.Who[strings.LastIndexByte(e.Who, '/')+1:]
	return e, e.Who != ""
}

// WithEvent adds the event of CloudTrail: who, when, which call, and how it was refused.
func WithEvent(f workflows.Finding, e Event) workflows.Finding {
	service, _, _ := strings.Cut(e.From, ".")
	said := e.Who + " called " + strings.TrimSpace(service+" "+e.Call)
	if e.Code != "" {
		said += ": " + strings.TrimSuffix(e.Code+": "+e.Message, ": ")
	}
	f.Evidence = append(f.Evidence, evidence{"CloudTrail, " + e.At.UTC().Format("2006-01-02 15:04:05 UTC"), text(said)})
	f.Fix = slices.Clone(f.Fix)
	for i, step := range f.Fix {
		if strings.HasPrefix(step, askTrail) {
			f.Fix[i] = text("ask " + clean.Line(e.Who) + ", who did it" + strings.TrimPrefix(step, askTrail))
		}
	}
	return f
}

// askTrail begins the step of a finding whose first part CloudTrail answers.
const askTrail = "find out who did it (CloudTrail knows)"
