"""Checks of `preflight` on the domain: its hosted zone, delegation, record and certificate."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import dns.exception
import dns.resolver
from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import NewStack, Result, error_code, failed, ok, unknown

HOSTED_ZONE: Final = "hosted zone"
DELEGATION: Final = "delegation"
CERTIFICATE: Final = "certificate"
AUTHORITY: Final = "certificate authority"
RECORD: Final = "domain record"

IN_THE_WAY: Final = ("A", "CNAME")
"""Types of records beside which Route 53 makes no A record of the same name.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html"""

ANONYMOUS: Final = re.compile(r"\.execute-api\.|\.awsapprunner\.com$")
"""Targets whose names do not say which stack they are of."""

RESOLVER_SECONDS: Final = 10

AMAZON: Final = frozenset({"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"})
"""By which of these names a CAA record lets ACM issue; one is enough.
https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html"""

NameServers = Callable[[str], Sequence[str]]
"""Asks DNS for the name servers of a domain: none if it is not delegated. Raises DNSException."""

Issuers = Callable[[str], Sequence[str] | None]
"""Asks DNS whom the CAA records of a name let issue certificates for it: None if it has none, an
empty list if they say nothing of it. Raises DNSException."""


class Dns(NamedTuple):
    """How DNS is asked."""

    name_servers: NameServers
    issuers: Issuers


def name_servers(domain: str) -> list[str]:
    """Ask the resolver that this machine uses."""
    try:
        answer = dns.resolver.resolve(domain, "NS", lifetime=RESOLVER_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    return [str(record) for record in answer]


def issuers(name: str) -> list[str] | None:
    """Ask the resolver that this machine uses."""
    try:
        answer = dns.resolver.resolve(name, "CAA", lifetime=RESOLVER_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
    # What follows a semicolon is for the authority, and a semicolon alone lets nobody.
    # https://www.rfc-editor.org/rfc/rfc8659#section-4.2
    said: list[str] = [each.value.decode() for each in answer if each.tag.lower() == b"issue"]
    return [each.partition(";")[0].strip().lower() for each in said]


def public_zones(stack: NewStack, name: str) -> list[str]:
    """IDs of the public hosted zones of this name; `pulumi up` wants exactly one."""
    # The page of 100 begins with this name.
    page: dict[str, Any] = stack.aws("route53").list_hosted_zones_by_name(DNSName=name)
    return [
        zone["Id"].rpartition("/")[2]
        for zone in page["HostedZones"]
        if zone["Name"].rstrip(".") == name and not zone["Config"]["PrivateZone"]
    ]


def check_hosted_zone(stack: NewStack, ask_dns: NameServers) -> Iterator[Result]:
    """Whether there is one zone for the domain's records, and the world finds it."""
    name = stack.settings.hosted_zone
    if name is None:
        return
    found = public_zones(stack, name)
    if not found:
        yield failed(
            HOSTED_ZONE,
            f"{name}: this account has no public hosted zone of this name, and "
            f"{stack.settings.domain} needs it.",
            f"aws route53 create-hosted-zone --name {name} --caller-reference {stack.name}, or "
            "name another zone of the domain with langfuse:ingress.hostedZone, or set "
            "langfuse:ingress.certificateArn and make the records yourself.",
        )
        return
    if len(found) > 1:
        yield failed(
            HOSTED_ZONE,
            f"{name}: this account has {len(found)} public hosted zones of this name "
            f"({', '.join(found)}), and only one may be.",
            "Delete those that the domain is not delegated to: aws route53 delete-hosted-zone "
            "--id ID.",
        )
        return
    yield ok(HOSTED_ZONE, f"{name} is {found[0]}")
    yield _delegation(stack, name, found[0], ask_dns)


def _delegation(stack: NewStack, name: str, zone_id: str, ask_dns: NameServers) -> Result:
    answer = stack.aws("route53").get_hosted_zone(Id=zone_id)
    own = sorted(_plain(answer["DelegationSet"]["NameServers"]))
    try:
        known = sorted(_plain(ask_dns(name)))
    except dns.exception.DNSException as error:
        return unknown(DELEGATION, " ".join(str(error).split()), f"dig NS {name}")
    remedy = (
        f"At whoever runs the domain above {name} (or its registrar), make its NS records these: "
        f"{', '.join(own)}."
    )
    if not known:
        return failed(DELEGATION, f"{name}: DNS knows no name servers of it.", remedy)
    strangers = [each for each in known if each not in own]
    if strangers:
        return failed(
            DELEGATION,
            f"{name}: DNS asks {', '.join(strangers)}, which {zone_id} does not have.",
            remedy,
        )
    return ok(DELEGATION, f"{name} is delegated to {', '.join(known)}")


def check_authority(stack: NewStack, ask_dns: Issuers) -> Iterator[Result]:
    """Whether ACM may issue the certificate that is made for the domain.

    The records of the name count, or else those of the next domain above it that has any. A
    certificate that has failed stays so, and the next `up` waits for the same one.
    https://www.rfc-editor.org/rfc/rfc8659#section-3
    https://docs.aws.amazon.com/acm/latest/userguide/troubleshooting-caa.html
    """
    domain = str(stack.settings.domain)
    labels = domain.split(".")
    for place in range(len(labels)):
        name = ".".join(labels[place:])
        try:
            found = ask_dns(name)
        except dns.exception.DNSException as error:
            yield unknown(AUTHORITY, " ".join(str(error).split()), f"dig CAA {name}")
            return
        if found is None:
            continue
        if not found or AMAZON & {*found}:
            yield ok(AUTHORITY, f"the CAA records of {name} let ACM issue for {domain}")
            return
        others = ", ".join(sorted({*found} - {""})) or "nobody"
        yield failed(
            AUTHORITY,
            f"{name}: its CAA records let {others} issue certificates, and not Amazon: ACM's for "
            f"{domain} would fail.",
            f'Add a CAA record to {name}, beside the others: 0 issue "amazon.com".',
        )
        return
    yield ok(AUTHORITY, f"no CAA record says who may issue for {domain}")


def check_record(stack: NewStack) -> Iterator[Result]:
    """Whether the domain's name is free for the record of the stack, or has it already."""
    name, domain = stack.settings.hosted_zone, stack.settings.domain
    zones = public_zones(stack, name) if name is not None else []
    if len(zones) != 1:
        return
    found = _record_in_the_way(stack, zones[0], str(domain))
    if found is None:
        yield ok(RECORD, f"{domain} has no record yet")
        return
    target = _target(found)
    own = rf"(dualstack\.)?(internal-)?{re.escape(stack.prefix)}-[0-9a-f]{{7}}-\d+\..+"
    if "AliasTarget" in found and re.fullmatch(own, target, re.IGNORECASE):
        yield ok(RECORD, f"{domain} leads to this stack already, {target}")
        return
    article = "an" if found["Type"] == "A" else "a"
    what = f"{domain}: has {article} {found['Type']} record, {target}"
    batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": found}]}
    remedy = (
        "Give the stack another langfuse:domain until it takes over, and delete the record then; "
        "or delete it now, and what it leads to is not found until pulumi up is done: "
        f"aws route53 change-resource-record-sets --hosted-zone-id {zones[0]} --change-batch "
        f"{shlex.quote(json.dumps(batch))}"
    )
    if "AliasTarget" in found and ANONYMOUS.search(target):
        reason = f"{what}; if this stack did not make it, pulumi up is refused."
        yield unknown(RECORD, reason, remedy)
        return
    refused = "which this stack did not make, and Route 53 refuses another one of that name."
    yield failed(RECORD, f"{what}, {refused}", remedy)


def _record_in_the_way(stack: NewStack, zone_id: str, domain: str) -> dict[str, Any] | None:
    pages = stack.aws("route53").get_paginator("list_resource_record_sets")
    for page in pages.paginate(HostedZoneId=zone_id, StartRecordName=domain, StartRecordType="A"):
        for record in page["ResourceRecordSets"]:
            if record["Name"].rstrip(".") != domain:
                return None
            if record["Type"] in IN_THE_WAY:
                return record
    return None


def _target(record: dict[str, Any]) -> str:
    """Where a record leads: the name of an alias, or values."""
    if "AliasTarget" in record:
        return str(record["AliasTarget"]["DNSName"]).rstrip(".")
    return ", ".join(each["Value"].rstrip(".") for each in record["ResourceRecords"])


def check_certificate(stack: NewStack) -> Iterator[Result]:
    """Whether the given certificate can serve the domain."""
    arn, domain = stack.settings.ingress.certificate_arn, stack.settings.domain
    if arn is None or domain is None:
        return
    key = "langfuse:ingress.certificateArn"
    another = (
        f"aws acm request-certificate --domain-name {domain} --validation-method DNS --region "
        f"{stack.region}, or remove {key}: then the stack makes one."
    )
    region = arn.split(":")[3]
    if region != stack.region:
        yield failed(
            CERTIFICATE, f"{key}: is in {region}, and the stack is in {stack.region}.", another
        )
        return
    try:
        found = stack.aws("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        yield failed(CERTIFICATE, f"{key}: this account has no {arn}.", another)
        return
    names: list[str] = [found["DomainName"], *found.get("SubjectAlternativeNames", [])]
    if found["Status"] != "ISSUED":
        yield failed(
            CERTIFICATE,
            f"{key}: is {found['Status']}, not ISSUED.",
            "Make the validation records that aws acm describe-certificate --certificate-arn "
            f"{arn} --region {stack.region} names. Or: {another}",
        )
    elif not any(_covers(name, domain) for name in names):
        yield failed(
            CERTIFICATE, f"{key}: is for {', '.join(sorted(set(names)))}, not {domain}.", another
        )
    else:
        yield ok(CERTIFICATE, f"is issued for {domain}")


def _covers(name: str, domain: str) -> bool:
    """Whether a name of a certificate is the domain, or a wildcard for its first label."""
    return name == domain or (name.startswith("*.") and name[2:] == domain.partition(".")[2])


def _plain(names: Sequence[str]) -> set[str]:
    return {name.rstrip(".").lower() for name in names}
