# What web shop needs.
# To do: put the external ID of arn:aws:iam::444455556666:role/team/deploy (aws.roles in the
# configuration) in the place of EXTERNAL_ID.
# To do: who assumes the first role is not in the configuration (aws.roleArn): put the ARN behind
# rollcall's own credentials in the place of arn:aws:iam::ACCOUNT_ID:role/ROLLCALL.
# To do: ecs:RegisterTaskDefinition (make a task definition) is allowed on every resource in
# rollcall-web-shop-444455556666-deploy: AWS grants it on all or none, or the pipeline does not name
# it.

variable "rollcall_external_id" {
  type      = string
  sensitive = true
}

variable "rollcall_caller_arn" {
  type = string
}

# For the credentials that rollcall starts with (the user or role of the machine or container);
# attach it in their account.
data "aws_iam_policy_document" "rollcall_web_shop_base" {
  # act as the roles of the pipelines
  statement {
    sid    = "AssumeRoles"
    effect = "Allow"

    actions = ["sts:AssumeRole"]

    resources = ["arn:aws:iam::111122223333:role/shop-pipeline"]
  }

  # store, read and copy artifacts, and remove those whose time is over
  statement {
    sid    = "KeepArtifacts"
    effect = "Allow"

    actions = [
      "s3:PutObject",
      "s3:GetObject",
      "s3:GetObjectVersion",
      "s3:DeleteObjectVersion",
    ]

    resources = [
      "arn:aws:s3:::acme-art-us/*",
      "arn:aws:s3:::acme-art/rollcall/*",
    ]
  }

  # distinguish an artifact that is not there from one that may not be read, find those whose time is
  # over; doctor looks whether the bucket keeps versions
  statement {
    sid    = "ListArtifacts"
    effect = "Allow"

    actions = [
      "s3:ListBucket",
      "s3:ListBucketVersions",
      "s3:GetBucketVersioning",
    ]

    resources = [
      "arn:aws:s3:::acme-art",
      "arn:aws:s3:::acme-art-us",
    ]
  }

  # encrypt and decrypt artifacts
  statement {
    sid    = "UseKeyOfArtifacts"
    effect = "Allow"

    actions = [
      "kms:GenerateDataKey",
      "kms:Decrypt",
    ]

    resources = ["arn:aws:kms:eu-west-1:111122223333:key/*"]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/art"]
    }
  }

  # encrypt and decrypt artifacts
  statement {
    sid    = "UseKeyOfArtifacts2"
    effect = "Allow"

    actions = [
      "kms:GenerateDataKey",
      "kms:Decrypt",
    ]

    resources = ["arn:aws:kms:us-east-1:111122223333:key/0aeb"]
  }
}

# Optional, for the credentials that rollcall starts with (the user or role of the machine or
# container): every action runs without it. With it doctor sees more beforehand, and a finding says
# more afterwards.
data "aws_iam_policy_document" "rollcall_web_shop_base_optional" {
  # doctor looks whether the bucket encrypts, is private and keeps artifacts long enough, and which
  # accounts its policy names
  statement {
    sid    = "SeeArtifactBucket"
    effect = "Allow"

    actions = [
      "s3:GetEncryptionConfiguration",
      "s3:GetBucketPublicAccessBlock",
      "s3:GetLifecycleConfiguration",
      "s3:GetBucketPolicy",
    ]

    resources = [
      "arn:aws:s3:::acme-art",
      "arn:aws:s3:::acme-art-us",
    ]
  }

  # doctor looks whether the key is enabled
  statement {
    sid    = "SeeKeyOfArtifacts"
    effect = "Allow"

    actions = ["kms:DescribeKey"]

    resources = ["arn:aws:kms:eu-west-1:111122223333:key/*"]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/art"]
    }
  }

  # doctor looks whether the key is enabled
  statement {
    sid    = "SeeKeyOfArtifacts2"
    effect = "Allow"

    actions = ["kms:DescribeKey"]

    resources = ["arn:aws:kms:us-east-1:111122223333:key/0aeb"]
  }
}

# For arn:aws:iam::111122223333:role/shop-pipeline: web shop: Build/App, web shop: Build/Test.
data "aws_iam_policy_document" "rollcall_web_shop_111122223333_shop_pipeline" {
  # act as the roles of the pipelines
  statement {
    sid    = "AssumeRoles"
    effect = "Allow"

    actions = [
      "sts:AssumeRole",
      "sts:SetSourceIdentity",
    ]

    resources = ["arn:aws:iam::444455556666:role/team/deploy"]
  }

  # start builds
  statement {
    sid    = "RunBuilds"
    effect = "Allow"

    actions = ["codebuild:StartBuild"]

    resources = [
      "arn:aws:codebuild:eu-west-1:111122223333:project/app",
      "arn:aws:codebuild:eu-west-1:111122223333:project/test",
    ]
  }
}

# The trust policy of arn:aws:iam::111122223333:role/shop-pipeline.
data "aws_iam_policy_document" "rollcall_web_shop_111122223333_shop_pipeline_trust" {
  # rollcall acts as this role
  statement {
    sid    = "LetRollcallAssume"
    effect = "Allow"

    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.rollcall_caller_arn]
    }
  }
}

# Optional, for arn:aws:iam::111122223333:role/shop-pipeline: every action runs without it. With it
# doctor sees more beforehand, and a finding says more afterwards.
data "aws_iam_policy_document" "rollcall_web_shop_111122223333_shop_pipeline_optional" {
  # doctor looks whether the project is there
  statement {
    sid    = "SeeProject"
    effect = "Allow"

    actions = ["codebuild:BatchGetProjects"]

    resources = ["arn:aws:codebuild:eu-west-1:111122223333:project/app"]
  }

  # a finding names the quota that was reached, its value and where to raise it
  statement {
    sid    = "ReadQuotas"
    effect = "Allow"

    actions = [
      "servicequotas:GetServiceQuota",
      "servicequotas:ListServiceQuotas",
    ]

    resources = ["*"]
  }

  # a finding names the event of CloudTrail: who, when, which call
  statement {
    sid    = "LookUpEvents"
    effect = "Allow"

    actions = ["cloudtrail:LookupEvents"]

    resources = ["*"]
  }
}

# For arn:aws:iam::444455556666:role/team/deploy: web shop: Prod/Deploy.
data "aws_iam_policy_document" "rollcall_web_shop_444455556666_deploy" {
  # change the service
  statement {
    sid    = "Deploy"
    effect = "Allow"

    actions = ["ecs:UpdateService"]

    resources = ["arn:aws:ecs:us-east-1:444455556666:service/shop/web"]
  }

  # make a task definition
  statement {
    sid    = "Deploy2"
    effect = "Allow"

    actions = ["ecs:RegisterTaskDefinition"]

    resources = ["*"]
  }

  # give the task its role
  statement {
    sid    = "PassTaskRole"
    effect = "Allow"

    actions = ["iam:PassRole"]

    resources = ["arn:aws:iam::444455556666:role/task"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  # the task definition's image
  statement {
    sid    = "ReadArtifacts"
    effect = "Allow"

    actions = [
      "s3:GetObject",
      "s3:GetObjectVersion",
    ]

    resources = ["arn:aws:s3:::acme-art-us/*"]
  }

  # decrypt artifacts
  statement {
    sid    = "ReadKeyOfArtifacts"
    effect = "Allow"

    actions = ["kms:Decrypt"]

    resources = ["arn:aws:kms:us-east-1:111122223333:key/0aeb"]
  }
}

# The trust policy of arn:aws:iam::444455556666:role/team/deploy.
data "aws_iam_policy_document" "rollcall_web_shop_444455556666_deploy_trust" {
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
      identifiers = ["arn:aws:iam::111122223333:role/shop-pipeline"]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.rollcall_external_id]
    }
  }
}

# Optional, for arn:aws:iam::444455556666:role/team/deploy: every action runs without it. With it
# doctor sees more beforehand, and a finding says more afterwards.
data "aws_iam_policy_document" "rollcall_web_shop_444455556666_deploy_optional" {
  # a finding names the quota that was reached, its value and where to raise it
  statement {
    sid    = "ReadQuotas"
    effect = "Allow"

    actions = [
      "servicequotas:GetServiceQuota",
      "servicequotas:ListServiceQuotas",
    ]

    resources = ["*"]
  }

  # a finding names the event of CloudTrail: who, when, which call
  statement {
    sid    = "LookUpEvents"
    effect = "Allow"

    actions = ["cloudtrail:LookupEvents"]

    resources = ["*"]
  }
}

# For the service role of the CodeBuild project app: reading input artifacts and writing output
# artifacts.
data "aws_iam_policy_document" "rollcall_web_shop_service_the_CodeBuild_project_app" {
  # the action's artifacts
  statement {
    sid    = "ReadAndWriteArtifacts"
    effect = "Allow"

    actions = [
      "s3:GetObject",
      "s3:GetObjectVersion",
      "s3:PutObject",
    ]

    resources = ["arn:aws:s3:::acme-art/rollcall/*"]
  }

  # whose bucket it is and where
  statement {
    sid    = "LookAtBucket"
    effect = "Allow"

    actions = [
      "s3:GetBucketAcl",
      "s3:GetBucketLocation",
    ]

    resources = ["arn:aws:s3:::acme-art"]
  }

  # decrypt and encrypt artifacts
  statement {
    sid    = "UseKeyOfArtifacts"
    effect = "Allow"

    actions = [
      "kms:Decrypt",
      "kms:GenerateDataKey",
    ]

    resources = ["arn:aws:kms:eu-west-1:111122223333:key/*"]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/art"]
    }
  }
}

# For the service role of the CodeBuild project test: reading input artifacts and writing output
# artifacts.
data "aws_iam_policy_document" "rollcall_web_shop_service_the_CodeBuild_project_test" {
  # the action's artifacts
  statement {
    sid    = "ReadAndWriteArtifacts"
    effect = "Allow"

    actions = [
      "s3:GetObject",
      "s3:GetObjectVersion",
      "s3:PutObject",
    ]

    resources = ["arn:aws:s3:::acme-art/rollcall/*"]
  }

  # whose bucket it is and where
  statement {
    sid    = "LookAtBucket"
    effect = "Allow"

    actions = [
      "s3:GetBucketAcl",
      "s3:GetBucketLocation",
    ]

    resources = ["arn:aws:s3:::acme-art"]
  }

  # decrypt and encrypt artifacts
  statement {
    sid    = "UseKeyOfArtifacts"
    effect = "Allow"

    actions = [
      "kms:Decrypt",
      "kms:GenerateDataKey",
    ]

    resources = ["arn:aws:kms:eu-west-1:111122223333:key/*"]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/art"]
    }
  }
}

# Add the statements to the policy of the bucket acme-art-us: the actions of other accounts read and
# write artifacts there.
data "aws_iam_policy_document" "rollcall_web_shop_bucket_acme_art_us" {
  # what the roles in these accounts are allowed besides
  statement {
    sid    = "OtherAccountsUseArtifacts"
    effect = "Allow"

    actions = [
      "s3:GetObject",
      "s3:GetObjectVersion",
      "s3:PutObject",
    ]

    resources = ["arn:aws:s3:::acme-art-us/*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::444455556666:root"]
    }
  }

  # whose bucket it is and where
  statement {
    sid    = "OtherAccountsLook"
    effect = "Allow"

    actions = [
      "s3:GetBucketAcl",
      "s3:GetBucketLocation",
    ]

    resources = ["arn:aws:s3:::acme-art-us"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::444455556666:root"]
    }
  }
}

# Add the statement to the policy of the key arn:aws:kms:us-east-1:111122223333:key/0aeb in
# us-east-1.
data "aws_iam_policy_document" "rollcall_web_shop_key_of_acme_art_us" {
  # decrypt and encrypt artifacts
  statement {
    sid    = "OtherAccountsUseKey"
    effect = "Allow"

    actions = [
      "kms:Decrypt",
      "kms:GenerateDataKey",
    ]

    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::444455556666:root"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.us-east-1.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "shop_pipeline" {
  name               = "shop-pipeline"
  path               = "/"
  assume_role_policy = data.aws_iam_policy_document.rollcall_web_shop_111122223333_shop_pipeline_trust.json
}

resource "aws_iam_role_policy" "rollcall_web_shop_111122223333_shop_pipeline" {
  name   = "rollcall-web-shop-111122223333-shop-pipeline"
  role   = aws_iam_role.shop_pipeline.id
  policy = data.aws_iam_policy_document.rollcall_web_shop_111122223333_shop_pipeline.json
}

resource "aws_iam_role_policy" "rollcall_web_shop_111122223333_shop_pipeline_optional" {
  name   = "rollcall-web-shop-111122223333-shop-pipeline-optional"
  role   = aws_iam_role.shop_pipeline.id
  policy = data.aws_iam_policy_document.rollcall_web_shop_111122223333_shop_pipeline_optional.json
}

resource "aws_iam_role" "deploy" {
  name               = "deploy"
  path               = "/team/"
  assume_role_policy = data.aws_iam_policy_document.rollcall_web_shop_444455556666_deploy_trust.json
}

resource "aws_iam_role_policy" "rollcall_web_shop_444455556666_deploy" {
  name   = "rollcall-web-shop-444455556666-deploy"
  role   = aws_iam_role.deploy.id
  policy = data.aws_iam_policy_document.rollcall_web_shop_444455556666_deploy.json
}

resource "aws_iam_role_policy" "rollcall_web_shop_444455556666_deploy_optional" {
  name   = "rollcall-web-shop-444455556666-deploy-optional"
  role   = aws_iam_role.deploy.id
  policy = data.aws_iam_policy_document.rollcall_web_shop_444455556666_deploy_optional.json
}

resource "aws_iam_policy" "rollcall_web_shop_base" {
  name   = "rollcall-web-shop-base"
  policy = data.aws_iam_policy_document.rollcall_web_shop_base.json
}

resource "aws_iam_policy" "rollcall_web_shop_base_optional" {
  name   = "rollcall-web-shop-base-optional"
  policy = data.aws_iam_policy_document.rollcall_web_shop_base_optional.json
}

resource "aws_iam_policy" "rollcall_web_shop_service_the_CodeBuild_project_app" {
  name   = "rollcall-web-shop-service-the-CodeBuild-project-app"
  policy = data.aws_iam_policy_document.rollcall_web_shop_service_the_CodeBuild_project_app.json
}

resource "aws_iam_policy" "rollcall_web_shop_service_the_CodeBuild_project_test" {
  name   = "rollcall-web-shop-service-the-CodeBuild-project-test"
  policy = data.aws_iam_policy_document.rollcall_web_shop_service_the_CodeBuild_project_test.json
}
