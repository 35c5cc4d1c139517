// Package lambda is as much of AWS Lambda as rollcall calls: functions whose code changes within seconds, their versions
// and aliases, and calls that a Go function of the test answers.
package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// updateTakes is how long a function takes over new code.
const updateTakes = 5 * time.Second

// Function is a function as a test makes it. Its version 1 is published, and so is what Aliases name.
type Function struct {
	Name    string
	Aliases []string                    // on version 1
	Image   bool                        // it is a container image
	Handler func(payload []byte) Answer // nil: it answers null
}

// Answer is how the run of a function ended.
type Answer struct {
	Payload                 string // JSON; empty: null
	ErrorType, ErrorMessage string // it broke
	Log                     []string
}

// Service is Lambda of an account in a region.
type Service struct {
	world *api.World

	mu        sync.Mutex
	functions map[string]*function
	packages  map[string]string // code hash by bucket/key
}

type function struct {
	Function
	latest   version
	status   string // of the last update
	code     string // why it failed
	reason   string
	fails    [2]string // code and reason of the next update
	until    time.Time // it is under way until then
	versions []version
	aliases  map[string]*alias
}

type version struct{ number, code, revision, config string }

type alias struct {
	version  string
	weights  map[string]any
	revision string
}

// New returns a Lambda without functions.
func New(w *api.World) *Service {
	return &Service{world: w, functions: map[string]*function{}, packages: map[string]string{}}
}

// Create makes a function.
func (s *Service) Create(f Function) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := version{"1", hash([]byte("the first code of " + f.Name)), s.world.NewID(), "1"}
	one := &function{Function: f, status: "Successful", versions: []version{first}, aliases: map[string]*alias{}}
	one.latest = version{"$LATEST", first.code, s.world.NewID(), first.config}
	for _, name := range f.Aliases {
		one.aliases[name] = &alias{"1", map[string]any{}, s.world.NewID()}
	}
	s.functions[f.Name] = one
}

// Package says which bytes lie in a bucket; what is not said is read from the fake's S3.
func (s *Service) Package(bucket, key string, sum [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packages[bucket+"/"+key] = base64.StdEncoding.EncodeToString(sum[:])
}

// Fail has the next update of a function fail with that code and reason.
func (s *Service) Fail(name, code, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.functions[name].fails = [2]string{code, reason}
}

// Overwrite gives a function other code, as somebody in the console does.
func (s *Service) Overwrite(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[name]
	f.latest.code, f.latest.revision = hash([]byte(s.world.NewID())), s.world.NewID()
	f.status, f.until = "InProgress", s.world.Now().Add(updateTakes)
}

// Alias is the version of an alias, and the percentage of its calls that goes to each other version.
func (s *Service) Alias(function, name string) (version string, others map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.functions[function].aliases[name]
	others = map[string]int{}
	for v, share := range one.weights {
		share, _ := share.(float64)
		others[v] = int(share*100 + 0.5)
	}
	return one.version, others
}

// Live is the SHA-256 of the code that an alias has its calls run, as Lambda writes it.
func (s *Service) Live(function, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[function]
	for _, v := range f.versions {
		if v.number == f.aliases[name].version {
			return v.code
		}
	}
	return ""
}

// Move sets an alias as somebody in the console does.
func (s *Service) Move(function, name, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.functions[function].aliases[name]
	one.version, one.weights, one.revision = to, map[string]any{}, s.world.NewID()
}

// Versions are the numbers of a function's versions, oldest first.
func (s *Service) Versions(function string) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.functions[function].versions {
		all = append(all, v.number)
	}
	return all
}

func hash(code []byte) string {
	sum := sha256.Sum256(code)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// split is a function's name and qualifier, from a name, a partial ARN or an ARN.
func split(in api.Input) (name, qualifier string) {
	name = in.Text("FunctionName")
	if _, after, ok := strings.Cut(name, "function:"); ok {
		name = after
	}
	name, qualifier, _ = strings.Cut(name, ":")
	if q := in.Text("Qualifier"); q != "" {
		qualifier = q
	}
	return name, qualifier
}

// Rights implements [api.Authorizer].
func (s *Service) Rights(q *api.Request) []api.Right {
	name, qualifier := split(q.Input)
	action, resource := q.Operation, q.ARN("function:"+name)
	if action == "Invoke" {
		action = "InvokeFunction"
	}
	if qualifier != "" {
		resource += ":" + qualifier
	}
	all := []api.Right{{Action: "lambda:" + action, Resource: resource}}
	if bucket := q.Input.Text("S3Bucket"); bucket != "" { // the code is read in the caller's name
		object := "arn:aws:s3:::" + bucket + "/" + q.Input.Text("S3Key")
		all = append(all, api.Right{Action: "s3:GetObject", Resource: object})
		if q.Input.Has("S3ObjectVersion") {
			all = append(all, api.Right{Action: "s3:GetObjectVersion", Resource: object})
		}
		all = append(all, s.world.Reads(bucket, q.Input.Text("S3Key"), q.Input.Text("S3ObjectVersion"))...)
	}
	return all
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, qualifier := split(q.Input)
	f := s.functions[name]
	if f == nil {
		return nil, api.Refuse("ResourceNotFoundException", "Function not found: %s", q.ARN("function:"+name))
	}
	f.catchUp(s.world.Now())
	switch q.Operation {
	case "GetFunctionConfiguration":
		v, bad := f.qualified(q, qualifier)
		if bad != nil {
			return nil, bad
		}
		return f.describe(q, v), nil
	case "UpdateFunctionCode":
		return s.update(q, f)
	case "PublishVersion":
		return s.publish(q, f)
	case "GetAlias":
		return f.getAlias(q)
	case "UpdateAlias":
		return s.updateAlias(q, f)
	case "Invoke":
		return f.invoke(q)
	}
	return nil, api.Refuse("UnknownOperationException", "The fake of Lambda has no %s", q.Operation)
}

// catchUp ends the update that is over by now.
func (f *function) catchUp(now time.Time) {
	if f.status != "InProgress" || now.Before(f.until) {
		return
	}
	f.status = "Successful"
	if f.fails[0] != "" {
		f.status, f.code, f.reason, f.fails = "Failed", f.fails[0], f.fails[1], [2]string{}
	}
}

func (f *function) qualified(q *api.Request, qualifier string) (version, *api.Error) {
	if a := f.aliases[qualifier]; a != nil {
		qualifier = a.version
	}
	if qualifier == "" || qualifier == "$LATEST" {
		return f.latest, nil
	}
	for _, v := range f.versions {
		if v.number == qualifier {
			return v, nil
		}
	}
	return version{}, api.Refuse("ResourceNotFoundException", "Function not found: %s", q.ARN("function:"+f.Name+":"+qualifier))
}

func (f *function) describe(q *api.Request, v version) map[string]any {
	out := map[string]any{"FunctionName": f.Name, "FunctionArn": q.ARN("function:" + f.Name), "Version": v.number, "CodeSha256": v.code, "RevisionId": v.revision,
		"PackageType": "Zip", "State": "Active", "LastUpdateStatus": "Successful"}
	if f.Image {
		out["PackageType"] = "Image"
	}
	if v.number != "$LATEST" {
		out["FunctionArn"] = q.ARN("function:" + f.Name + ":" + v.number)
		return out
	}
	if out["LastUpdateStatus"] = f.status; f.status == "Failed" {
		out["LastUpdateStatusReasonCode"], out["LastUpdateStatusReason"] = f.code, f.reason
	}
	return out
}

func (f *function) busy(q *api.Request) *api.Error {
	if f.status != "InProgress" {
		return nil
	}
	return api.Refuse("ResourceConflictException", "The operation cannot be performed at this time. An update is in progress for resource: %s", q.ARN("function:"+f.Name))
}

func stale(in api.Input, revision string) *api.Error {
	if given := in.Text("RevisionId"); given == "" || given == revision {
		return nil
	}
	return api.Refuse("PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
}

func (s *Service) update(q *api.Request, f *function) (any, *api.Error) {
	if bad := f.busy(q); bad != nil {
		return nil, bad
	}
	if bad := stale(q.Input, f.latest.revision); bad != nil {
		return nil, bad
	}
	code, bad := s.codeAt(q.Input)
	if bad != nil {
		return nil, bad
	}
	f.latest.code, f.latest.revision = code, s.world.NewID()
	f.status, f.until = "InProgress", s.world.Now().Add(updateTakes)
	return f.describe(q, f.latest), nil
}

func (s *Service) codeAt(in api.Input) (string, *api.Error) {
	if sum := s.packages[in.Text("S3Bucket")+"/"+in.Text("S3Key")]; sum != "" {
		return sum, nil
	}
	object := api.Input{"Bucket": in.Text("S3Bucket"), "Key": in.Text("S3Key")}
	if v := in.Text("S3ObjectVersion"); v != "" {
		object["VersionId"] = v
	}
	out, bad := s.world.Call("s3", "GetObject", object, nil)
	if bad != nil {
		return "", api.Refuse("InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", bad.Code, bad.Message)
	}
	got, _ := out.(map[string]any) // S3 answers so
	body, _ := got["Body"].([]byte)
	return hash(body), nil
}

func (s *Service) publish(q *api.Request, f *function) (any, *api.Error) {
	if bad := f.busy(q); bad != nil {
		return nil, bad
	}
	if bad := stale(q.Input, f.latest.revision); bad != nil {
		return nil, bad
	}
	if want := q.Input.Text("CodeSha256"); want != "" && want != f.latest.code {
		return nil, api.Refuse("InvalidParameterValueException", "CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", want, f.latest.code)
	}
	newest := f.versions[len(f.versions)-1]
	if newest.code == f.latest.code && newest.config == f.latest.config {
		return f.describe(q, newest), nil
	}
	v := version{strconv.Itoa(len(f.versions) + 1), f.latest.code, s.world.NewID(), f.latest.config}
	f.versions = append(f.versions, v)
	return f.describe(q, v), nil
}
