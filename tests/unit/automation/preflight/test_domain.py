"""`preflight` on the domain: zones and certificates on moto, DNS as a stand-in answers.

It proves which zone, name servers and certificates are good enough. It does not prove what a
resolver answers: nobody could ask one here.
"""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dns.exception
import dns.rdataset
import dns.resolver
import pytest

from langfuse_aws.automation.aws.answers import NewStack, Result
from langfuse_aws.automation.preflight import domain as preflight_domain
from langfuse_aws.automation.preflight.domain import (
    check_authority,
    check_certificate,
    check_hosted_zone,
    check_record,
    public_zones,
)
from tests.unit.aws_account import ACCOUNT, REGION, Account, aws, stubbed

DOMAIN = "langfuse.example.com"
ZONE = "example.com"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/0"


def make_zone(name: str = ZONE, *, private: bool = False, reference: str = "1") -> str:
    """Make a hosted zone; returns its ID."""
    more: dict[str, Any] = {}
    if private:
        vpc = aws("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
        more = {
            "HostedZoneConfig": {"PrivateZone": True},
            "VPC": {"VPCRegion": REGION, "VPCId": vpc},
        }
    made = aws("route53").create_hosted_zone(Name=name, CallerReference=reference, **more)
    return made["HostedZone"]["Id"].rpartition("/")[2]


def servers_of(zone_id: str) -> list[str]:
    """The name servers that Route 53 gave a zone."""
    return aws("route53").get_hosted_zone(Id=zone_id)["DelegationSet"]["NameServers"]


def checked(stack: NewStack, servers: Iterable[str] = ()) -> list[Result]:
    return list(check_hosted_zone(stack, lambda _: list(servers)))


def certified(account: Account, certificate: dict[str, Any], arn: str = CERTIFICATE) -> Result:
    """The answer on a certificate that ACM describes so."""
    stack = account.stack(domain=DOMAIN, ingress={"certificateArn": arn})
    acm = stubbed("acm", ("describe_certificate", {"Certificate": certificate}))

    def client(_: str) -> Any:
        return acm

    stack = NewStack(stack.name, stack.prefix, stack.region, stack.settings, client)
    (result,) = check_certificate(stack)
    return result


def test_a_zone_that_dns_knows_is_fine(account: Account) -> None:
    zone = make_zone()
    make_zone("internal.example.com")
    servers = servers_of(zone)
    assert len(servers) > 1
    # Resolvers write a dot at the end, and letters as they like.
    known = [f"{each.upper()}." for each in servers]
    assert checked(account.stack(domain=DOMAIN), known) == [
        Result("hosted zone", "ok", f"example.com is {zone}"),
        Result("delegation", "ok", f"example.com is delegated to {', '.join(sorted(servers))}"),
    ]


def test_dns_is_asked_for_the_zone_of_the_settings(account: Account) -> None:
    make_zone("a.example.com")
    asked: list[str] = []

    def servers(name: str) -> list[str]:
        asked.append(name)
        return []

    stack = account.stack(domain="x.y.a.example.com", ingress={"hostedZone": "a.example.com"})
    results = list(check_hosted_zone(stack, servers))
    assert [result.status for result in results] == ["ok", "failed"]
    assert asked == ["a.example.com"]


def test_no_zone_fails_with_the_ways_out(account: Account) -> None:
    make_zone("other.example")
    make_zone(private=True)
    assert checked(account.stack(domain=DOMAIN)) == [
        Result(
            "hosted zone",
            "failed",
            "example.com: this account has no public hosted zone of this name, and "
            "langfuse.example.com needs it.",
            "aws route53 create-hosted-zone --name example.com --caller-reference dev, or name "
            "another zone of the domain with langfuse:ingress.hostedZone, or set "
            "langfuse:ingress.certificateArn and make the records yourself.",
        )
    ]


def test_two_zones_of_one_name_fail_since_pulumi_takes_neither(account: Account) -> None:
    zones = [make_zone(), make_zone(reference="2")]
    (result,) = checked(account.stack(domain=DOMAIN))
    assert result.status == "failed"
    assert result.message.startswith("example.com: this account has 2 public hosted zones")
    assert all(zone in result.message for zone in zones)
    assert result.remedy == (
        "Delete those that the domain is not delegated to: aws route53 delete-hosted-zone --id ID."
    )


def test_zones_that_route_53_lists_after_the_domains_own_are_others(account: Account) -> None:
    def zone(name: str, id_: str, *, private: bool = False) -> dict[str, Any]:
        config = {"PrivateZone": private}
        return {"Id": f"/hostedzone/{id_}", "Name": name, "CallerReference": id_, "Config": config}

    listed = {
        "HostedZones": [
            zone("example.com.", "P", private=True),
            zone("example.com.", "A"),
            zone("a.example.com.", "B"),
            zone("example.org.", "C"),
        ],
        "IsTruncated": False,
        "MaxItems": "100",
    }
    stack = account.stack(domain=DOMAIN)
    route53 = stubbed("route53", ("list_hosted_zones_by_name", listed))

    def client(_: str) -> Any:
        return route53

    stack = NewStack(stack.name, stack.prefix, stack.region, stack.settings, client)
    assert public_zones(stack, ZONE) == ["A"]


def test_a_zone_that_nobody_delegates_to_fails_with_its_name_servers(account: Account) -> None:
    zone = make_zone()
    results = checked(account.stack(domain=DOMAIN))
    assert results[1] == Result(
        "delegation",
        "failed",
        "example.com: DNS knows no name servers of it.",
        "At whoever runs the domain above example.com (or its registrar), make its NS records "
        f"these: {', '.join(sorted(servers_of(zone)))}.",
    )


def test_name_servers_of_somebody_else_fail(account: Account) -> None:
    zone = make_zone()
    known = [servers_of(zone)[0], "ns1.other.example."]
    result = checked(account.stack(domain=DOMAIN), known)[1]
    assert (result.status, result.message) == (
        "failed",
        f"example.com: DNS asks ns1.other.example, which {zone} does not have.",
    )
    assert result.remedy.startswith("At whoever runs the domain above example.com")


def test_a_resolver_that_does_not_answer_is_no_failure(account: Account) -> None:
    make_zone()

    def silent(_: str) -> list[str]:
        raise dns.exception.Timeout

    result = list(check_hosted_zone(account.stack(domain=DOMAIN), silent))[1]
    assert result == Result(
        "delegation", "unknown", "could not be checked: The DNS operation timed out.",
        "dig NS example.com",
    )  # fmt: skip


@pytest.mark.parametrize("error", [dns.resolver.NXDOMAIN, dns.resolver.NoAnswer])
def test_no_records_are_an_answer_of_dns(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    class Silent(error):
        def __init__(self) -> None:
            """Take no details."""

    def resolve(*_: Any, **__: Any) -> None:
        raise Silent

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    assert preflight_domain.name_servers(ZONE) == []
    assert preflight_domain.issuers(ZONE) is None


def test_name_servers_are_those_of_the_ns_records(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def resolve(*arguments: Any, **more: Any) -> list[str]:
        asked.extend([*arguments, more])
        return ["ns1.example.", "ns2.example."]

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    assert preflight_domain.name_servers(ZONE) == ["ns1.example.", "ns2.example."]
    assert asked == [ZONE, "NS", {"lifetime": 10}]


@pytest.mark.parametrize(
    "names",
    [[DOMAIN], ["example.com", DOMAIN], ["*.example.com"], ["example.com", "*.example.com"]],
)
def test_an_issued_certificate_for_the_domain_is_fine(account: Account, names: list[str]) -> None:
    found = {"Status": "ISSUED", "DomainName": names[0], "SubjectAlternativeNames": names}
    assert certified(account, found) == Result(
        "certificate", "ok", "is issued for langfuse.example.com"
    )


@pytest.mark.parametrize("name", ["example.com", "*.langfuse.example.com", "*.com", "*"])
def test_a_certificate_for_other_names_fails(account: Account, name: str) -> None:
    found = {"Status": "ISSUED", "DomainName": name, "SubjectAlternativeNames": [name]}
    assert certified(account, found) == Result(
        "certificate",
        "failed",
        f"langfuse:ingress.certificateArn: is for {name}, not langfuse.example.com.",
        "aws acm request-certificate --domain-name langfuse.example.com --validation-method DNS "
        "--region us-east-1, or remove langfuse:ingress.certificateArn: then the stack makes one.",
    )


def test_a_certificate_that_is_not_issued_fails_with_the_records_to_make(account: Account) -> None:
    result = certified(account, {"Status": "PENDING_VALIDATION", "DomainName": DOMAIN})
    assert (result.status, result.message) == (
        "failed",
        "langfuse:ingress.certificateArn: is PENDING_VALIDATION, not ISSUED.",
    )
    assert result.remedy.startswith(
        "Make the validation records that aws acm describe-certificate --certificate-arn "
        f"{CERTIFICATE} --region us-east-1 names. Or: aws acm request-certificate "
    )


def test_a_certificate_of_another_region_fails_without_asking_for_it(account: Account) -> None:
    elsewhere = CERTIFICATE.replace(REGION, "eu-west-1")
    result = certified(account, {}, elsewhere)
    assert (result.status, result.message) == (
        "failed",
        "langfuse:ingress.certificateArn: is in eu-west-1, and the stack is in us-east-1.",
    )
    assert "--region us-east-1" in result.remedy


def test_a_certificate_that_is_not_there_fails(account: Account) -> None:
    gone = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/12345678-1234-1234-1234-123456789012"
    stack = account.stack(domain=DOMAIN, ingress={"certificateArn": gone})
    (result,) = check_certificate(stack)
    assert (result.status, result.message) == (
        "failed",
        f"langfuse:ingress.certificateArn: this account has no {gone}.",
    )
    assert result.remedy.startswith("aws acm request-certificate --domain-name ")


def test_without_a_domain_nothing_is_checked(account: Account) -> None:
    assert checked(account.stack()) == []
    assert list(check_certificate(account.stack())) == []


# --- the domain's own record

ELB_ZONE = "Z35SXDOTRQ7X7K"


def checked_record(account: Account, record: dict[str, Any] | None, **settings: Any) -> Result:
    """The answer on a domain whose zone has another record too, and this one."""
    zone = make_zone()
    others = {"ResourceRecords": [{"Value": "192.0.2.1"}], "TTL": 60, "Type": "A"}
    records: list[dict[str, Any]] = [
        {**others, "Name": "a.example.com"},
        {**others, "Name": "langfuse.example.com.example.com"},
    ]
    if record is not None:
        records.append({"Name": DOMAIN, **record})
    changes = [{"Action": "CREATE", "ResourceRecordSet": each} for each in records]
    aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    (result,) = check_record(account.stack(domain=DOMAIN, **settings))
    return result


def alias(name: str) -> dict[str, Any]:
    target = {"HostedZoneId": ELB_ZONE, "DNSName": name, "EvaluateTargetHealth": False}
    return {"Type": "A", "AliasTarget": target}


def test_a_domain_without_a_record_is_fine(account: Account) -> None:
    assert checked_record(account, None) == Result(
        "domain record", "ok", "langfuse.example.com has no record yet"
    )


def test_records_that_do_not_stand_in_the_way_of_an_address_are_fine(account: Account) -> None:
    text = {"Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"v=spf1 -all"'}]}
    assert checked_record(account, text).status == "ok"


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (
            {"Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.9"}]},
            "an A record, 192.0.2.9",
        ),
        (
            {"Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "old.example.net"}]},
            "a CNAME record, old.example.net",
        ),
        (
            alias("dualstack.other-0a1b2c3-123.us-east-1.elb.amazonaws.com"),
            "an A record, dualstack.other-0a1b2c3-123.us-east-1.elb.amazonaws.com",
        ),
        (
            alias("langfuse-dev-eu-0a1b2c3-123.us-east-1.elb.amazonaws.com"),
            "an A record, langfuse-dev-eu-0a1b2c3-123.us-east-1.elb.amazonaws.com",
        ),
    ],
)
def test_a_record_of_somebody_else_fails_with_the_ways_out(
    account: Account, record: dict[str, Any], what: str
) -> None:
    result = checked_record(account, record)
    assert result.status == "failed"
    assert result.message == (
        f"langfuse.example.com: has {what}, which this stack did not make, and Route 53 refuses "
        "another one of that name."
    )
    assert "another langfuse:domain until it takes over" in result.remedy
    assert "aws route53 change-resource-record-sets --hosted-zone-id " in result.remedy
    batch = json.loads(shlex.split(result.remedy.partition("aws route53")[2])[4])
    (change,) = batch["Changes"]
    assert change["Action"] == "DELETE"
    found = {key: change["ResourceRecordSet"][key] for key in record}
    zone = aws("route53").list_hosted_zones()["HostedZones"][0]["Id"]
    assert found == record
    aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    (again,) = check_record(account.stack(domain=DOMAIN))
    assert again.status == "ok", "the command that it names does it"


@pytest.mark.parametrize("scheme", ["", "internal-", "dualstack.", "dualstack.internal-"])
def test_a_record_that_leads_to_the_stacks_own_load_balancer_is_its_own(
    account: Account, scheme: str
) -> None:
    name = f"{scheme}langfuse-dev-0a1b2c3-123456.us-east-1.elb.amazonaws.com"
    assert checked_record(account, alias(name)) == Result(
        "domain record", "ok", f"langfuse.example.com leads to this stack already, {name}"
    )


@pytest.mark.parametrize(
    "name", ["d-0a1b2c3d.execute-api.us-east-1.amazonaws.com", "x1.us-east-1.awsapprunner.com"]
)
def test_whose_an_api_is_cannot_be_said(account: Account, name: str) -> None:
    result = checked_record(account, alias(name))
    assert result.status == "unknown", "preflight is run before every deployment, too"
    assert f"an A record, {name}; if this stack did not make it, pulumi up is refused" in (
        result.message
    )
    assert "aws route53 change-resource-record-sets" in result.remedy


def test_no_record_of_ones_own_is_looked_for_where_the_program_makes_none(
    account: Account,
) -> None:
    for settings in ({}, {"domain": DOMAIN, "ingress": {"certificateArn": CERTIFICATE}}):
        assert list(check_record(account.stack(**settings))) == []
    assert list(check_record(account.stack(domain=DOMAIN))) == [], "without its zone"


def on_authority(account: Account, caa: Mapping[str, Sequence[str]]) -> tuple[Result, list[str]]:
    """What is said of the domain, and which names were asked for."""
    asked: list[str] = []

    def ask(name: str) -> Sequence[str] | None:
        asked.append(name)
        return caa.get(name)

    (result,) = check_authority(account.stack(domain=DOMAIN), ask)
    return result, asked


def test_without_caa_records_anybody_may_issue(account: Account) -> None:
    result, asked = on_authority(account, {})
    assert result == Result(
        "certificate authority", "ok", "no CAA record says who may issue for langfuse.example.com"
    )
    assert asked == [DOMAIN, ZONE, "com"], "up to the root, as authorities look for them"


@pytest.mark.parametrize("allowed", [["amazon.com"], ["letsencrypt.org", "awstrust.com"], []])
def test_caa_records_that_let_amazon_issue_are_fine(account: Account, allowed: list[str]) -> None:
    result, asked = on_authority(account, {ZONE: allowed, "com": ["nobody.example"]})
    assert result.status == "ok"
    assert asked == [DOMAIN, ZONE], "those above do not count"


@pytest.mark.parametrize(
    ("allowed", "others"),
    [(["letsencrypt.org", "digicert.com"], "digicert.com, letsencrypt.org"), ([""], "nobody")],
)
def test_caa_records_without_amazon_fail_before_acm_does(
    account: Account, allowed: list[str], others: str
) -> None:
    result, _ = on_authority(account, {ZONE: allowed})
    assert result == Result(
        "certificate authority",
        "failed",
        f"example.com: its CAA records let {others} issue certificates, and not Amazon: ACM's for "
        "langfuse.example.com would fail.",
        'Add a CAA record to example.com, beside the others: 0 issue "amazon.com".',
    )


def test_a_silent_dns_says_nothing_of_authorities(account: Account) -> None:
    def ask(_: str) -> list[str]:
        raise dns.exception.Timeout

    (result,) = check_authority(account.stack(domain=DOMAIN), ask)
    assert result.status == "unknown"
    assert result.remedy == f"dig CAA {DOMAIN}"


def test_issuers_are_those_of_the_caa_records(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [
        '0 issue "Amazon.com"',
        '0 ISSUE "letsencrypt.org; validationmethods=dns-01"',
        '0 issue ";"',
        '0 issuewild "digicert.com"',
        '0 iodef "mailto:ops@example.com"',
    ]
    asked: list[Any] = []

    def resolve(*arguments: Any, **more: Any) -> dns.rdataset.Rdataset:
        asked.extend([*arguments, more])
        return dns.rdataset.from_text("IN", "CAA", 300, *records)

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    found = preflight_domain.issuers(ZONE)
    assert sorted(found or ()) == ["", "amazon.com", "letsencrypt.org"]
    assert asked == [ZONE, "CAA", {"lifetime": 10}]
