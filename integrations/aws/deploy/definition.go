package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
)

const (
	// taskTag is the tag by which a task definition is found again.
	taskTag        = "rollcall:task"
	mostDefinition = 1 << 20 // bytes of a task definition that are read; ECS takes 64 KiB
	mostRevisions  = 20      // of a family that are looked through
	mostTags       = 50      // of one thing in ECS
)

// definition is a task definition as JSON, by the names that ECS and taskdef.json use.
type definition map[string]any

// answered are members of a described task definition that ECS makes.
func answered() []string {
	return []string{"taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy", "deregisteredAt", "deleteRequestedAt"}
}

// request is the definition as what registers it. A member that the SDK does not
// know is an error with its name: it would be lost without a word.
func (d definition) request(what string) (*ecs.RegisterTaskDefinitionInput, error) {
	for _, name := range answered() {
		delete(d, name)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	in := &ecs.RegisterTaskDefinitionInput{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(in)
	if err == nil {
		return in, nil
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return nil, &runner.SettingsError{Text: what + " has " + name + ", which this version of rollcall does not know: registering it again would lose that. Nothing was registered; update rollcall, or take it out"}
	}
	return nil, &runner.SettingsError{Text: what + " is no task definition: " + strings.TrimPrefix(err.Error(), "json: ")}
}

// described is a task definition with all that ECS says of it, and its tags.
func described(ctx context.Context, a *runner.Attempt, arn string) (definition, []types.Tag, error) {
	var raw []byte
	out, err := ecs.NewFromConfig(a.Config).DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}},
		func(o *ecs.Options) { o.APIOptions = append(o.APIOptions, keepBody(&raw)) })
	if err != nil {
		return nil, nil, err
	}
	var answer struct {
		TaskDefinition definition `json:"taskDefinition"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return nil, nil, err
	}
	return answer.TaskDefinition, out.Tags, nil
}

// keepBody keeps what AWS answered as it was sent.
func keepBody(into *[]byte) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("rollcall:keepBody", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, meta, err := next.HandleDeserialize(ctx, in)
			answer, ok := out.RawResponse.(*smithyhttp.Response)
			if err != nil || !ok {
				return out, meta, err
			}
			*into, err = io.ReadAll(io.LimitReader(answer.Body, mostDefinition))
			err = errors.Join(err, answer.Body.Close())
			answer.Body = io.NopCloser(bytes.NewReader(*into))
			return out, meta, err
		}), middleware.After)
	}
}

// register registers a task definition in the name of the attempt, unless an
// earlier try has done so. before is the ARN of a revision that is older than the attempt.
func register(ctx context.Context, a *runner.Attempt, in *ecs.RegisterTaskDefinitionInput, before string) (arn string, err error) {
	if arn, err = registered(ctx, a, aws.ToString(in.Family), before); arn != "" || err != nil {
		return arn, err
	}
	in.Tags = append(in.Tags, types.Tag{Key: aws.String(taskTag), Value: aws.String(a.Token)})
	if len(in.Tags) > mostTags {
		return "", &runner.SettingsError{Text: "the task definition has " + strconv.Itoa(mostTags) + " tags: rollcall needs room for one, " + taskTag}
	}
	out, err := ecs.NewFromConfig(a.Config).RegisterTaskDefinition(ctx, in)
	if err != nil {
		return "", err
	}
	arn = aws.ToString(out.TaskDefinition.TaskDefinitionArn)
	return arn, a.Logf("ECS registered the task definition %s", arn)
}

// kept are the tags of a task definition that its next revision has too: all but
// those that AWS and rollcall made.
func kept(tags []types.Tag) (all []types.Tag) {
	for _, t := range tags {
		if key := aws.ToString(t.Key); key != taskTag && !strings.HasPrefix(strings.ToLower(key), "aws:") {
			all = append(all, t)
		}
	}
	return all
}

// registered is the revision of a family that an earlier try of the attempt has
// registered; empty: none has. It looks at those that are younger than the attempt.
func registered(ctx context.Context, a *runner.Attempt, family, before string) (arn string, err error) {
	api, began := ecs.NewFromConfig(a.Config), a.Began()
	name := family
	for range mostRevisions {
		out, err := api.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &name, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})
		if code := runner.Code(err); code == "Client" {
			return "", nil // the family has no revision, or it was deleted
		}
		if err != nil {
			return "", err
		}
		d := out.TaskDefinition
		for _, t := range out.Tags {
			if aws.ToString(t.Key) == taskTag && aws.ToString(t.Value) == a.Token {
				return aws.ToString(d.TaskDefinitionArn), nil
			}
		}
		old := d.RegisteredAt != nil && !began.IsZero() && d.RegisteredAt.Before(began.Add(-clocksDiffer))
		if old || d.Revision <= 1 || aws.ToString(d.TaskDefinitionArn) == before {
			return "", nil
		}
		name = family + ":" + strconv.Itoa(int(d.Revision)-1)
	}
	return "", nil
}

// clocksDiffer is by how much AWS's clock and ours may differ.
const clocksDiffer = time.Minute

// familyOf is the family of a task definition's ARN.
func familyOf(arn string) string {
	family, _, _ := strings.Cut(arn[strings.LastIndexByte(arn, '/')+1:], ":")
	return family
}
