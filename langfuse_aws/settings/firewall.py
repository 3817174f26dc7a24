"""The section `ingress.waf`, and the rules of AWS's that it may name."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field, field_validator

from langfuse_aws.settings.section import Section, invalid
from langfuse_aws.settings.wording import nearest

REPUTATION: Final = "AWSManagedRulesAmazonIpReputationList"
COMMON: Final = "AWSManagedRulesCommonRuleSet"
BAD_INPUTS: Final = "AWSManagedRulesKnownBadInputsRuleSet"

# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-ip-rep.html
MANAGED_RULES: Final[Mapping[str, tuple[str, ...]]] = {
    REPUTATION: (
        "AWSManagedIPReputationList",
        "AWSManagedReconnaissanceList",
        "AWSManagedIPDDoSList",
    ),
    COMMON: (
        "NoUserAgent_HEADER",
        "UserAgent_BadBots_HEADER",
        "SizeRestrictions_QUERYSTRING",
        "SizeRestrictions_Cookie_HEADER",
        "SizeRestrictions_BODY",
        "SizeRestrictions_URIPATH",
        "EC2MetaDataSSRF_BODY",
        "EC2MetaDataSSRF_COOKIE",
        "EC2MetaDataSSRF_URIPATH",
        "EC2MetaDataSSRF_QUERYARGUMENTS",
        "GenericLFI_QUERYARGUMENTS",
        "GenericLFI_URIPATH",
        "GenericLFI_BODY",
        "RestrictedExtensions_URIPATH",
        "RestrictedExtensions_QUERYARGUMENTS",
        "GenericRFI_QUERYARGUMENTS",
        "GenericRFI_BODY",
        "GenericRFI_URIPATH",
        "CrossSiteScripting_COOKIE",
        "CrossSiteScripting_QUERYARGUMENTS",
        "CrossSiteScripting_BODY",
        "CrossSiteScripting_URIPATH",
    ),
    BAD_INPUTS: (
        "JavaDeserializationRCE_HEADER",
        "JavaDeserializationRCE_BODY",
        "JavaDeserializationRCE_URIPATH",
        "JavaDeserializationRCE_QUERYSTRING",
        "Host_localhost_HEADER",
        "PROPFIND_METHOD",
        "ExploitablePaths_URIPATH",
        "Log4JRCE_HEADER",
        "Log4JRCE_QUERYSTRING",
        "Log4JRCE_BODY",
        "Log4JRCE_URIPATH",
        "ReactJSRCE_BODY",
    ),
}
"""The rules of each rule group, by the names that sampled requests and logs show."""

# https://docs.aws.amazon.com/waf/latest/APIReference/API_RateBasedStatement.html
RATE_LIMITS: Final = (10, 2_000_000_000)

DEFAULT_RATE_LIMIT: Final = 10_000
"""Requests in 5 minutes, 33 a second: an office behind one address, by estimate. A page of the UI
is some 50 requests."""


def _managed_rule(value: str) -> str:
    known = [rule for rules in MANAGED_RULES.values() for rule in rules]
    if value not in known:
        raise invalid(
            f"is no rule of the managed rule groups{nearest(value, known)}",
            "take the name from a sampled request or the log, without the group's",
        )
    return value


ManagedRule = Annotated[str, AfterValidator(_managed_rule)]


class Waf(Section):
    """An AWS WAF in front of the load balancer."""

    rate_limit_per_five_minutes: int = Field(
        DEFAULT_RATE_LIMIT,
        ge=RATE_LIMITS[0],
        le=RATE_LIMITS[1],
        description="Requests of one address within 5 minutes before HTTP 429; "
        "`/api/public/`, where SDKs send to, does not count",
    )
    counted_rules: list[ManagedRule] = Field(
        [],
        description="Managed rules that count what they find and block nothing, such as "
        "`RestrictedExtensions_URIPATH`",
    )

    @field_validator("counted_rules")
    @classmethod
    def _counted_rules(cls, value: list[str]) -> list[str]:
        if twice := [rule for rule in dict.fromkeys(value) if value.count(rule) > 1]:
            bound = f"has {', '.join(twice)} twice, and AWS WAF refuses that"
            raise invalid(bound, "name each once")
        return value
