package cloudformation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// stack is a stack, or one that was deleted.
type stack struct {
	id, name       string
	status, reason string
	template       template
	parameters     map[string]string
	created        time.Time
	policy, role   string
	events         []event // oldest first
	steps          []step  // what happens, by time
	clock          time.Time
	token          string // of what is under way
	undo           func() // takes the template back
}

// step is something that happens to a stack.
type step struct {
	at time.Time
	do func()
}

type event struct {
	id, name, kind, physical, status, reason, token string
	at                                              time.Time
}

func (st *stack) set(status, reason string) { st.status, st.reason = status, reason }

func (st *stack) isBusy() bool { return strings.HasSuffix(st.status, "_IN_PROGRESS") }

func (s *Service) newStack(name string) *stack {
	st := &stack{id: fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%s", s.world.Region, s.world.Account, name, s.world.NewID()), name: name, created: s.world.Now()}
	s.stacks = append(s.stacks, st)
	return st
}

// stack is the one of that name, or ARN; by ARN one that is deleted is found too.
func (s *Service) stack(name string) *stack {
	for _, st := range slices.Backward(s.stacks) {
		if st.id == name || st.name == name && st.status != "DELETE_COMPLETE" {
			return st
		}
	}
	return nil
}

// event notes what happened to the stack itself, where the resource has no name, or to a resource.
func (s *Service) event(st *stack, name, kind, status, reason, physical string) {
	at := st.clock
	if at.IsZero() {
		at = s.world.Now()
	}
	if name == "" {
		name, physical = st.name, st.id
	}
	st.events = append(st.events, event{id: s.world.NewID(), name: name, kind: kind, physical: physical, status: status, reason: reason, token: st.token, at: at})
}

// own changes the stack's status, with its event.
func (s *Service) own(st *stack, status, reason string) {
	st.set(status, reason)
	s.event(st, "", nestedStack, status, reason, "")
}

func (st *stack) after(d time.Duration, do func()) {
	from := st.clock
	if len(st.steps) > 0 {
		from = st.steps[len(st.steps)-1].at
	}
	st.steps = append(st.steps, step{from.Add(d), do})
}

// run carries out a change set.
func (s *Service) run(c *changeSet) {
	st, verb := c.stack, "UPDATE"
	if c.create {
		verb = "CREATE"
	}
	before, beforeValues := st.template, st.parameters
	st.token, st.role, st.clock = c.executed, c.role, s.world.Now()
	defer func() { st.clock = time.Time{} }()
	s.begun = append(s.begun, verb+" "+st.name)
	s.own(st, verb+"_IN_PROGRESS", "User Initiated")
	for _, d := range c.changes {
		if d.action != "Remove" {
			s.event(st, d.name, d.kind, begun(d), "", physical(d))
		}
	}
	st.template, st.parameters = c.template, c.parameters
	st.undo = func() { st.template, st.parameters = before, beforeValues }
	st.after(resource, func() {
		failed := s.work(st, c)
		if len(failed) == 0 {
			s.complete(st, c, verb)
			return
		}
		c.execution = "EXECUTE_FAILED"
		what := "create"
		if verb == "UPDATE" {
			what = "update"
		}
		s.rollBack(st, verb, fmt.Sprintf("The following resource(s) failed to %s: [%s]. ", what, strings.Join(failed, ", ")))
	})
}

func begun(d change) string {
	if d.action == "Add" || d.replacement == "True" {
		return "CREATE_IN_PROGRESS"
	}
	return "UPDATE_IN_PROGRESS"
}

func physical(d change) string {
	if d.kind == nestedStack {
		return ""
	}
	return strings.ToLower(d.name) + "-1"
}

// work ends what was begun with the resources, and names those that failed. When one fails the others are cancelled.
func (s *Service) work(st *stack, c *changeSet) (failed []string) {
	reasons, ids := map[string]string{}, map[string]string{}
	for _, d := range c.changes {
		if why, id := s.why(st, d); d.action != "Remove" && why != "" {
			reasons[d.name], ids[d.name] = why, id
			failed = append(failed, d.name)
		}
	}
	for _, d := range c.changes {
		kind, _, _ := strings.Cut(begun(d), "_")
		switch {
		case d.action == "Remove":
		case reasons[d.name] != "":
			s.event(st, d.name, d.kind, kind+"_FAILED", reasons[d.name], ids[d.name])
		case len(failed) > 0:
			s.event(st, d.name, d.kind, kind+"_FAILED", map[string]string{"CREATE": "Resource creation cancelled", "UPDATE": "Resource update cancelled"}[kind], physical(d))
		default:
			s.event(st, d.name, d.kind, kind+"_COMPLETE", "", physical(d))
		}
	}
	return failed
}

// why says why a resource fails, and its ID; empty: it works. A nested stack fails by one of its resources.
func (s *Service) why(st *stack, d change) (reason, id string) {
	if why := s.fails[st.name+"/"+d.name]; why != "" {
		return why, physical(d)
	}
	prefix := st.name + "/" + d.name + "/"
	for _, key := range slices.Sorted(maps.Keys(s.fails)) {
		name, ok := strings.CutPrefix(key, prefix)
		if d.kind != nestedStack || !ok {
			continue
		}
		nested := s.newStack(st.name + "-" + d.name + "-1ABCDEF")
		nested.clock, nested.token = st.clock, st.token
		s.own(nested, "CREATE_IN_PROGRESS", "User Initiated")
		s.event(nested, name, "AWS::DynamoDB::Table", "CREATE_FAILED", s.fails[key], "")
		s.own(nested, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: ["+name+"]. Rollback requested by user.")
		s.own(nested, "ROLLBACK_COMPLETE", "")
		nested.clock = time.Time{}
		return "Embedded stack " + nested.id + " was not successfully created: The following resource(s) failed to create: [" + name + "]. ", nested.id
	}
	return "", ""
}

// complete ends a creation or an update.
func (s *Service) complete(st *stack, c *changeSet, verb string) {
	end := func() {
		s.own(st, verb+"_COMPLETE", "")
		s.sets = slices.DeleteFunc(s.sets, func(x *changeSet) bool { return x.stack == st }) // as AWS does
	}
	if verb == "CREATE" {
		end()
		return
	}
	c.execution = "EXECUTE_COMPLETE"
	s.own(st, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
	for _, d := range c.changes {
		if d.action == "Remove" && d.policy != "Retain" {
			s.event(st, d.name, d.kind, "DELETE_IN_PROGRESS", "", physical(d))
		}
	}
	st.after(cleansUp, end)
}

// rollBack takes back what was begun.
func (s *Service) rollBack(st *stack, verb, reason string) {
	prefix := "UPDATE_"
	if verb == "CREATE" {
		prefix = ""
		reason += "Rollback requested by user."
	}
	s.own(st, prefix+"ROLLBACK_IN_PROGRESS", reason)
	st.undo()
	st.after(resource, func() {
		if s.stuck[st.name] {
			s.own(st, prefix+"ROLLBACK_FAILED", "The following resource(s) failed to update: [Queue]. ")
			return
		}
		if prefix != "" {
			s.own(st, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
			st.after(cleansUp, func() { s.own(st, "UPDATE_ROLLBACK_COMPLETE", "") })
			return
		}
		s.own(st, "ROLLBACK_COMPLETE", "")
	})
}

func (s *Service) deleteStack(q *api.Request) (any, *api.Error) {
	st := s.stack(q.Input.Text("StackName"))
	if st == nil || st.status == "DELETE_COMPLETE" || st.status == "DELETE_IN_PROGRESS" {
		return nil, nil // AWS does not mind
	}
	st.token, st.steps, st.clock = q.Input.Text("ClientRequestToken"), nil, s.world.Now()
	defer func() { st.clock = time.Time{} }()
	s.begun = append(s.begun, "DELETE "+st.name)
	s.own(st, "DELETE_IN_PROGRESS", "User Initiated")
	st.after(resource, func() {
		for _, name := range slices.Sorted(maps.Keys(st.template.Resources)) {
			if why := s.fails[st.name+"/"+name]; why != "" && strings.Contains(why, "delete") {
				s.event(st, name, st.template.Resources[name].Type, "DELETE_FAILED", why, strings.ToLower(name)+"-1")
				s.own(st, "DELETE_FAILED", "The following resource(s) failed to delete: ["+name+"]. ")
				return
			}
		}
		s.own(st, "DELETE_COMPLETE", "")
	})
	return nil, nil
}

func (s *Service) cancelUpdate(q *api.Request) (any, *api.Error) {
	st := s.stack(q.Input.Text("StackName"))
	if st == nil || st.status != "UPDATE_IN_PROGRESS" {
		return nil, invalid("CancelUpdateStack cannot be called from current stack status")
	}
	if token := q.Input.Text("ClientRequestToken"); token != "" {
		st.token = token
	}
	st.steps, st.clock = nil, s.world.Now()
	defer func() { st.clock = time.Time{} }()
	for _, c := range s.sets {
		if c.stack == st && c.execution == "EXECUTE_IN_PROGRESS" {
			c.execution = "EXECUTE_FAILED"
		}
	}
	s.rollBack(st, "UPDATE", "User Initiated")
	return nil, nil
}

func (s *Service) setPolicy(q *api.Request) (any, *api.Error) {
	st := s.stack(q.Input.Text("StackName"))
	if st == nil {
		return nil, invalid("Stack with id %s does not exist", q.Input.Text("StackName"))
	}
	st.policy = q.Input.Text("StackPolicyBody")
	return nil, nil
}

func (s *Service) describeStacks(q *api.Request) (any, *api.Error) {
	st := s.stack(q.Input.Text("StackName"))
	if st == nil {
		return nil, invalid("Stack with id %s does not exist", q.Input.Text("StackName"))
	}
	outputs := []any{}
	for _, name := range slices.Sorted(maps.Keys(st.template.Outputs)) {
		outputs = append(outputs, map[string]any{"OutputKey": name, "OutputValue": fmt.Sprint(st.template.value(st.template.Outputs[name].Value, st.parameters))})
	}
	one := map[string]any{"StackId": st.id, "StackName": st.name, "StackStatus": st.status, "StackStatusReason": st.reason, "CreationTime": st.created, "Outputs": outputs}
	if needs := st.template.needs(); needs != "" {
		one["Capabilities"] = []any{needs}
	}
	if st.role != "" {
		one["RoleARN"] = st.role
	}
	return map[string]any{"Stacks": []any{one}}, nil
}

func (s *Service) describeEvents(q *api.Request) (any, *api.Error) {
	st := s.stack(q.Input.Text("StackName"))
	if st == nil {
		return nil, invalid("Stack [%s] does not exist", q.Input.Text("StackName"))
	}
	newest := slices.Clone(st.events)
	slices.Reverse(newest)
	page, next := paged(newest, q.Input.Text("NextToken"), s.page)
	all := []any{}
	for _, e := range page {
		one := map[string]any{"EventId": e.id, "StackId": st.id, "StackName": st.name, "LogicalResourceId": e.name, "PhysicalResourceId": e.physical, "ResourceType": e.kind,
			"ResourceStatus": e.status, "Timestamp": e.at}
		if e.token != "" && !s.silent {
			one["ClientRequestToken"] = e.token
		}
		if e.reason != "" {
			one["ResourceStatusReason"] = e.reason
		}
		all = append(all, one)
	}
	out := map[string]any{"StackEvents": all}
	if next != nil {
		out["NextToken"] = next
	}
	return out, nil
}
