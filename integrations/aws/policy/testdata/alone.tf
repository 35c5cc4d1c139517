# What the bridge here needs.
# To do: the account of the bridge here is not in the configuration, and * stands for it in the
# ARNs: write the account there.

variable "rollcall_caller_arn" {
  type = string
}

# For the credentials that rollcall starts with (the user or role of the machine or container);
# attach it in their account.
data "aws_iam_policy_document" "rollcall_here_base" {
  # receive what EventBridge says has changed; doctor looks whether the queue is there
  statement {
    sid    = "ReadHints"
    effect = "Allow"

    actions = [
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
    ]

    resources = ["arn:aws-cn:sqs:cn-north-1:111122223333:q"]
  }
}

# For the credentials that rollcall starts with: looking at the pipelines. Nothing in it changes
# anything; mode: watch needs no more.
data "aws_iam_policy_document" "rollcall_here_read" {
  # find the pipelines when a bridge is set up; AWS grants it on all or none
  statement {
    sid    = "ListPipelines"
    effect = "Allow"

    actions = ["codepipeline:ListPipelines"]

    resources = ["*"]
  }

  # definition, state and history
  statement {
    sid    = "ReadPipelines"
    effect = "Allow"

    actions = [
      "codepipeline:GetPipeline",
      "codepipeline:GetPipelineState",
      "codepipeline:GetPipelineExecution",
      "codepipeline:ListPipelineExecutions",
      "codepipeline:ListActionExecutions",
      "codepipeline:ListRuleExecutions",
    ]

    resources = ["arn:aws-cn:codepipeline:cn-north-1:*:webshop"]
  }

  # which log a failed build has written, and why it failed; leave it out to show failures without it
  statement {
    sid    = "ReadBuilds"
    effect = "Allow"

    actions = ["codebuild:BatchGetBuilds"]

    resources = ["arn:aws-cn:codebuild:cn-north-1:*:project/*"]
  }

  # the last lines of a failed build; a project with a log group of its own needs that one here
  statement {
    sid    = "ReadLogsOfBuilds"
    effect = "Allow"

    actions = ["logs:GetLogEvents"]

    resources = ["arn:aws-cn:logs:cn-north-1:*:log-group:/aws/codebuild/*:log-stream:*"]
  }

  # the last lines of a failed function; leave it out to show failures without them
  statement {
    sid    = "ReadLogsOfFunctions"
    effect = "Allow"

    actions = ["logs:FilterLogEvents"]

    resources = ["arn:aws-cn:logs:cn-north-1:*:log-group:/aws/lambda/*"]
  }
}

# For the credentials that rollcall starts with: what people ask for in Slack. Only mode: act needs
# it.
data "aws_iam_policy_document" "rollcall_here_act" {
  # start and stop executions
  statement {
    sid    = "StartAndStop"
    effect = "Allow"

    actions = [
      "codepipeline:StartPipelineExecution",
      "codepipeline:StopPipelineExecution",
    ]

    resources = ["arn:aws-cn:codepipeline:cn-north-1:*:webshop"]
  }

  # roll back, retry, override, lock and unlock; AWS grants these on stages, and a statement on the
  # pipeline grants none of them
  statement {
    sid    = "ChangeStages"
    effect = "Allow"

    actions = [
      "codepipeline:RollbackStage",
      "codepipeline:RetryStageExecution",
      "codepipeline:OverrideStageCondition",
      "codepipeline:EnableStageTransition",
      "codepipeline:DisableStageTransition",
    ]

    resources = ["arn:aws-cn:codepipeline:cn-north-1:*:webshop/*"]
  }

  # approve and reject; AWS grants it on actions
  statement {
    sid    = "AnswerApprovals"
    effect = "Allow"

    actions = ["codepipeline:PutApprovalResult"]

    resources = ["arn:aws-cn:codepipeline:cn-north-1:*:webshop/*/*"]
  }
}

# Makes rollcall the only way to answer approvals of these pipelines. Add the statement to a service
# control policy of the account, or to the permissions boundary of everybody else. Whoever may
# change a pipeline (codepipeline:UpdatePipeline) can still take an approval out of it.
data "aws_iam_policy_document" "rollcall_here_deny" {
  # nobody but rollcall's role answers
  statement {
    sid    = "OnlyRollcallApproves"
    effect = "Deny"

    actions = ["codepipeline:PutApprovalResult"]

    resources = ["arn:aws-cn:codepipeline:cn-north-1:*:webshop/*/*"]

    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = [var.rollcall_caller_arn]
    }
  }
}

resource "aws_iam_policy" "rollcall_here_base" {
  name   = "rollcall-here-base"
  policy = data.aws_iam_policy_document.rollcall_here_base.json
}

resource "aws_iam_policy" "rollcall_here_read" {
  name   = "rollcall-here-read"
  policy = data.aws_iam_policy_document.rollcall_here_read.json
}

resource "aws_iam_policy" "rollcall_here_act" {
  name   = "rollcall-here-act"
  policy = data.aws_iam_policy_document.rollcall_here_act.json
}

resource "aws_iam_policy" "rollcall_here_deny" {
  name   = "rollcall-here-deny"
  policy = data.aws_iam_policy_document.rollcall_here_deny.json
}
