"""The web ACL: its rules in their order, and which request they let through or block.

The rules of our own are evaluated here as AWS documents their statements, over paths and labels.
What a managed rule finds in a request is AWS's secret, so labels are given, not found.
"""

import posixpath
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import pytest

from langfuse_aws.components.ingress.web_acl import COUNTED, label, rules
from langfuse_aws.cost.bill import bill
from langfuse_aws.graph.model import Resource, ResourceGraph
from langfuse_aws.settings.firewall import BAD_INPUTS, COMMON, MANAGED_RULES, REPUTATION, Waf
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.services import LoadBalancerIngress
from tests.unit.stack_graph import CERTIFICATE, ROOT, Graph, build, shipped

ACL = "aws:wafv2/webAcl:WebAcl"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
LOGGING = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
LOGS = "aws:cloudwatch/logGroup:LogGroup"

STAGING = {"size": "staging", "domain": "langfuse.example.com"}

WCU = {COMMON: 700, BAD_INPUTS: 200, REPUTATION: 25}
WCU_INCLUDED = 1500
"""What the price of a web ACL includes: https://aws.amazon.com/waf/pricing/."""

BODIES = (
    "SizeRestrictions_BODY",
    "EC2MetaDataSSRF_BODY",
    "GenericLFI_BODY",
    "GenericRFI_BODY",
    "CrossSiteScripting_BODY",
    "JavaDeserializationRCE_BODY",
    "Log4JRCE_BODY",
)
QUERIES = (
    "SizeRestrictions_QUERYSTRING",
    "EC2MetaDataSSRF_QUERYARGUMENTS",
    "GenericLFI_QUERYARGUMENTS",
    "RestrictedExtensions_QUERYARGUMENTS",
    "GenericRFI_QUERYARGUMENTS",
    "CrossSiteScripting_QUERYARGUMENTS",
)
CONTENT = (
    "/api/public/ingestion",
    "/api/public/otel/v1/traces",
    "/api/public/media",
    "/api/public/scores",
    "/api/public/v2/prompts",
    "/api/public/dataset-items",
    "/api/public/comments",
    "/api/public/mcp",
    "/api/trpc/prompts.create",
    "/api/trpc/datasets.createDatasetItem",
    "/api/chatCompletion",
    "/grafana/api/ds/query",
)
SIGN_IN = (
    "/api/auth/callback/credentials",
    "/api/auth/signup",
    "/api/public/../auth/callback/credentials",
    "/api/public/%2e%2e/auth/callback/credentials",
    "/api/auth/callback%2f..%2f..%2fpublic%2fingestion",
    "/api//auth/callback/credentials",
)
PAGES = ("/project/p1/traces", "/organization/o1/settings", "/grafana/explore")
OPEN_PAGES = ("/", "/auth/sign-in", "/auth/sign-up", "/apix", "/projects", "/grafanas")


# By the pages that settings/firewall.py cites, as AWS's console lists them.
AWS_RULES = {
    "AWSManagedRulesAmazonIpReputationList": """
        AWSManagedIPReputationList AWSManagedReconnaissanceList AWSManagedIPDDoSList
    """,
    "AWSManagedRulesCommonRuleSet": """
        NoUserAgent_HEADER UserAgent_BadBots_HEADER SizeRestrictions_QUERYSTRING
        SizeRestrictions_Cookie_HEADER SizeRestrictions_BODY SizeRestrictions_URIPATH
        EC2MetaDataSSRF_BODY EC2MetaDataSSRF_COOKIE EC2MetaDataSSRF_URIPATH
        EC2MetaDataSSRF_QUERYARGUMENTS GenericLFI_QUERYARGUMENTS GenericLFI_URIPATH GenericLFI_BODY
        RestrictedExtensions_URIPATH RestrictedExtensions_QUERYARGUMENTS GenericRFI_QUERYARGUMENTS
        GenericRFI_BODY GenericRFI_URIPATH CrossSiteScripting_COOKIE
        CrossSiteScripting_QUERYARGUMENTS CrossSiteScripting_BODY CrossSiteScripting_URIPATH
    """,
    "AWSManagedRulesKnownBadInputsRuleSet": """
        JavaDeserializationRCE_HEADER JavaDeserializationRCE_BODY JavaDeserializationRCE_URIPATH
        JavaDeserializationRCE_QUERYSTRING Host_localhost_HEADER PROPFIND_METHOD
        ExploitablePaths_URIPATH Log4JRCE_HEADER Log4JRCE_QUERYSTRING Log4JRCE_BODY
        Log4JRCE_URIPATH ReactJSRCE_BODY
    """,
}


def config(**keys: Any) -> Waf:
    return Waf.model_validate(keys)


def test_managed_rules_have_the_names_that_aws_has() -> None:
    """AWS WAF refuses an override of a rule that its group does not have."""
    assert {group: [*rules] for group, rules in MANAGED_RULES.items()} == {
        group: rules.split() for group, rules in AWS_RULES.items()
    }


def with_waf() -> Graph:
    """A stack with a web ACL, a certificate of its own and the zone of its domain."""
    ingress = {
        "waf": {"rateLimitPerFiveMinutes": 2000},
        "certificateArn": CERTIFICATE,
        "hostedZone": "example.com",
    }
    return build("staging", {**STAGING, "ingress": ingress})


def labels(*names: str) -> set[str]:
    """The labels of counted rules."""
    found = {
        label(group, rule)
        for group, counted in COUNTED.items()
        for rule in counted
        if rule in names
    }
    assert len(found) == len(names), "a rule that is not counted blocks, and labels nothing"
    return found


def holds(statement: Any, path: str, having: set[str]) -> bool:
    """Whether a statement matches a request, as AWS documents it."""
    ((kind, inner),) = statement.items()
    match kind:
        case "and_statement":
            return all(holds(each, path, having) for each in inner["statements"])
        case "or_statement":
            assert len(inner["statements"]) > 1, "AWS refuses an 'or' of one"
            return any(holds(each, path, having) for each in inner["statements"])
        case "not_statement":
            return not holds(inner["statement"], path, having)
        case "label_match_statement":
            assert inner["scope"] == "LABEL"
            return inner["key"] in having
        case "byte_match_statement":
            assert inner["field_to_match"] == {"uri_path": {}}
            assert inner["positional_constraint"] == "STARTS_WITH"
            return transformed(path, inner["text_transformations"]).startswith(
                inner["search_string"]
            )
        case _:
            raise AssertionError(kind)


def transformed(path: str, transformations: Iterable[Any]) -> str:
    for each in sorted(transformations, key=lambda one: one["priority"]):
        match each["type"]:
            case "NONE":
                pass
            case "URL_DECODE":
                path = unquote(path)
            case "NORMALIZE_PATH":
                end = "/" if path.endswith("/") else ""
                path = posixpath.normpath(path).replace("//", "/") + end
            case other:
                raise AssertionError(other)
    return path


def blocked(path: str, *names: str, waf: Waf | None = None) -> bool:
    """Whether one of our own label rules blocks a request."""
    having = labels(*names)
    own = [rule for rule in rules(waf or config()) if rule["name"] in ("body", "query")]
    assert all(rule.get("action") == {"block": {}} for rule in own)
    return any(holds(rule["statement"], path, having) for rule in own)


def counts(path: str) -> bool:
    """Whether a request counts against the rate limit."""
    (rule,) = [rule for rule in rules(config()) if rule["name"] == "rate-limit"]
    statement: Any = rule["statement"]
    return holds(statement["rate_based_statement"]["scope_down_statement"], path, set())


def test_no_body_is_blocked_where_bodies_are_what_users_write() -> None:
    found = [path for path in CONTENT if blocked(path, *BODIES)]
    assert found == [], "an SDK drops the traces that it gets a 403 for"


@pytest.mark.parametrize("rule", BODIES)
def test_every_body_rule_blocks_wherever_nobody_writes_content(rule: str) -> None:
    let_through = [path for path in (*SIGN_IN, *OPEN_PAGES, *PAGES) if not blocked(path, rule)]
    assert let_through == [], "dots and encoded slashes lend no exemption"


def test_no_query_is_blocked_of_the_apis_of_pages_with_filters_and_of_oauth() -> None:
    paths = (*CONTENT, *SIGN_IN[:2], *PAGES, "/api/auth/callback/google")
    assert [path for path in paths if blocked(path, *QUERIES)] == [], (
        "tRPC sends what users search for in the query, without a limit on its length, and an "
        "identity provider its codes and URLs (https://github.com/cds-snc/scan-websites/pull/145)"
    )


@pytest.mark.parametrize("rule", QUERIES)
def test_every_query_rule_blocks_on_the_pages_that_anybody_can_open(rule: str) -> None:
    assert [path for path in OPEN_PAGES if not blocked(path, rule)] == []


def test_a_request_without_a_label_is_blocked_nowhere() -> None:
    paths = (*CONTENT, *SIGN_IN, *OPEN_PAGES, *PAGES)
    assert [path for path in paths if blocked(path)] == []


def test_what_sdks_send_to_does_not_count_against_the_rate_limit() -> None:
    assert {path for path in CONTENT if counts(path)} == {
        "/api/trpc/prompts.create",
        "/api/trpc/datasets.createDatasetItem",
        "/api/chatCompletion",
        "/grafana/api/ds/query",
    }, "a fleet behind one NAT address sends thousands of batches a minute"
    assert all(counts(path) for path in (*SIGN_IN, *OPEN_PAGES, *PAGES)), (
        "guessing of passwords is limited, however its path is written"
    )


def test_the_rules_are_these_and_each_is_measured_and_sampled() -> None:
    found = rules(config(rateLimitPerFiveMinutes=2000))
    assert [(rule["priority"], rule["name"]) for rule in found] == [
        (0, "rate-limit"),
        (1, REPUTATION),
        (2, COMMON),
        (3, BAD_INPUTS),
        (4, "body"),
        (5, "query"),
    ], "a label can be read only by rules that come after the one that gives it"
    for rule in found:
        assert rule["visibility_config"] == {
            "cloudwatch_metrics_enabled": True,
            "metric_name": rule["name"],
            "sampled_requests_enabled": True,
        }
        assert (rule.get("action") is None) is (rule["name"] in MANAGED_RULES)
    rate: Any = found[0]["statement"]
    assert rate["rate_based_statement"]["limit"] == 2000
    assert rate["rate_based_statement"]["evaluation_window_sec"] == 300
    assert rate["rate_based_statement"]["aggregate_key_type"] == "IP"
    assert found[0].get("action") == {"block": {"custom_response": {"response_code": 429}}}


def test_managed_rules_block_but_for_those_about_content() -> None:
    assert counted_of(config()) == {
        REPUTATION: set[str](),
        COMMON: {*BODIES[:5], *QUERIES},
        BAD_INPUTS: set(BODIES[5:]),
    }, "every other rule of the groups keeps its own action"
    assert "ReactJSRCE_BODY" not in COUNTED[BAD_INPUTS], (
        "Langfuse before December 2025 is open to CVE-2025-55182"
    )


def counted_of(waf: Waf) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for rule in rules(waf):
        if rule["name"] in MANAGED_RULES:
            assert rule.get("override_action") == {"none": {}}, "'count' would switch off the group"
            statement: Any = rule["statement"]
            group = statement["managed_rule_group_statement"]
            assert (group["vendor_name"], group["name"]) == ("AWS", rule["name"])
            overrides = group["rule_action_overrides"]
            assert all(each["action_to_use"] == {"count": {}} for each in overrides)
            found[group["name"]] = {each["name"] for each in overrides}
    return found


def test_the_rules_that_can_be_named_are_those_of_awss_pages() -> None:
    """AWS takes any name, and counts nothing by one that it does not know.

    https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-ip-rep.html
    """
    assert set(MANAGED_RULES[REPUTATION]) == {
        "AWSManagedIPReputationList",
        "AWSManagedReconnaissanceList",
        "AWSManagedIPDDoSList",
    }
    place = r"(HEADER|BODY|COOKIE|URIPATH|QUERYSTRING|QUERYARGUMENTS|METHOD)"
    for group in (COMMON, BAD_INPUTS):
        assert all(re.fullmatch(rf"\w+_{place}", rule) for rule in MANAGED_RULES[group])


def test_a_false_positive_can_be_made_to_count_only() -> None:
    waf = config(
        countedRules=[
            "AWSManagedReconnaissanceList",
            "RestrictedExtensions_URIPATH",
            "SizeRestrictions_BODY",
        ]
    )
    assert counted_of(waf) == {
        REPUTATION: {"AWSManagedReconnaissanceList"},
        COMMON: {*BODIES[:5], *QUERIES, "RestrictedExtensions_URIPATH"},
        BAD_INPUTS: set(BODIES[5:]),
    }
    assert not blocked("/auth/sign-in", "SizeRestrictions_BODY", waf=waf), "nowhere at all"
    assert blocked("/auth/sign-in", "GenericLFI_BODY", waf=waf), "and nothing else"


def test_a_rule_of_ours_goes_when_it_has_one_label_or_none_left() -> None:
    one = config(countedRules=BODIES[1:])
    assert blocked("/", BODIES[0], waf=one), "AWS refuses an 'or' of one statement"
    none = rules(config(countedRules=[*BODIES, *QUERIES]))
    assert [rule["name"] for rule in none] == ["rate-limit", *MANAGED_RULES]


def test_labels_are_spelt_as_aws_spells_them() -> None:
    assert label(COMMON, "SizeRestrictions_BODY") == (
        "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"
    )
    assert label(COMMON, "EC2MetaDataSSRF_QUERYARGUMENTS") == (
        "awswaf:managed:aws:core-rule-set:EC2MetaDataSSRF_QueryArguments"
    )
    assert label(COMMON, "SizeRestrictions_QUERYSTRING") == (
        "awswaf:managed:aws:core-rule-set:SizeRestrictions_QueryString"
    )
    assert label(BAD_INPUTS, "Log4JRCE_BODY") == (
        "awswaf:managed:aws:known-bad-inputs:Log4JRCE_Body"
    )


def test_the_rules_fit_into_what_the_price_of_a_web_acl_includes() -> None:
    total = sum(capacity(rule["statement"]) for rule in rules(config()))
    assert total == 1092, "the figure that ADR 12 and docs/cost.md state"
    assert total < WCU_INCLUDED


def capacity(statement: Any) -> int:
    """Units of a statement at the most: AWS charges a transformation that rules share once.

    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statements-match.html
    """
    ((kind, inner),) = statement.items()
    match kind:
        case "managed_rule_group_statement":
            return WCU[inner["name"]]
        case "rate_based_statement":
            return 2 + capacity(inner["scope_down_statement"])
        case "byte_match_statement":
            return 2 + 10 * len(inner["text_transformations"])
        case "label_match_statement":
            return 1
        case "not_statement":
            return capacity(inner["statement"])
        case _:
            return sum(capacity(each) for each in inner["statements"])


@pytest.mark.parametrize("limit", [10, 2_000_000_000])
def test_the_bounds_of_a_rate_limit_are_aws_own(limit: int) -> None:
    assert config(rateLimitPerFiveMinutes=limit).rate_limit_per_five_minutes == limit


def test_a_waf_needs_no_key_and_is_not_there_without_its_own() -> None:
    with_defaults = load({**STAGING, "ingress": {"waf": {}}}).ingress
    assert isinstance(with_defaults, LoadBalancerIngress)
    assert with_defaults.waf == config(rateLimitPerFiveMinutes=10_000, countedRules=[])
    without = load({**STAGING, "ingress": {"waf": None}}).ingress
    assert isinstance(without, LoadBalancerIngress)
    assert without.waf is None


def test_it_costs_what_the_page_says() -> None:
    acl = with_waf().one(ACL)
    (line,) = bill(ResourceGraph((Resource(ACL, ACL, inputs=acl.inputs),)), "us-east-1").lines
    assert line.on_demand == 5 + 6 * 1, "a web ACL and six rules, a group of AWS's being one"
    page = (ROOT / "docs/cost.md").read_text(encoding="utf-8")
    assert f"= {line.on_demand:.2f}, a group" in page


def test_the_web_acl_stands_before_the_load_balancer() -> None:
    graph = with_waf()
    acl = graph.one(ACL)
    assert (acl.inputs["scope"], acl.inputs["defaultAction"]) == ("REGIONAL", {"allow": {}})
    assert acl.inputs["rules"][0]["statement"]["rateBasedStatement"]["limit"] == 2000
    assert len(acl.inputs["rules"]) == 6
    association = graph.one(ASSOCIATION).inputs
    balancer = graph.one("aws:lb/loadBalancer:LoadBalancer")
    assert association["resourceArn"] == balancer.outputs["arn"]
    assert association["webAclArn"] == acl.outputs["arn"]


def test_what_aws_knows_by_its_owner_is_deleted_before_it_is_replaced() -> None:
    graph = with_waf()
    for token in (ASSOCIATION, LOGGING):
        assert graph.options_of(graph.one(token)).delete_before_replace, (
            f"{token}: deleting the old one last would leave the load balancer without the new one"
        )


def test_what_is_blocked_is_logged_without_keys_and_sessions() -> None:
    graph = with_waf()
    acl, logging = graph.one(ACL), graph.one(LOGGING).inputs
    logs = graph.one(LOGS, "aws-waf-logs-langfuse-staging")
    assert logs.outputs["name"].startswith("aws-waf-logs-"), "AWS writes to no other log group"
    assert logs.inputs["retentionInDays"] == 30
    assert logging["resourceArn"] == acl.outputs["arn"]
    assert logging["logDestinationConfigs"] == [logs.outputs["arn"]]
    assert logging["loggingFilter"]["defaultBehavior"] == "DROP"
    (kept,) = logging["loggingFilter"]["filters"]
    assert kept["behavior"] == "KEEP"
    assert kept["conditions"] == [{"actionCondition": {"action": "BLOCK"}}]
    protections = acl.inputs["dataProtectionConfig"]["dataProtections"]
    assert {
        (*each["field"]["fieldKeys"], each["field"]["fieldType"], each["action"])
        for each in protections
    } == {
        ("authorization", "SINGLE_HEADER", "SUBSTITUTION"),
        ("cookie", "SINGLE_HEADER", "SUBSTITUTION"),
    }, "redaction in the logging configuration leaves them in sampled requests"


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_no_size_has_a_web_acl_of_itself(stack: str) -> None:
    assert [each for each in shipped(stack).registrations if "wafv2" in each.type] == []
