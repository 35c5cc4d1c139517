// Package pipelines reads the declarations of pipelines that are in AWS
// CodePipeline, whole and in AWS's own form, so that they can be imported.
package pipelines

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
)

// ARN is the ARN of a pipeline, in its parts.
type ARN struct{ Partition, Region, Account, Name string }

// ParseARN reads the ARN of a pipeline.
func ParseARN(text string) (ARN, error) {
	p := strings.Split(text, ":")
	if len(p) != 6 || p[0] != "arn" || !strings.HasPrefix(p[1], "aws") || p[2] != "codepipeline" || p[3] == "" || len(p[4]) != 12 || p[5] == "" || strings.Contains(p[5], "/") {
		return ARN{}, &workflows.Problem{Message: text + " is not the ARN of a pipeline", Hint: "it is as arn:aws:codepipeline:REGION:ACCOUNT:NAME; aws codepipeline get-pipeline prints it as pipelineArn"}
	}
	return ARN{p[1], p[3], p[4], p[5]}, nil
}

// Declaration asks AWS for a pipeline. The text is what `aws codepipeline
// get-pipeline` prints, with the pipeline's tags where they may be read.
func Declaration(ctx context.Context, c aws.Config, arn ARN) ([]byte, error) {
	client := codepipeline.NewFromConfig(c)
	got, err := client.GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: &arn.Name})
	if err != nil {
		return nil, problem(arn, err)
	}
	if got.Pipeline == nil || got.Metadata == nil || aws.ToString(got.Metadata.PipelineArn) != arn.String() {
		at := "another pipeline"
		if got.Metadata != nil {
			at = aws.ToString(got.Metadata.PipelineArn)
		}
		return nil, &workflows.Problem{Message: "AWS answered with " + at + ", and " + arn.String() + " was asked for", Hint: "the credentials are of another account: name a role of " + arn.Account + " with --role"}
	}
	out := map[string]any{"pipeline": plain(reflect.ValueOf(got.Pipeline)), "metadata": plain(reflect.ValueOf(got.Metadata))}
	tags, err := client.ListTagsForResource(ctx, &codepipeline.ListTagsForResourceInput{ResourceArn: got.Metadata.PipelineArn})
	if err == nil && len(tags.Tags) > 0 { // without the right to read them the pipeline is whole all the same
		out["tags"] = plain(reflect.ValueOf(tags.Tags))
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the declaration of %s: %w", arn.Name, err)
	}
	return text, nil
}

// String is the ARN as AWS writes it.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":codepipeline:" + a.Region + ":" + a.Account + ":" + a.Name
}

// problem says what AWS answered, and what to do about it.
func problem(arn ARN, err error) error {
	_, why := accounts.Words(err)
	p := &workflows.Problem{Message: arn.String() + " cannot be read: " + why, Hint: "try again later"}
	switch accounts.Classify(err) {
	case accounts.Denied:
		p.Hint = "whoever asks needs codepipeline:GetPipeline there; --role names a role that has it"
	case accounts.Credentials:
		p.Hint = "sign in (aws sso login), set AWS_PROFILE, or name a role with --role"
	case accounts.Refused:
		p.Hint = "aws codepipeline list-pipelines --region " + arn.Region + " lists those that are there; --role names a role of " + arn.Account + " where the credentials are of another account"
	case accounts.NotSent:
		p.Hint = "is the network there, and AWS_ENDPOINT_URL right?"
	}
	return p
}

// empty says whether a member is not set, or holds nothing.
func empty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

// plain is a value of the SDK as JSON has it: members begin with small letters,
// what is not set is left out.
func plain(v reflect.Value) any {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if at, ok := v.Interface().(time.Time); ok {
		return at.UTC().Format(time.RFC3339)
	}
	switch v.Kind() {
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() && !empty(v.Field(i)) && f.Name != "ResultMetadata" {
				name := []rune(f.Name)
				name[0] = unicode.ToLower(name[0])
				out[string(name)] = plain(v.Field(i))
			}
		}
		return out
	case reflect.Slice:
		out := []any{}
		for i := range v.Len() {
			out = append(out, plain(v.Index(i)))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = plain(v.MapIndex(k))
		}
		return out
	}
	return v.Interface()
}
