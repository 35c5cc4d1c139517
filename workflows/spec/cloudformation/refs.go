package cloudformation

import (
	"strings"
)

// resources is what is known of types of resources that pipelines refer to: the
// type, the property that names the resource, what Ref gives of it (its name or
// its ARN; "-" is something that only AWS knows), and its ARN, where P, R, A and
// N stand for partition, Region, account and name.
const resources = `
AWS::CodeBuild::Project            Name                name arn:P:codebuild:R:A:project/N
AWS::CodePipeline::Pipeline        Name                name arn:P:codepipeline:R:A:N
AWS::CodeCommit::Repository        RepositoryName      -    arn:P:codecommit:R:A:N
AWS::CodeDeploy::Application       ApplicationName     name -
AWS::CodeDeploy::DeploymentGroup   DeploymentGroupName name -
AWS::S3::Bucket                    BucketName          name arn:P:s3:::N
AWS::ECR::Repository               RepositoryName      name arn:P:ecr:R:A:repository/N
AWS::ECS::Cluster                  ClusterName         name arn:P:ecs:R:A:cluster/N
AWS::ECS::Service                  ServiceName         -    -
AWS::EKS::Cluster                  Name                name arn:P:eks:R:A:cluster/N
AWS::Lambda::Function              FunctionName        name arn:P:lambda:R:A:function:N
AWS::Serverless::Function          FunctionName        name arn:P:lambda:R:A:function:N
AWS::StepFunctions::StateMachine   StateMachineName    arn  arn:P:states:R:A:stateMachine:N
AWS::Serverless::StateMachine      Name                arn  arn:P:states:R:A:stateMachine:N
AWS::IAM::Role                     RoleName            name arn:P:iam::A:role/N
AWS::SNS::Topic                    TopicName           arn  arn:P:sns:R:A:N
AWS::SQS::Queue                    QueueName           -    arn:P:sqs:R:A:N
AWS::KMS::Alias                    AliasName           name -
AWS::CloudWatch::Alarm             AlarmName           name arn:P:cloudwatch:R:A:alarm:N
AWS::Events::EventBus              Name                name arn:P:events:R:A:event-bus/N
AWS::ElasticBeanstalk::Application ApplicationName     name -
AWS::ElasticBeanstalk::Environment EnvironmentName     name -
AWS::SSM::Parameter                Name                name -
`

// row is what is known of a type.
func row(kind string) (property, ref, arn string, ok bool) {
	for line := range strings.Lines(resources) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == kind {
			return f[1], f[2], f[3], true
		}
	}
	return "", "", "", false
}

// ref is the value of Ref: of a parameter, a pseudo parameter or a resource.
func (t *Template) ref(at *Value, name string, depth int) *Value {
	if strings.HasPrefix(name, "AWS::") {
		return t.pseudo(at, name)
	}
	if p := t.parameters[name]; p != nil {
		return t.parameter(at, name, p)
	}
	r := t.Resource(name)
	if r == nil {
		return placeholder(at, name, "the template has neither a parameter nor a resource "+name)
	}
	_, kind, _, _ := row(r.Type)
	switch kind {
	case "name":
		return r.name(at, depth)
	case "arn":
		return r.arn(at, depth)
	}
	return placeholder(at, name, "what AWS calls the resource "+name+" ("+r.Type+")")
}

// pseudo is a pseudo parameter.
func (t *Template) pseudo(at *Value, name string) *Value {
	if given, ok := t.given[name]; ok {
		return scalar(at, given)
	}
	switch name {
	case "AWS::NoValue":
		return &Value{Line: at.Line, Col: at.Col, Kind: Null}
	case "AWS::Partition":
		return scalar(at, "aws")
	case "AWS::URLSuffix":
		return scalar(at, "amazonaws.com")
	case "AWS::Region":
		return &Value{Line: at.Line, Col: at.Col, Text: unknownRegion, Missing: []string{"the Region of the stack"}}
	case "AWS::AccountId":
		return placeholder(at, "AccountId", "the account of the stack")
	case "AWS::StackName":
		return placeholder(at, "StackName", "the name of the stack")
	}
	return placeholder(at, strings.TrimPrefix(name, "AWS::"), name+" is known when the template is deployed")
}

// unknownRegion is the placeholder of the stack's Region: Regions have small letters.
const unknownRegion = "replace-region"

// parameter is the value of a parameter: given, or its default.
func (t *Template) parameter(at *Value, name string, p *Value) *Value {
	kind := p.Get("Type").String()
	text, given := t.given[name]
	switch fallback := p.Get("Default"); {
	case given:
	case strings.EqualFold(p.Get("NoEcho").String(), "true"):
		return placeholder(at, name, "the parameter "+name+" is a secret")
	case strings.HasPrefix(kind, "AWS::SSM::Parameter::Value"):
		return placeholder(at, name, "the parameter "+name+" is looked up in the Parameter Store")
	case fallback == nil || fallback.Kind != Scalar:
		return placeholder(at, name, "the parameter "+name+" has no default")
	default:
		text = fallback.Text
	}
	if kind != "CommaDelimitedList" && !strings.HasPrefix(kind, "List<") {
		return scalar(at, text)
	}
	out := &Value{Line: at.Line, Col: at.Col, Kind: List}
	for part := range strings.SplitSeq(text, ",") {
		out.Items = append(out.Items, scalar(at, strings.TrimSpace(part)))
	}
	return out
}

// getAtt is the value of Fn::GetAtt, given as "Resource.Attribute" or as a list.
func (t *Template) getAtt(at, arg *Value, depth int) *Value {
	id, attribute, _ := strings.Cut(arg.String(), ".")
	if arg.Kind == List && len(arg.Items) == 2 {
		id, attribute = arg.Items[0].String(), t.resolve(arg.Items[1], depth+1).String()
	}
	r := t.Resource(id)
	if r == nil {
		return placeholder(at, id+"-"+attribute, "the template has no resource "+id)
	}
	property, _, _, _ := row(r.Type)
	switch {
	case attribute == "Arn" || attribute == "TopicArn":
		return r.arn(at, depth)
	case attribute == "Name" || attribute == property:
		return r.name(at, depth)
	case r.Type == "AWS::SSM::Parameter" && attribute == "Value":
		if v := r.properties.Get("Value"); v != nil {
			return t.resolve(v, depth+1)
		}
	}
	return placeholder(at, id+"-"+attribute, "the attribute "+attribute+" of the resource "+id+" ("+r.Type+")")
}

// name is what AWS calls the resource: its own name, where it gives one.
func (r *Resource) name(at *Value, depth int) *Value {
	property, _, _, _ := row(r.Type)
	v := r.properties.Get(property)
	if v == nil || r.resolving {
		why := "the name of the resource " + r.ID + " (" + r.Type + ")"
		if property != "" {
			why += ", which has no " + property
		}
		return placeholder(at, r.ID, why)
	}
	r.resolving = true
	defer func() { r.resolving = false }()
	named := *r.template.resolve(v, depth+1)
	named.Line, named.Col = at.Line, at.Col
	if named.Kind != Scalar {
		return placeholder(at, r.ID, "the name of the resource "+r.ID)
	}
	return &named
}

// arn is the resource's ARN, put together of its name.
func (r *Resource) arn(at *Value, depth int) *Value {
	_, _, form, _ := row(r.Type)
	if form == "" || form == "-" {
		return placeholder(at, r.ID+"-Arn", "the ARN of the resource "+r.ID+" ("+r.Type+")")
	}
	n := r.name(at, depth)
	if strings.HasPrefix(n.Text, marker) && len(n.Missing) > 0 && r.Type != "AWS::IAM::Role" {
		return placeholder(at, r.ID+"-Arn", n.Missing[0])
	}
	out := &Value{Line: at.Line, Col: at.Col}
	if p := r.properties.Get("Path"); r.Type == "AWS::IAM::Role" && p != nil {
		path := strings.TrimPrefix(r.template.resolve(p, depth+1).String(), "/")
		form = strings.TrimSuffix(form, "N") + path + "N"
	}
	parts := strings.SplitN(form, ":", 6)
	for i, pseudo := range []string{1: "AWS::Partition", 3: "AWS::Region", 4: "AWS::AccountId"} {
		if pseudo != "" && parts[i] != "" {
			v := r.template.pseudo(at, pseudo)
			parts[i] = v.Text
			out.Missing = append(out.Missing, v.Missing...)
		}
	}
	parts[5] = strings.TrimSuffix(parts[5], "N") + n.Text
	out.Text = strings.Join(parts, ":")
	out.Missing = append(out.Missing, n.Missing...)
	return out
}

// Ref is what Ref gives of the resource: for most of them what AWS calls it.
func (r *Resource) Ref() *Value {
	return r.template.ref(&Value{Line: r.Line, Col: r.Col}, r.ID, 0)
}
