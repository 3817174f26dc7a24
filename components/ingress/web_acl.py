"""Creates the web ACL of a load balancer, its rules, and the log of what it blocks.

ADR 12 has the rules' reasons. Managed rules that read what users write only count, which labels the
request; rules of our own then block what is labelled, except where such content belongs. It makes
no load balancer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.shared.path_part import GRAFANA_PATH
from langfuse_aws.settings.firewall import BAD_INPUTS, COMMON, MANAGED_RULES, Waf

if TYPE_CHECKING:
    # The largest module of the SDK, a quarter of a second that most stacks need not wait.
    from pulumi_aws.wafv2 import WebAclRuleActionArgsDict as Action
    from pulumi_aws.wafv2 import WebAclRuleArgsDict as Rule
    from pulumi_aws.wafv2 import WebAclRuleOverrideActionArgsDict as OverrideAction
    from pulumi_aws.wafv2 import WebAclRuleStatementArgsDict as Statement
    from pulumi_aws.wafv2 import (
        WebAclRuleStatementRateBasedStatementScopeDownStatementArgsDict as ScopeDown,
    )
    from pulumi_aws.wafv2 import WebAclRuleVisibilityConfigArgsDict as Visibility

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


API: Final = "/api/"
SIGN_IN: Final = "/api/auth/"
SDKS: Final = "/api/public/"
PAGES: Final = ("/project/", "/organization/", f"{GRAFANA_PATH}/")
"""Pages whose addresses hold what users search and filter for."""
GRAFANA_API: Final = f"{GRAFANA_PATH}/api/"
"""Where Grafana's own pages send SQL to. Its sign-in is not below it."""

COUNTED: Final = {
    COMMON: tuple(
        rule
        for rule in MANAGED_RULES[COMMON]
        if rule.endswith(("_BODY", "_QUERYARGUMENTS", "_QUERYSTRING"))
    ),
    # Not ReactJSRCE_BODY: it is about the framework that Langfuse is written in, and releases
    # before December 2025 are open to it (https://github.com/langfuse/langfuse/pull/10896).
    BAD_INPUTS: ("JavaDeserializationRCE_BODY", "Log4JRCE_BODY"),
}
"""Managed rules that block only where our own rules say so."""

LABELS: Final = {
    COMMON: "awswaf:managed:aws:core-rule-set:",
    BAD_INPUTS: "awswaf:managed:aws:known-bad-inputs:",
}
"""Labels' namespaces, on the page that lists the rules."""

_PARTS: Final = {"BODY": "Body", "QUERYARGUMENTS": "QueryArguments", "QUERYSTRING": "QueryString"}
"""How a label spells the part of the request that ends a rule's name."""

# https://docs.aws.amazon.com/waf/latest/APIReference/API_RateBasedStatement.html
FIVE_MINUTES: Final = 300

TOO_MANY_REQUESTS: Final = 429
"""Which clients repeat later; AWS's own 403 makes an SDK give the data up."""


def rules(waf: Waf) -> list[Rule]:
    """Every rule, by priority."""
    outside_api = _any([_not(_path(API)), *_is_sign_in()])
    outside_app = [_not(_path(prefix)) for prefix in (API, *PAGES)]
    bodies = _labels(("BODY",), waf.counted_rules)
    queries = _labels(("QUERYARGUMENTS", "QUERYSTRING"), waf.counted_rules)
    unordered = [
        _rate_limit(waf.rate_limit_per_five_minutes),
        *(_managed(group, waf.counted_rules) for group in MANAGED_RULES),
        *(
            [_blocking("body", _any(bodies), outside_api, _not(_path(GRAFANA_API)))]
            if bodies
            else []
        ),
        *([_blocking("query", _any(queries), *outside_app)] if queries else []),
    ]
    return [{**rule, "priority": priority} for priority, rule in enumerate(unordered)]


def visibility(metric: str) -> Visibility:
    """CloudWatch metrics, and samples of the requests of the last 3 hours."""
    return {
        "cloudwatch_metrics_enabled": True,
        "metric_name": metric,
        "sampled_requests_enabled": True,
    }


def label(group: str, rule: str) -> str:
    """The label that a counted rule puts on a request."""
    name, _, part = rule.rpartition("_")
    return f"{LABELS[group]}{name}_{_PARTS[part]}"


def _labels(parts: Iterable[str], left_alone: Sequence[str]) -> list[Statement]:
    """Statements that find the labels of the counted rules about these parts of a request."""
    return [
        {"label_match_statement": {"scope": "LABEL", "key": label(group, rule)}}
        for group, counted in COUNTED.items()
        for rule in counted
        if rule.rpartition("_")[2] in parts and rule not in left_alone
    ]


def _is_sign_in() -> list[Statement]:
    """The path as it is, and as a server may understand it.

    So `/api/public/../auth/` and `/api/auth%2f..%2fpublic/` are no ways around a rule.
    """
    return [_path(SIGN_IN), _path(SIGN_IN, "URL_DECODE", "NORMALIZE_PATH")]


def _path(prefix: str, *transformations: str) -> Statement:
    return {
        "byte_match_statement": {
            "search_string": prefix,
            "positional_constraint": "STARTS_WITH",
            "field_to_match": {"uri_path": {}},
            "text_transformations": [
                {"priority": priority, "type": kind}
                for priority, kind in enumerate(transformations or ("NONE",))
            ],
        }
    }


def _not(statement: Statement) -> Statement:
    return {"not_statement": {"statement": statement}}


def _any(statements: list[Statement]) -> Statement:
    """AWS takes an `or` of two or more only."""
    return statements[0] if len(statements) == 1 else {"or_statement": {"statements": statements}}


def _rule(
    name: str,
    statement: Statement,
    action: Action | None = None,
    override_action: OverrideAction | None = None,
) -> Rule:
    return {
        "name": name,
        "priority": 0,
        "statement": statement,
        "action": action,
        "override_action": override_action,
        "visibility_config": visibility(name),
    }


def _blocking(name: str, *all_of: Statement) -> Rule:
    return _rule(name, {"and_statement": {"statements": all_of}}, action={"block": {}})


def _rate_limit(limit: int) -> Rule:
    counted = _any([_not(_path(SDKS)), *_is_sign_in()])
    return _rule(
        "rate-limit",
        {
            "rate_based_statement": {
                "limit": limit,
                "evaluation_window_sec": FIVE_MINUTES,
                "aggregate_key_type": "IP",
                "scope_down_statement": cast("ScopeDown", counted),
            }
        },
        action={"block": {"custom_response": {"response_code": TOO_MANY_REQUESTS}}},
    )


def _managed(group: str, left_alone: Sequence[str]) -> Rule:
    counted = [
        rule
        for rule in MANAGED_RULES[group]
        if rule in COUNTED.get(group, ()) or rule in left_alone
    ]
    return _rule(
        group,
        {
            "managed_rule_group_statement": {
                "vendor_name": "AWS",
                "name": group,
                "rule_action_overrides": [
                    {"name": rule, "action_to_use": {"count": {}}} for rule in counted
                ],
            }
        },
        override_action={"none": {}},
    )
