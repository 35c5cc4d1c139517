# What the bridge prod-eu needs.

# For the credentials that rollcall starts with (the user or role of the machine or container);
# attach it in their account.
data "aws_iam_policy_document" "rollcall_prod_eu_base" {
  # act as the role of the bridge
  statement {
    sid    = "AssumeTheBridgeRole"
    effect = "Allow"

    actions = ["sts:AssumeRole"]

    resources = ["arn:aws:iam::444455556666:role/team/rollcall-bridge"]
  }

  # receive what EventBridge says has changed; doctor looks whether the queue is there
  statement {
    sid    = "ReadHints"
    effect = "Allow"

    actions = [
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
    ]

    resources = ["arn:aws:sqs:eu-west-1:111122223333:rollcall"]
  }
}

# For arn:aws:iam::444455556666:role/team/rollcall-bridge: looking at the pipelines. Nothing in it
# changes anything; mode: watch needs no more.
data "aws_iam_policy_document" "rollcall_prod_eu_read" {
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

    resources = [
      "arn:aws:codepipeline:eu-west-1:444455556666:api",
      "arn:aws:codepipeline:eu-west-1:444455556666:webshop-pipeline",
    ]
  }

  # which log a failed build has written, and why it failed; leave it out to show failures without it
  statement {
    sid    = "ReadBuilds"
    effect = "Allow"

    actions = ["codebuild:BatchGetBuilds"]

    resources = ["arn:aws:codebuild:eu-west-1:444455556666:project/*"]
  }

  # the last lines of a failed build; a project with a log group of its own needs that one here
  statement {
    sid    = "ReadLogsOfBuilds"
    effect = "Allow"

    actions = ["logs:GetLogEvents"]

    resources = ["arn:aws:logs:eu-west-1:444455556666:log-group:/aws/codebuild/*:log-stream:*"]
  }

  # the last lines of a failed function; leave it out to show failures without them
  statement {
    sid    = "ReadLogsOfFunctions"
    effect = "Allow"

    actions = ["logs:FilterLogEvents"]

    resources = ["arn:aws:logs:eu-west-1:444455556666:log-group:/aws/lambda/*"]
  }
}

# For arn:aws:iam::444455556666:role/team/rollcall-bridge: what people ask for in Slack. Only mode:
# act needs it.
data "aws_iam_policy_document" "rollcall_prod_eu_act" {
  # start and stop executions
  statement {
    sid    = "StartAndStop"
    effect = "Allow"

    actions = [
      "codepipeline:StartPipelineExecution",
      "codepipeline:StopPipelineExecution",
    ]

    resources = [
      "arn:aws:codepipeline:eu-west-1:444455556666:api",
      "arn:aws:codepipeline:eu-west-1:444455556666:webshop-pipeline",
    ]
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

    resources = [
      "arn:aws:codepipeline:eu-west-1:444455556666:api/*",
      "arn:aws:codepipeline:eu-west-1:444455556666:webshop-pipeline/*",
    ]
  }

  # approve and reject; AWS grants it on actions
  statement {
    sid    = "AnswerApprovals"
    effect = "Allow"

    actions = ["codepipeline:PutApprovalResult"]

    resources = [
      "arn:aws:codepipeline:eu-west-1:444455556666:api/*/*",
      "arn:aws:codepipeline:eu-west-1:444455556666:webshop-pipeline/*/*",
    ]
  }
}

# The trust policy of arn:aws:iam::444455556666:role/team/rollcall-bridge.
data "aws_iam_policy_document" "rollcall_prod_eu_trust" {
  # rollcall acts as this role
  statement {
    sid    = "LetRollcallAssume"
    effect = "Allow"

    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::111122223333:role/rollcall"]
    }
  }
}

# Makes rollcall the only way to answer approvals of these pipelines. Add the statement to a service
# control policy of the account, or to the permissions boundary of everybody else. Whoever may
# change a pipeline (codepipeline:UpdatePipeline) can still take an approval out of it.
data "aws_iam_policy_document" "rollcall_prod_eu_deny" {
  # nobody but rollcall's role answers
  statement {
    sid    = "OnlyRollcallApproves"
    effect = "Deny"

    actions = ["codepipeline:PutApprovalResult"]

    resources = [
      "arn:aws:codepipeline:eu-west-1:444455556666:api/*/*",
      "arn:aws:codepipeline:eu-west-1:444455556666:webshop-pipeline/*/*",
    ]

    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = ["arn:aws:iam::444455556666:role/team/rollcall-bridge"]
    }
  }
}

resource "aws_iam_role" "rollcall_bridge" {
  name               = "rollcall-bridge"
  path               = "/team/"
  assume_role_policy = data.aws_iam_policy_document.rollcall_prod_eu_trust.json
}

resource "aws_iam_role_policy" "rollcall_prod_eu_read" {
  name   = "rollcall-prod-eu-read"
  role   = aws_iam_role.rollcall_bridge.id
  policy = data.aws_iam_policy_document.rollcall_prod_eu_read.json
}

resource "aws_iam_role_policy" "rollcall_prod_eu_act" {
  name   = "rollcall-prod-eu-act"
  role   = aws_iam_role.rollcall_bridge.id
  policy = data.aws_iam_policy_document.rollcall_prod_eu_act.json
}

resource "aws_iam_policy" "rollcall_prod_eu_base" {
  name   = "rollcall-prod-eu-base"
  policy = data.aws_iam_policy_document.rollcall_prod_eu_base.json
}

resource "aws_iam_policy" "rollcall_prod_eu_deny" {
  name   = "rollcall-prod-eu-deny"
  policy = data.aws_iam_policy_document.rollcall_prod_eu_deny.json
}
