package cloudformation

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// changeSet is a change set.
type changeSet struct {
	id, name, description, token string
	input                        string // what it was asked for, to know a repeat
	stack                        *stack
	create                       bool
	template                     template
	parameters                   map[string]string
	changes                      []change
	made, ready                  time.Time
	status, reason, execution    string
	executed                     string // the token that executed it
	role                         string
}

const nothingToChange = "The submitted information didn't contain changes. Submit different information to create a change set."

// catchUp makes a change set ready when its time has come.
func (c *changeSet) catchUp(now time.Time) {
	if c.status != "CREATE_IN_PROGRESS" || now.Before(c.ready) {
		return
	}
	if len(c.changes) == 0 {
		c.status, c.reason, c.execution = "FAILED", nothingToChange, "UNAVAILABLE"
		return
	}
	c.status, c.execution = "CREATE_COMPLETE", "AVAILABLE"
}

// obsolete makes all change sets of a stack but one unusable.
func (s *Service) obsolete(st *stack, but *changeSet) {
	for _, c := range s.sets {
		if c != but && c.stack == st && c.execution == "AVAILABLE" {
			c.execution = "OBSOLETE"
		}
	}
}

// setOf finds a change set by its ARN, or by its name and its stack.
func (s *Service) setOf(name, stackName string) *changeSet {
	for _, c := range slices.Backward(s.sets) {
		if c.id == name || c.name == name && (c.stack.name == stackName || c.stack.id == stackName) {
			return c
		}
	}
	return nil
}

func (s *Service) createSet(q *api.Request) (any, *api.Error) {
	in, name := q.Input, q.Input.Text("StackName")
	asked, _ := json.Marshal(in) // it came as text: it can be written as text
	if old := s.setOf(in.Text("ChangeSetName"), name); old != nil {
		switch {
		case old.token == "" || old.token != in.Text("ClientToken"):
			return nil, api.Refuse("AlreadyExistsException", "ChangeSet %s cannot be created due to a mismatch with existing attribute ClientToken", in.Text("ChangeSetName"))
		case old.input != string(asked):
			return nil, api.Refuse("AlreadyExistsException", "ChangeSet %s was made with other parameters", in.Text("ChangeSetName"))
		}
		return map[string]any{"Id": old.id, "StackId": old.stack.id}, nil
	}
	body, bad := s.body(in)
	if bad != nil {
		return nil, bad
	}
	t, bad := read(body)
	if bad != nil {
		return nil, bad
	}
	parameters := map[string]string{}
	for _, p := range in.List("Parameters") {
		parameters[p.Text("ParameterKey")] = p.Text("ParameterValue")
	}
	if bad := t.check(parameters, in.Texts("Capabilities")); bad != nil {
		return nil, bad
	}
	st, bad := s.target(name, in.Text("ChangeSetType") == "CREATE")
	if bad != nil {
		return nil, bad
	}
	now := s.world.Now()
	c := &changeSet{
		id: q.ARN("changeSet/" + in.Text("ChangeSetName") + "/" + s.world.NewID()), name: in.Text("ChangeSetName"), description: in.Text("Description"), token: in.Text("ClientToken"),
		input: string(asked), stack: st, create: in.Text("ChangeSetType") == "CREATE", template: t, parameters: parameters, changes: differences(st.template, st.parameters, t, parameters),
		made: now, ready: now.Add(makesSet), status: "CREATE_IN_PROGRESS", execution: "UNAVAILABLE", role: in.Text("RoleARN"),
	}
	s.sets, s.begun = append(s.sets, c), append(s.begun, "SET "+c.name)
	return map[string]any{"Id": c.id, "StackId": st.id}, nil
}

// body is the template that a request brings, or names in S3.
func (s *Service) body(in api.Input) (string, *api.Error) {
	at := in.Text("TemplateURL")
	switch body := in.Text("TemplateBody"); {
	case len(body) > 51200:
		return "", invalid("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200")
	case body != "" && at != "":
		return "", invalid("Only one of TemplateBody and TemplateURL may be given")
	case body != "":
		return body, nil
	}
	host, path, ok := strings.Cut(strings.TrimPrefix(at, "https://"), "/")
	bucket, _, isS3 := strings.Cut(host, ".s3.")
	if !ok || !isS3 {
		return "", invalid("TemplateURL must be a supported URL.")
	}
	key, version, _ := strings.Cut(path, "?versionId=")
	get := api.Input{"Bucket": bucket, "Key": key}
	if version != "" {
		get["VersionId"] = version
	}
	out, bad := s.world.Call("s3", "GetObject", get, nil)
	if bad != nil {
		return "", invalid("S3 error: %s", bad.Message)
	}
	got, _ := out.(map[string]any) // the fake's own
	data, _ := got["Body"].([]byte)
	return string(data), nil
}

// target is the stack that a change set is for. One that is to be created is in review until then.
func (s *Service) target(name string, create bool) (*stack, *api.Error) {
	st := s.stack(name)
	switch {
	case create && st == nil:
		st = s.newStack(name)
		st.set("REVIEW_IN_PROGRESS", "User Initiated")
		s.event(st, "", nestedStack, "REVIEW_IN_PROGRESS", "User Initiated", "")
		return st, nil
	case create && st.status != "REVIEW_IN_PROGRESS":
		return nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet.", name)
	case create:
		return st, nil
	case st == nil:
		return nil, invalid("Stack [%s] does not exist", name)
	case !canUpdate(st.status):
		return nil, invalid("Stack:%s is in %s state and can not be updated.", st.id, st.status)
	}
	return st, nil
}

func canUpdate(status string) bool {
	return slices.Contains([]string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"}, status)
}

func (s *Service) describeSet(q *api.Request) (any, *api.Error) {
	c := s.setOf(q.Input.Text("ChangeSetName"), q.Input.Text("StackName"))
	if c == nil {
		return nil, api.Refuse("ChangeSetNotFoundException", "ChangeSet [%s] does not exist", q.Input.Text("ChangeSetName"))
	}
	out := map[string]any{"ChangeSetId": c.id, "ChangeSetName": c.name, "StackId": c.stack.id, "StackName": c.stack.name, "Status": c.status,
		"StatusReason": c.reason, "ExecutionStatus": c.execution, "CreationTime": c.made}
	if c.description != "" {
		out["Description"] = c.description
	}
	changes := []any{}
	page, next := paged(c.changes, q.Input.Text("NextToken"), s.page)
	for _, d := range page {
		r := map[string]any{"Action": d.action, "LogicalResourceId": d.name, "ResourceType": d.kind}
		if d.replacement != "" {
			r["Replacement"] = d.replacement
		}
		if d.policy != "" {
			r["PolicyAction"] = d.policy
		}
		changes = append(changes, map[string]any{"Type": "Resource", "ResourceChange": r})
	}
	if out["Changes"] = changes; next != nil {
		out["NextToken"] = next
	}
	return out, nil
}

func (s *Service) deleteSet(q *api.Request) (any, *api.Error) {
	c := s.setOf(q.Input.Text("ChangeSetName"), q.Input.Text("StackName"))
	if c == nil {
		return nil, api.Refuse("ChangeSetNotFoundException", "ChangeSet [%s] does not exist", q.Input.Text("ChangeSetName"))
	}
	if c.execution == "EXECUTE_IN_PROGRESS" {
		return nil, api.Refuse("InvalidChangeSetStatusException", "ChangeSet [%s] cannot be deleted while it is executed", c.id)
	}
	s.sets = slices.DeleteFunc(s.sets, func(x *changeSet) bool { return x == c })
	return nil, nil
}

func (s *Service) executeSet(q *api.Request) (any, *api.Error) {
	c, token := s.setOf(q.Input.Text("ChangeSetName"), q.Input.Text("StackName")), q.Input.Text("ClientRequestToken")
	switch {
	case c == nil:
		return nil, api.Refuse("ChangeSetNotFoundException", "ChangeSet [%s] does not exist", q.Input.Text("ChangeSetName"))
	case c.execution != "AVAILABLE" && c.executed != "" && c.executed == token:
		return nil, api.Refuse("TokenAlreadyExistsException", "The token %s has been used", token)
	case c.execution != "AVAILABLE":
		return nil, api.Refuse("InvalidChangeSetStatusException", "ChangeSet [%s] cannot be executed in its current execution status of [%s]", c.id, c.execution)
	case c.stack.isBusy() && !c.create:
		return nil, invalid("Stack:%s is in %s state and can not be updated.", c.stack.id, c.stack.status)
	}
	c.execution, c.executed = "EXECUTE_IN_PROGRESS", token
	s.obsolete(c.stack, c)
	s.run(c)
	return nil, nil
}
