package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
)

const (
	largestBody          = 51_200  // bytes of a template inside a request
	largestTemplate      = 1 << 20 // bytes of a template in S3
	largestConfiguration = 1 << 20
)

// setRequest lays out the change set: the template, its parameters, tags, and what it may do.
func setRequest(ctx context.Context, a *runner.Attempt) (*cloudformation.CreateChangeSetInput, error) {
	in := &cloudformation.CreateChangeSetInput{StackName: aws.String(a.Setting("StackName")), ChangeSetName: aws.String(setName(a)), ClientToken: &a.Token,
		Description: aws.String("rollcall, for " + a.Task.Pipeline + " #" + fmt.Sprint(a.Task.Number) + " " + a.Token), RoleARN: executionRole(a)}
	for _, c := range strings.FieldsFunc(a.Setting("Capabilities"), func(r rune) bool { return r == ',' || r == ' ' }) {
		in.Capabilities = append(in.Capabilities, types.Capability(c))
	}
	configuration, err := readConfiguration(ctx, a)
	if err != nil {
		return nil, err
	}
	if len(configuration.StackPolicy) > 0 && a.Setting("ActionMode") == changeSetReplace {
		if err := a.Logf("the StackPolicy in %s is not set: a change set has none, CREATE_UPDATE sets it", a.Setting("TemplateConfiguration")); err != nil {
			return nil, err
		}
	}
	values, err := overrides(ctx, a, configuration.Parameters)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String(name), ParameterValue: aws.String(values[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(configuration.Tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(name), Value: aws.String(configuration.Tags[name])})
	}
	return in, template(ctx, a, in)
}

// template puts the template into the request, or where it is too long beside the
// artifact it is from.
func template(ctx context.Context, a *runner.Attempt, in *cloudformation.CreateChangeSetInput) error {
	data, err := fileOf(ctx, a, "TemplatePath", largestTemplate)
	switch {
	case err != nil:
		return err
	case len(data) <= largestBody:
		in.TemplateBody = aws.String(string(data))
		return nil
	}
	name, _, _ := strings.Cut(a.Setting("TemplatePath"), "::")
	o, err := a.Output(name)
	if err != nil {
		return err
	}
	o.Key += ".template"
	if o, err = a.Write(ctx, o, data); err != nil {
		return err
	}
	in.TemplateURL = aws.String(address(a, o))
	return nil
}

// address is how CloudFormation reads an object.
func address(a *runner.Attempt, o artifacts.Object) string {
	suffix := ".amazonaws.com/"
	if a.Place.Partition == "aws-cn" {
		suffix = ".amazonaws.com.cn/"
	}
	at := "https://" + o.Bucket + ".s3." + o.Region + suffix + (&url.URL{Path: o.Key}).EscapedPath()
	if o.Version != "" {
		at += "?versionId=" + url.QueryEscape(o.Version)
	}
	return at
}

// fileOf reads the file of an input artifact that a setting names: "Artifact::path".
func fileOf(ctx context.Context, a *runner.Attempt, setting string, most int64) ([]byte, error) {
	artifact, path, ok := strings.Cut(a.Setting(setting), "::")
	if !ok || artifact == "" || path == "" {
		return nil, &runner.SettingsError{Text: setting + " " + a.Setting(setting) + " does not have the form Artifact::path/in/it"}
	}
	return fileIn(ctx, a, setting, artifact, path, most)
}

func fileIn(ctx context.Context, a *runner.Attempt, setting, artifact, path string, most int64) ([]byte, error) {
	data, err := a.ReadFile(ctx, artifact, path, most+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &runner.SettingsError{Text: fmt.Sprintf("%s: the artifact %s has no file %s", setting, artifact, path)}
	case err != nil:
		return nil, err
	case int64(len(data)) > most:
		return nil, &runner.SettingsError{Text: fmt.Sprintf("%s: %s in the artifact %s has more than %d bytes", setting, path, artifact, most)}
	}
	return data, nil
}

// templateConfiguration is a file that goes with a template, as CodePipeline reads it.
type templateConfiguration struct {
	Parameters, Tags map[string]string
	StackPolicy      json.RawMessage
}

func readConfiguration(ctx context.Context, a *runner.Attempt) (c templateConfiguration, err error) {
	if a.Setting("TemplateConfiguration") == "" {
		return c, nil
	}
	data, err := fileOf(ctx, a, "TemplateConfiguration", largestConfiguration)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, &runner.SettingsError{Text: "TemplateConfiguration " + a.Setting("TemplateConfiguration") + " is no JSON object of Parameters, Tags and StackPolicy with texts as values: " + err.Error()}
	}
	return c, nil
}

// overrides are the stack's parameters: those of the template configuration, then
// those of ParameterOverrides.
func overrides(ctx context.Context, a *runner.Attempt, parameters map[string]string) (map[string]string, error) {
	all := maps.Clone(parameters)
	if all == nil {
		all = map[string]string{}
	}
	text := a.Setting("ParameterOverrides")
	if text == "" {
		return all, nil
	}
	given := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return nil, &runner.SettingsError{Text: "ParameterOverrides is no JSON object: " + err.Error()}
	}
	for name, raw := range given {
		value, err := override(ctx, a, name, raw)
		if err != nil {
			return nil, err
		}
		all[name] = value
	}
	return all, nil
}

// override is the value of one parameter: a text, or what one of CodePipeline's
// functions makes of an input artifact.
func override(ctx context.Context, a *runner.Attempt, name string, raw json.RawMessage) (string, error) {
	if value, ok := plain(raw); ok {
		return value, nil
	}
	wrong := &runner.SettingsError{Text: "ParameterOverrides: " + name + " is no text, no Fn::GetArtifactAtt of an artifact and an attribute, and no Fn::GetParam of an artifact, a file and a key"}
	call := map[string][]string{}
	if json.Unmarshal(raw, &call) != nil || len(call) != 1 {
		return "", wrong
	}
	if args := call["Fn::GetArtifactAtt"]; len(args) == 2 {
		o, err := a.Input(ctx, args[0])
		if err != nil {
			return "", err
		}
		values := map[string]string{"BucketName": o.Bucket, "ObjectKey": o.Key, "URL": address(a, artifacts.Object{Region: o.Region, Bucket: o.Bucket, Key: o.Key})}
		if value, ok := values[args[1]]; ok {
			return value, nil
		}
		return "", &runner.SettingsError{Text: "ParameterOverrides: " + name + ": an artifact has no " + args[1] + ", but BucketName, ObjectKey and URL"}
	}
	args := call["Fn::GetParam"]
	if len(args) != 3 {
		return "", wrong
	}
	data, err := fileIn(ctx, a, "ParameterOverrides: "+name, args[0], args[1], largestConfiguration)
	if err != nil {
		return "", err
	}
	file := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &file); err != nil {
		return "", &runner.SettingsError{Text: fmt.Sprintf("ParameterOverrides: %s: %s in the artifact %s is no JSON object: %v", name, args[1], args[0], err)}
	}
	value, ok := plain(file[args[2]])
	if !ok {
		return "", &runner.SettingsError{Text: fmt.Sprintf("ParameterOverrides: %s: %s in the artifact %s has no text %s", name, args[1], args[0], args[2])}
	}
	return value, nil
}

// plain is a value that needs no function: a text, a number, a truth value, or a
// list of texts, which CloudFormation takes with commas between them.
func plain(raw json.RawMessage) (string, bool) {
	var list []string
	if json.Unmarshal(raw, &list) == nil && list != nil {
		return strings.Join(list, ","), true
	}
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return "", false
	}
	switch v := value.(type) {
	case string:
		return v, true
	case float64, bool:
		return strings.TrimSpace(string(raw)), true
	}
	return "", false
}
