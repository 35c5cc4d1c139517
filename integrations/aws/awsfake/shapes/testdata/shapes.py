# Writes data/SERVICE.json for every service of the fake, from the service models that botocore carries:
# python3 testdata/shapes.py data
# Another operation is another name below.
import json
import os
import sys

import botocore
import botocore.session

# By the service's name in IAM.
WANTED = {
    "cloudformation": """CancelUpdateStack ContinueUpdateRollback CreateChangeSet CreateStack DeleteChangeSet DeleteStack DescribeChangeSet
        DescribeEvents DescribeStackEvents DescribeStackResources DescribeStacks ExecuteChangeSet GetTemplate GetTemplateSummary ListChangeSets
        RollbackStack SetStackPolicy UpdateStack ValidateTemplate""",
    "cloudfront": "CreateInvalidation GetInvalidation ListInvalidations",
    "cloudtrail": "LookupEvents",
    "cloudwatch": "DescribeAlarms PutMetricAlarm PutMetricData SetAlarmState",
    "codebuild": """BatchGetBuildBatches BatchGetBuilds BatchGetProjects BatchGetReports DescribeTestCases ListBuildBatchesForProject
        ListBuildsForProject RetryBuild RetryBuildBatch StartBuild StartBuildBatch StopBuild StopBuildBatch""",
    "codecommit": "GetBlob GetBranch GetCommit GetFile GetFolder GetRepository",
    "codedeploy": """BatchGetDeploymentTargets BatchGetDeployments ContinueDeployment CreateDeployment GetApplication GetApplicationRevision
        GetDeployment GetDeploymentConfig GetDeploymentGroup GetDeploymentTarget ListDeploymentTargets ListDeployments
        PutLifecycleEventHookExecutionStatus RegisterApplicationRevision StopDeployment""",
    "codepipeline": """CreatePipeline DeletePipeline DisableStageTransition EnableStageTransition GetPipeline GetPipelineExecution
        GetPipelineState ListActionExecutions ListPipelineExecutions ListPipelines ListRuleExecutions OverrideStageCondition
        PutApprovalResult RetryStageExecution RollbackStage StartPipelineExecution StopPipelineExecution UpdatePipeline""",
    "ecr": "BatchGetImage DescribeImageScanFindings DescribeImages DescribeRepositories GetAuthorizationToken",
    "ecs": """ContinueServiceDeployment DescribeClusters DescribeServiceDeployments DescribeServiceRevisions DescribeServices
        DescribeTaskDefinition DescribeTasks ListClusters ListServiceDeployments ListServices ListTasks RegisterTaskDefinition RunTask StopServiceDeployment StopTask TagResource UpdateService""",
    "elasticloadbalancing": "DescribeTargetGroups DescribeTargetHealth",
    "events": "DescribeEventBus PutEvents",
    "iam": "GetRole SimulatePrincipalPolicy",
    "kms": "Decrypt DescribeKey Encrypt GenerateDataKey",
    "lambda": """GetAlias GetFunction GetFunctionConfiguration Invoke ListVersionsByFunction PublishVersion UpdateAlias UpdateFunctionCode
        UpdateFunctionConfiguration""",
    "logs": "DescribeLogStreams FilterLogEvents GetLogEvents",
    "s3": """AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload DeleteObject DeleteObjects
        GetBucketEncryption GetBucketLifecycleConfiguration GetBucketLocation GetBucketPolicy GetBucketVersioning GetObject GetObjectTagging GetPublicAccessBlock HeadBucket HeadObject
        ListObjectVersions ListObjectsV2 PutBucketVersioning PutObject PutObjectTagging UploadPart UploadPartCopy""",
    "secretsmanager": "DescribeSecret GetSecretValue PutSecretValue",
    "servicequotas": "GetAWSDefaultServiceQuota GetServiceQuota ListServiceQuotas",
    "sns": "GetTopicAttributes Publish",
    "sqs": """ChangeMessageVisibility CreateQueue DeleteMessage DeleteMessageBatch GetQueueAttributes GetQueueUrl ReceiveMessage
        SendMessage""",
    "ssm": "GetParameter GetParameters PutParameter",
    "states": """DescribeExecution DescribeStateMachine GetExecutionHistory ListExecutions StartExecution StartSyncExecution
        StopExecution""",
    "sts": "AssumeRole GetCallerIdentity",
}

# Where botocore has another name.
BOTOCORE = {"elasticloadbalancing": "elbv2", "servicequotas": "service-quotas", "states": "stepfunctions"}


def place(member):
    """Where and how a member goes over the wire, if not under its own name in the body."""
    s, out = member.serialization, {}
    if "location" in s:
        out["in"] = s["location"]
    if "name" in s:
        out["name"] = s["name"]
    if s.get("flattened"):
        out["flat"] = True
    if s.get("timestampFormat"):
        out["format"] = s["timestampFormat"]
    return out


def collect(shape, into):
    if shape.name in into:
        return
    out = {"type": shape.type_name}
    into[shape.name] = out
    for key in ("min", "max", "pattern", "required"):
        if shape.metadata.get(key) not in (None, []):
            out[key] = shape.metadata[key]
    if shape.metadata.get("enum"):
        out["enum"] = shape.metadata["enum"]
    for key in ("payload", "streaming", "eventstream", "timestampFormat"):
        if shape.serialization.get(key):
            out[key] = shape.serialization[key]
    if shape.type_name == "structure":
        out["members"] = {k: v.name for k, v in shape.members.items()}
        wire = {k: place(v) for k, v in shape.members.items() if place(v)}
        if wire:
            out["wire"] = wire
        for v in shape.members.values():
            collect(v, into)
    elif shape.type_name == "list":
        out["of"] = shape.member.name
        if shape.serialization.get("flattened"):
            out["flat"] = True
        if "name" in shape.member.serialization:
            out["element"] = shape.member.serialization["name"]
        collect(shape.member, into)
    elif shape.type_name == "map":
        out["key"], out["of"] = shape.key.name, shape.value.name
        for part, to in ((shape.key, "keyName"), (shape.value, "valueName")):
            if "name" in part.serialization:
                out[to] = part.serialization["name"]
        collect(shape.key, into)
        collect(shape.value, into)


def extract(service, names):
    model = botocore.session.get_session().get_service_model(BOTOCORE.get(service, service))
    operations, shapes, errors = {}, {}, {}
    for name in names:
        op = model.operation_model(name)
        out = {"errors": sorted(e.name for e in op.error_shapes)}
        for e in op.error_shapes:
            how = {k: v for k, v in e.metadata.get("error", {}).items() if k in ("code", "httpStatusCode")}
            if how:
                errors[e.name] = how
        if op.input_shape is not None:
            out["input"] = op.input_shape.name
            collect(op.input_shape, shapes)
        if op.output_shape is not None:
            out["output"] = op.output_shape.name
            if "resultWrapper" in op.output_shape.serialization:
                out["wrapper"] = op.output_shape.serialization["resultWrapper"]
            collect(op.output_shape, shapes)
        if model.metadata["protocol"].startswith("rest-"):
            out["method"], out["uri"] = op.http["method"], op.http["requestUri"]
            if op.http.get("responseCode", 200) != 200:
                out["status"] = op.http["responseCode"]
        operations[name] = out
    about = {"protocol": model.metadata["protocol"], "signs": model.signing_name}
    for key, name in (("jsonVersion", "json"), ("targetPrefix", "target"), ("xmlNamespace", "namespace")):
        if key in model.metadata:
            about[name] = model.metadata[key]
    if "awsQueryCompatible" in model.metadata:
        about["queryCompatible"] = True
    return about, errors, operations, shapes


def lines(d):
    return ",\n".join("  %s: %s" % (json.dumps(k), json.dumps(v, sort_keys=True)) for k, v in sorted(d.items()))


print("botocore " + botocore.__version__, file=sys.stderr)
for service, names in WANTED.items():
    about, errors, operations, shapes = extract(service, names.split())
    with open(os.path.join(sys.argv[1], service + ".json"), "w") as f:
        f.write('{"about": %s, "errors": {\n%s\n}, "operations": {\n%s\n}, "shapes": {\n%s\n}}\n' % (
            json.dumps(about, sort_keys=True), lines(errors), lines(operations), lines(shapes)))
