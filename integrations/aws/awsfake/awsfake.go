// Package awsfake is a small AWS in one process: CodePipeline with an engine of its own, and as much of the services around it
// as rollcall calls. It speaks AWS's wire protocols at one address for all services, checks requests against AWS's models
// and refuses in AWS's form. Tests and the demo run against it; `aws --endpoint-url` works too.
//
// A service is added in three steps. Its operations go into shapes/testdata/shapes.py, which then writes shapes/data. Its state
// goes into a sub-package, as a type that is an [api.Service] (and an [api.Clocked] if things happen by the clock, an
// [api.Authorizer] for the rights that calls need); it knows nothing of HTTP. A file here opens it, and a line in
// [services] names it. Tests reach it by [At].
//
// Time is the owner's: credentials expire, approvals time out and actions end by the clock in [Options].
// The AWS SDK looks at its own clock, so its user gives the fake the same one.
//
// A passing fake shows the shape of requests and our own logic, never what the real AWS does.
package awsfake

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
)

// Options says what the fake is like.
type Options struct {
	Now     func() time.Time // nil: a clock that stands still until Advance
	Account string           // of callers with an access key that was not given out; empty: 111122223333
	User    string           // whom such callers are; empty: arn:aws:iam::ACCOUNT:user/rollcall
	Keep    int              // how many of the newest calls and events are remembered; 0: all
}

// Server is the fake. It is an http.Handler for all services.
type Server struct {
	options Options
	changes fault.Changes
	faults  faults

	clock sync.Mutex
	now   time.Time // of the clock that stands still
	ids   atomic.Uint64

	mu        sync.Mutex // taken under the lock of a codepipeline.Service, never the other way round
	journal   []*Call
	keys      map[string]*principal // by access key ID
	roles     map[string]Role       // by ARN
	policies  map[string][]policy   // by ARN of a user or role
	resources map[string]shared     // buckets and keys with a policy of their own, by ARN
	regions   map[place]*region
	queues    map[string]*queue // by URL
	open      map[opened]api.Service
	services  map[string]service // by name in IAM
}

// place is an account in a region.
type place struct{ account, region string }

// region is what an account has in a region.
type region struct {
	pipelines *codepipeline.Service
	events    []codepipeline.Event
	forward   []string // URLs of queues that events go to
	streams   map[string][]logEvent
}

// New makes an AWS with nothing in it.
func New(o Options) *Server { return open(o, services()) }

// NewForPipelines makes an AWS of CodePipeline and what it stands on: CodeBuild, CloudWatch
// Logs, IAM, S3, SQS and STS. What the others take of a binary is left out of it.
func NewForPipelines(o Options) *Server { return open(o, pipelineServices()) }

func open(o Options, services map[string]service) *Server {
	if o.Account == "" {
		o.Account = "111122223333"
	}
	if o.User == "" {
		o.User = "arn:aws:iam::" + o.Account + ":user/rollcall"
	}
	s := &Server{
		options: o, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), keys: map[string]*principal{}, roles: map[string]Role{},
		policies: map[string][]policy{}, resources: map[string]shared{}, regions: map[place]*region{}, queues: map[string]*queue{}, open: map[opened]api.Service{}, services: services,
	}
	if o.Now == nil {
		s.options.Now = s.still
	}
	return s
}

func (s *Server) still() time.Time {
	s.clock.Lock()
	defer s.clock.Unlock()
	return s.now
}

// Advance moves the clock that stands still, and lets happen what is due by then.
func (s *Server) Advance(d time.Duration) {
	s.clock.Lock()
	s.now = s.now.Add(d)
	s.clock.Unlock()
	s.CatchUp()
}

// CatchUp brings everything up to the clock. Every call does it for its account and region; a caller needs it to see events come.
func (s *Server) CatchUp() {
	s.catchUp(func(place) bool { return true })
	for _, r := range s.places() {
		r.pipelines.CatchUp()
	}
	s.changes.Notify()
}

// Pipelines is CodePipeline of an account in a region.
func (s *Server) Pipelines(account, region string) *codepipeline.Service {
	return s.region(account, region).pipelines
}

func (s *Server) region(account, name string) *region {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{account, name}
	r := s.regions[at]
	if r == nil {
		r = &region{streams: map[string][]logEvent{}}
		r.pipelines = codepipeline.New(codepipeline.Options{
			Account: account, Region: name, Now: s.options.Now, Event: func(e codepipeline.Event) { s.publish(at, e) },
		})
		s.regions[at] = r
	}
	return r
}

// newID is a lower-case UUID, the same ones in every run.
func (s *Server) newID() string {
	sum := sha256.Sum256([]byte("awsfake " + strconv.FormatUint(s.ids.Add(1), 10)))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
}

// ServeHTTP serves all services.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(w, r) }
