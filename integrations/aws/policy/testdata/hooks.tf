# What the ECS gate ecs-prod-all needs.

# For the credentials that rollcall starts with (the user or role of the machine or container);
# attach it in their account.
data "aws_iam_policy_document" "rollcall_ecs_prod_all_base" {
  # act as the role of the bridge
  statement {
    sid    = "AssumeTheBridgeRole"
    effect = "Allow"

    actions = ["sts:AssumeRole"]

    resources = ["arn:aws:iam::444455556666:role/team/rollcall-bridge"]
  }
}

# For arn:aws:iam::444455556666:role/team/rollcall-bridge: looking at deployments of ECS. Nothing in
# it changes anything.
data "aws_iam_policy_document" "rollcall_ecs_prod_all_read" {
  # which deployments are on their way, and by doctor which hooks a service has
  statement {
    sid    = "ListDeployments"
    effect = "Allow"

    actions = [
      "ecs:ListServiceDeployments",
      "ecs:DescribeServices",
    ]

    resources = ["arn:aws:ecs:eu-west-1:444455556666:service/prod/*"]
  }

  # at which hook a deployment waits
  statement {
    sid    = "ReadDeployments"
    effect = "Allow"

    actions = ["ecs:DescribeServiceDeployments"]

    resources = [
      "arn:aws:ecs:eu-west-1:444455556666:service/prod/*",
      "arn:aws:ecs:eu-west-1:444455556666:service-deployment/prod/*/*",
    ]
  }

  # what the revisions run; leave it out to show them by their IDs
  statement {
    sid    = "ReadRevisions"
    effect = "Allow"

    actions = ["ecs:DescribeServiceRevisions"]

    resources = [
      "arn:aws:ecs:eu-west-1:444455556666:service/prod/*",
      "arn:aws:ecs:eu-west-1:444455556666:service-revision/prod/*/*",
    ]
  }

  # what the patterns name; AWS grants it on all or none
  statement {
    sid    = "FindServices"
    effect = "Allow"

    actions = ["ecs:ListServices"]

    resources = ["*"]
  }
}

# For arn:aws:iam::444455556666:role/team/rollcall-bridge: what people decide in Slack.
data "aws_iam_policy_document" "rollcall_ecs_prod_all_act" {
  # continue a deployment that waits, or have it rolled back
  statement {
    sid    = "AnswerHooks"
    effect = "Allow"

    actions = ["ecs:ContinueServiceDeployment"]

    resources = [
      "arn:aws:ecs:eu-west-1:444455556666:service/prod/*",
      "arn:aws:ecs:eu-west-1:444455556666:service-deployment/prod/*/*",
    ]
  }
}

# The trust policy of arn:aws:iam::444455556666:role/team/rollcall-bridge.
data "aws_iam_policy_document" "rollcall_ecs_prod_all_trust" {
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

# Makes rollcall the only way to answer these hooks. Add the statement to a service control policy
# of the account, or to the permissions boundary of everybody else. Whoever may change a service
# (ecs:UpdateService) can still take a hook out of it.
data "aws_iam_policy_document" "rollcall_ecs_prod_all_deny" {
  # nobody but rollcall's role answers
  statement {
    sid    = "OnlyRollcallContinues"
    effect = "Deny"

    actions = ["ecs:ContinueServiceDeployment"]

    resources = [
      "arn:aws:ecs:eu-west-1:444455556666:service/prod/*",
      "arn:aws:ecs:eu-west-1:444455556666:service-deployment/prod/*/*",
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
  assume_role_policy = data.aws_iam_policy_document.rollcall_ecs_prod_all_trust.json
}

resource "aws_iam_role_policy" "rollcall_ecs_prod_all_read" {
  name   = "rollcall-ecs-prod-all-read"
  role   = aws_iam_role.rollcall_bridge.id
  policy = data.aws_iam_policy_document.rollcall_ecs_prod_all_read.json
}

resource "aws_iam_role_policy" "rollcall_ecs_prod_all_act" {
  name   = "rollcall-ecs-prod-all-act"
  role   = aws_iam_role.rollcall_bridge.id
  policy = data.aws_iam_policy_document.rollcall_ecs_prod_all_act.json
}

resource "aws_iam_policy" "rollcall_ecs_prod_all_base" {
  name   = "rollcall-ecs-prod-all-base"
  policy = data.aws_iam_policy_document.rollcall_ecs_prod_all_base.json
}

resource "aws_iam_policy" "rollcall_ecs_prod_all_deny" {
  name   = "rollcall-ecs-prod-all-deny"
  policy = data.aws_iam_policy_document.rollcall_ecs_prod_all_deny.json
}
