"""Findings on the certificate that the ingress shows: is it valid, and is it renewed in time."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from langfuse_aws.automation.on_call.findings import Finding, Reading, iso, now
from langfuse_aws.automation.on_call.running_stack import RunningStack
from langfuse_aws.components.observability.alarm_services import CERTIFICATE_DAYS
from langfuse_aws.graph.model import Resource

SECTION: Final = "certificate"
DOMAIN: Final = "aws:apprunner/customDomainAssociation:CustomDomainAssociation"
SHOWN_BY: Final = {
    "aws:lb/listener:Listener": "certificateArn",
    "aws:acm/certificateValidation:CertificateValidation": "certificateArn",
}
"""By type, the property with the certificate's ARN. The listener has one of the user's too."""
DOMAIN_NAME: Final = "aws:apigatewayv2/domainName:DomainName"
RENEWAL_FAILED: Final = "FAILED"


def certificate_readings(stack: RunningStack) -> Iterator[Reading]:
    """One of each certificate; none where the address is AWS's own."""
    if any(stack.of_type(token) for token in (*SHOWN_BY, DOMAIN_NAME)):
        yield Reading(SECTION, "certificate", partial(_certificates, stack))
    for domain in stack.of_type(DOMAIN):
        yield Reading(SECTION, "domain", partial(_domain, stack, domain))


def _arns(stack: RunningStack) -> Iterator[str]:
    for token, key in SHOWN_BY.items():
        yield from (each.outputs[key] for each in stack.of_type(token) if each.outputs.get(key))
    for name in stack.of_type(DOMAIN_NAME):
        configuration: Any = name.outputs.get("domainNameConfiguration") or {}
        if arn := configuration.get("certificateArn"):
            yield arn


def _certificates(stack: RunningStack) -> Iterator[Finding]:
    for arn in dict.fromkeys(_arns(stack)):
        yield _certificate(stack, arn)


def _certificate(stack: RunningStack, arn: str) -> Finding:
    found = stack.aws("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    status, expires = found["Status"], found.get("NotAfter")
    renewal = found.get("RenewalSummary", {})
    days = (expires - now()).days if expires else None
    wrong = [
        *([f"is {status}, not ISSUED"] if status != "ISSUED" else []),
        *(
            [f"less than {CERTIFICATE_DAYS} days"]
            if days is not None and days < CERTIFICATE_DAYS
            else []
        ),
        *(
            [f"renewal failed: {renewal.get('RenewalStatusReason', 'ACM gives no reason')}"]
            if renewal.get("RenewalStatus") == RENEWAL_FAILED
            else []
        ),
        *(
            ["ACM does not renew it: it was imported"]
            if found.get("Type") == "IMPORTED" and days is not None and days < CERTIFICATE_DAYS
            else []
        ),
    ]
    until = f"for {days} days, until {expires:%Y-%m-%d}" if expires else "without an end"
    return Finding(
        SECTION,
        "certificate",
        "wrong" if wrong else "ok",
        "; ".join([f"{found.get('DomainName', arn)}: valid {until}", *wrong]),
        "docs/operations.md#certificate-expires" if wrong else "",
        {
            "arn": arn,
            "domain": found.get("DomainName"),
            "status": status,
            "expires_at": iso(expires) if expires else None,
            "days": days,
            "renewal": renewal.get("RenewalStatus"),
        },
    )


def _domain(stack: RunningStack, domain: Resource) -> Iterator[Finding]:
    """App Runner has the certificate, and tells only whether the domain works."""
    name = domain.outputs["domainName"]
    answer = stack.aws("apprunner").describe_custom_domains(ServiceArn=domain.outputs["serviceArn"])
    status = next(
        (each["Status"] for each in answer["CustomDomains"] if each["DomainName"] == name), "gone"
    )
    yield Finding(
        SECTION,
        "domain",
        "ok" if status == "active" else "wrong",
        f"{name}: {status.replace('_', ' ')} on App Runner",
        "" if status == "active" else "docs/app-runner.md",
        {"domain": name, "status": status},
    )
