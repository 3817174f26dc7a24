"""Creates the web ACL of a load balancer, and the log of what it blocks.

The rules are those of `web_acl_rules`. It makes no load balancer.
"""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.ingress.web_acl_rules import rules, visibility
from langfuse_aws.settings.firewall import Waf

# https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html
LOG_GROUP_PREFIX: Final = "aws-waf-logs-"
"""What the name of a log group must begin with, or AWS WAF refuses to write to it. Auto-naming adds
its suffix at the end."""

SECRET_HEADERS: Final = ("authorization", "cookie")
"""Headers with API keys and sessions."""


@dataclass(frozen=True)
class WebAclArgs:
    """What the web ACL is made from."""

    settings: Waf
    load_balancer_arn: pulumi.Input[str]
    log_retention_days: int


class WebAcl(pulumi.ComponentResource):
    """The web ACL, in front of the load balancer."""

    arn: pulumi.Output[str]
    """ARN of the web ACL."""

    def __init__(
        self, name: str, args: WebAclArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:WebAcl", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        acl = aws.wafv2.WebAcl(
            name,
            scope="REGIONAL",
            default_action={"allow": {}},
            rules=rules(args.settings),
            visibility_config=visibility(name),
            # Of the log and of sampled requests; what is inspected stays whole.
            data_protection_config={
                "data_protections": [
                    {
                        "action": "SUBSTITUTION",
                        "field": {"field_type": "SINGLE_HEADER", "field_keys": [header]},
                    }
                    for header in SECRET_HEADERS
                ]
            },
            opts=child,
        )
        self.arn = acl.arn
        # AWS knows both by what they belong to: deleting the old one would take away the new one.
        one_at_a_time = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        aws.wafv2.WebAclAssociation(
            name, resource_arn=args.load_balancer_arn, web_acl_arn=acl.arn, opts=one_at_a_time
        )
        logs = aws.cloudwatch.LogGroup(
            f"{LOG_GROUP_PREFIX}{name}", retention_in_days=args.log_retention_days, opts=child
        )
        aws.wafv2.WebAclLoggingConfiguration(
            name,
            resource_arn=acl.arn,
            log_destination_configs=[logs.arn],
            logging_filter={
                "default_behavior": "DROP",
                "filters": [
                    {
                        "behavior": "KEEP",
                        "requirement": "MEETS_ANY",
                        "conditions": [{"action_condition": {"action": "BLOCK"}}],
                    }
                ],
            },
            opts=one_at_a_time,
        )
        self.register_outputs({"arn": self.arn})
