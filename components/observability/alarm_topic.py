"""Makes the topic that mails the alarms: encrypted, and closed but for CloudWatch.

It bears no data, so nothing of it is protected.
"""

import json
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.shared.location import Location

KEY_DELETION_DAYS: Final = 7
"""KMS's shortest waiting period."""


def alarm_topic(
    name: str, email: str, location: Location, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    """Make the topic; returns its ARN, known once CloudWatch may publish to it.

    The key has to be one of our own: CloudWatch may not use `alias/aws/sns`.
    https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
    """
    account = aws.get_caller_identity(opts=pulumi.InvokeOptions(parent=opts.parent)).account_id
    key = aws.kms.Key(
        name,
        description=f"Alarms of {name}",
        enable_key_rotation=True,
        deletion_window_in_days=KEY_DELETION_DAYS,
        policy=key_policy(location, account),
        opts=opts,
    )
    topic = aws.sns.Topic(name, kms_master_key_id=key.arn, opts=opts)
    policy = aws.sns.TopicPolicy(
        name,
        arn=topic.arn,
        policy=topic.arn.apply(lambda arn: topic_policy(arn, location, account)),
        opts=opts,
    )
    aws.sns.TopicSubscription(name, topic=topic.arn, protocol="email", endpoint=email, opts=opts)
    return pulumi.Output.all(topic.arn, policy.id).apply(lambda values: values[0])


def key_policy(location: Location, account: str) -> str:
    """Build the key's policy: the account's own IAM policies count, and CloudWatch may encrypt."""
    return _policy(
        {
            "Sid": "Account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{location.partition}:iam::{account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        },
    )


def topic_policy(arn: str, location: Location, account: str) -> str:
    """Build the topic's policy: this account's alarms may publish, and nobody without TLS."""
    alarms = f"arn:{location.partition}:cloudwatch:{location.region}:{account}:alarm:*"
    return _policy(
        {
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account},
                "ArnLike": {"aws:SourceArn": alarms},
            },
        },
        {
            "Sid": "DenyPlainHttp",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)
