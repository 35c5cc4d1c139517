# What the bridge prod-eu needs.
# To do: who assumes arn:aws:iam::444455556666:role/team/rollcall-bridge is not in the configuration
# (aws.roleArn): put the ARN behind rollcall's own credentials in the place of
# arn:aws:iam::ACCOUNT_ID:role/ROLLCALL.
# To do: put the external ID of arn:aws:iam::444455556666:role/team/rollcall-bridge (aws.roles in
# the configuration) in the place of EXTERNAL_ID.

variable "rollcall_external_id" {
  type      = string
  sensitive = true
}

variable "rollcall_caller_arn" {
  type = string
}

# For the credentials that rollcall starts with (the user or role of the machine or container);
# attach it in their account.
data "aws_iam_policy_document" "rollcall_prod_eu_base" {
  # act as the role of the bridge
  statement {
    sid    = "AssumeTheBridgeRole"
    effect = "Allow"

    actions = [
      "sts:AssumeRole",
      "sts:SetSourceIdentity",
    ]

    resources = ["arn:aws:iam::444455556666:role/team/rollcall-bridge"]
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

    resources = ["arn:aws:codepipeline:eu-west-1:444455556666:webshop-pipeline"]
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

# The trust policy of arn:aws:iam::444455556666:role/team/rollcall-bridge.
data "aws_iam_policy_document" "rollcall_prod_eu_trust" {
  # rollcall acts as this role
  statement {
    sid    = "LetRollcallAssume"
    effect = "Allow"

    actions = [
      "sts:AssumeRole",
      "sts:SetSourceIdentity",
    ]

    principals {
      type        = "AWS"
      identifiers = [var.rollcall_caller_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.rollcall_external_id]
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

resource "aws_iam_policy" "rollcall_prod_eu_base" {
  name   = "rollcall-prod-eu-base"
  policy = data.aws_iam_policy_document.rollcall_prod_eu_base.json
}
