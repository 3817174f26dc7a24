"""Creates the domain of an App Runner service: its association, and all of its DNS records.

App Runner tells the records that prove the domain only once the domain is associated. Terraform
cannot count them before, so the modules for it need two runs; here their number is known
(https://github.com/hashicorp/terraform-provider-aws/issues/23460).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.ingress.certificate import Certificate
from langfuse_aws.settings.app_runner import HOSTED_ZONES

VALIDATION_RECORDS: Final = 2
"""What App Runner asks for a domain without `www`: AWS says "one or more", public configurations
that work have two (https://github.com/aws/apprunner-roadmap/issues/138); `www` is a third one."""

Record = aws.apprunner.outputs.CustomDomainAssociationCertificateValidationRecord


@dataclass(frozen=True)
class AppRunnerDomainArgs:
    """What the domain is made from."""

    service_arn: pulumi.Input[str]
    certificate: Certificate
    """The domain and its zone."""
    region: str


class AppRunnerDomain(pulumi.ComponentResource):
    """The association, the records that prove the domain, and the domain's own record.

    App Runner issues the certificate some minutes after these exist, and renews it by them.
    """

    def __init__(
        self, name: str, args: AppRunnerDomainArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:AppRunnerDomain", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        certificate = args.certificate
        if certificate.zone_id is None:
            raise ValueError("settings promise a zone for App Runner")
        association = aws.apprunner.CustomDomainAssociation(
            name,
            domain_name=certificate.domain,
            service_arn=args.service_arn,
            enable_www_subdomain=False,
            opts=child,
        )
        for index in range(VALIDATION_RECORDS):
            record = association.certificate_validation_records.apply(
                lambda records, index=index: validation_record(records, index)
            )
            aws.route53.Record(
                f"{name}-validation-{index + 1}",
                zone_id=certificate.zone_id,
                name=record.apply(lambda found: found[0]),
                type="CNAME",
                records=[record.apply(lambda found: found[1])],
                ttl=300,
                # The record of an earlier association of this domain may be there still.
                allow_overwrite=True,
                opts=child,
            )
        certificate.point_to(association.dns_target, HOSTED_ZONES[args.region])
        self.register_outputs({})


def validation_record(records: Sequence[Record], index: int) -> tuple[str, str]:
    """Name and value of one of the CNAME records that prove a domain.

    They come in any order, which changes with their status, so they are sorted. Where there are
    fewer than VALIDATION_RECORDS, the last one is there twice, which Route 53 does not mind.
    """
    found = sorted((each.name or "", each.value or "") for each in records)
    if not 0 < len(found) <= VALIDATION_RECORDS or not all(all(each) for each in found):
        raise pulumi.RunError(
            f"App Runner asks for {len(found)} records to prove the domain, and this program makes "
            f"1 to {VALIDATION_RECORDS}. Report it with the output of aws apprunner "
            "describe-custom-domains, and choose web.platform fargate until then."
        )
    return found[min(index, len(found) - 1)]
