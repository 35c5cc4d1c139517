// Package cloudformation is CloudFormation of the fake of AWS: stacks that are created, updated and deleted by change
// sets, with their events by the clock. Templates are read as far as their resources, parameters and outputs; nothing
// is created. A test says which resource fails, with which words.
package cloudformation

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// How long things take.
const (
	makesSet = 5 * time.Second  // a change set
	resource = 10 * time.Second // one resource; they are worked on at the same time
	cleansUp = 20 * time.Second // what an update no longer uses
)

// Service is CloudFormation of an account in a region.
type Service struct {
	mu     sync.Mutex
	world  *api.World
	stacks []*stack // as they were created; a name may occur again after a deletion
	sets   []*changeSet
	fails  map[string]string // by NAME/RESOURCE or NAME/NESTED/RESOURCE: CloudFormation's words
	stuck  map[string]bool   // stacks whose rollback fails
	silent bool              // events do not say who began what
	page   int
	begun  []string // what was done: "CREATE shop", "SET release"
}

// New is a CloudFormation without stacks.
func New(w *api.World) *Service {
	return &Service{world: w, fails: map[string]string{}, stuck: map[string]bool{}, page: 100}
}

// Fail has a resource fail from now on when it is created, changed or deleted, with these words; none: it works again.
// "shop/Queue" is the resource Queue of the stack shop, "shop/Data/Table" one of the stack that is nested as Data.
func (s *Service) Fail(resource, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[resource] = reason
	if reason == "" {
		delete(s.fails, resource)
	}
}

// Stick has the rollbacks of a stack fail.
func (s *Service) Stick(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stuck[name] = true
}

// Silence has events without the token of who began what, as other fakes of CloudFormation have them.
func (s *Service) Silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
}

// Pages is how many events or changes one answer holds; 0: 100.
func (s *Service) Pages(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page = size
}

// Status is the status of the newest stack of that name; empty: there was none.
func (s *Service) Status(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	for i := len(s.stacks) - 1; i >= 0; i-- {
		if s.stacks[i].name == name {
			return s.stacks[i].status
		}
	}
	return ""
}

// Have makes a stack with that template, created a while ago.
func (s *Service) Have(name, body string, parameters map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, bad := read(body)
	if bad != nil {
		panic(bad.Message)
	}
	st := s.newStack(name)
	st.template, st.parameters = t, parameters
	st.created = s.world.Now().Add(-time.Hour)
	st.clock = st.created
	defer func() { st.clock = time.Time{} }()
	s.event(st, "", "AWS::CloudFormation::Stack", "CREATE_IN_PROGRESS", "User Initiated", "")
	st.set("CREATE_COMPLETE", "")
	s.event(st, "", "AWS::CloudFormation::Stack", "CREATE_COMPLETE", "", "")
}

// Put gives a stack another status after that time, as if somebody else worked on it.
func (s *Service) Put(name, status string, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.stack(name); st != nil {
		st.steps = append(st.steps, step{s.world.Now().Add(after), func() {
			st.token = ""
			s.own(st, status, "")
			s.obsolete(st, nil)
		}})
		s.catchUp()
	}
}

// Delete deletes a stack as somebody else.
func (s *Service) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.deleteStack(&api.Request{Input: api.Input{"StackName": name}}) // it refuses nothing
}

// Begun lists what was begun, in order: "SET release" (a change set), "CREATE shop", "UPDATE shop", "DELETE shop".
func (s *Service) Begun() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.begun)
}

// Policy is the stack policy of a stack.
func (s *Service) Policy(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.stack(name); st != nil {
		return st.policy
	}
	return ""
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	do, ok := map[string]func(*api.Request) (any, *api.Error){
		"DescribeStacks": s.describeStacks, "DescribeStackEvents": s.describeEvents, "DeleteStack": s.deleteStack, "CancelUpdateStack": s.cancelUpdate, "SetStackPolicy": s.setPolicy,
		"CreateChangeSet": s.createSet, "DescribeChangeSet": s.describeSet, "ExecuteChangeSet": s.executeSet, "DeleteChangeSet": s.deleteSet,
	}[q.Operation]
	if !ok {
		return nil, invalid("The fake of CloudFormation has no %s", q.Operation)
	}
	return do(q)
}

// CatchUp implements [api.Clocked].
func (s *Service) CatchUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
}

func (s *Service) catchUp() {
	now := s.world.Now()
	for i := 0; i < len(s.stacks); i++ { // a step may add a nested stack
		st := s.stacks[i]
		for len(st.steps) > 0 && !st.steps[0].at.After(now) {
			step := st.steps[0]
			st.steps = st.steps[1:]
			st.clock = step.at
			step.do()
		}
		st.clock = time.Time{}
	}
	for _, c := range s.sets {
		c.catchUp(now)
	}
}

// Rights implements [api.Authorizer]: what IAM wants is the stack, with any ID.
func (s *Service) Rights(q *api.Request) []api.Right {
	name := q.Input.Text("StackName")
	if id := q.Input.Text("ChangeSetName"); strings.HasPrefix(id, "arn:") {
		s.mu.Lock()
		if c := s.setOf(id, ""); c != nil {
			name = c.stack.name
		}
		s.mu.Unlock()
	}
	if strings.HasPrefix(name, "arn:") {
		name = strings.Split(name, "/")[1]
	}
	rights := []api.Right{{Action: "cloudformation:" + q.Operation, Resource: q.ARN("stack/" + name + "/0")}}
	if role := q.Input.Text("RoleARN"); role != "" {
		rights = append(rights, api.PassRole(role, "cloudformation.amazonaws.com"))
	}
	return append(rights, s.readsTemplate(q.Input.Text("TemplateURL"))...)
}

func invalid(format string, args ...any) *api.Error {
	e := api.Refuse("ValidationError", format, args...)
	e.Status = 400
	return e
}

// paged is a page of a list, from the one that the token names.
func paged[T any](all []T, token string, size int) (page []T, next any) {
	from, _ := strconv.Atoi(token) // the fake's own
	from = min(from, len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		return all[from:to], strconv.Itoa(to)
	}
	return all[from:to], nil
}

// readsTemplate are the rights to read the object at https://BUCKET.s3.REGION.amazonaws.com/KEY: it is read in the caller's name.
func (s *Service) readsTemplate(address string) []api.Right {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	bucket, _, ok := strings.Cut(u.Host, ".s3.")
	if !ok {
		return nil
	}
	object := "arn:aws:s3:::" + bucket + u.Path
	rights := []api.Right{{Action: "s3:GetObject", Resource: object}}
	if u.Query().Has("versionId") {
		rights = append(rights, api.Right{Action: "s3:GetObjectVersion", Resource: object})
	}
	return append(rights, s.world.Reads(bucket, strings.TrimPrefix(u.Path, "/"), u.Query().Get("versionId"))...)
}
