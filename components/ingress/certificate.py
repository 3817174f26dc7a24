"""Creates the domain's certificate and DNS records in a Route 53 zone that exists.

App Runner makes a certificate of its own: for it there is the domain's record alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True)
class CertificateArgs:
    """What the certificate is made from."""

    domain: str
    hosted_zone: str | None
    """Public zone that gets the records; None: whoever runs the domain's DNS makes them."""
    certificate_arn: str | None
    """A certificate to use instead of making one."""
    made_elsewhere: bool
    """Whether whoever serves the domain makes the certificate."""


class Certificate(pulumi.ComponentResource):
    """A certificate that is valid, and the domain it is for."""

    domain: str
    """The domain."""
    arn: pulumi.Output[str]
    """ARN of the certificate, known once it is issued; empty for one that is made elsewhere."""
    zone_id: pulumi.Output[str] | None
    """The zone that gets the records, if there is one."""

    def __init__(
        self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Certificate", name, None, opts)
        self._name, self.domain = name, args.domain
        self._child = pulumi.ResourceOptions(parent=self)
        self.zone_id = (
            aws.route53.get_zone_output(
                name=args.hosted_zone,
                private_zone=False,
                opts=pulumi.InvokeOutputOptions(parent=self),
            ).zone_id
            if args.hosted_zone
            else None
        )
        if args.certificate_arn or args.made_elsewhere:
            self.arn = pulumi.Output.from_input(args.certificate_arn or "")
        elif self.zone_id is None:
            raise ValueError("settings promise a zone where there is no certificate")
        else:
            self.arn = self._issue(name, self.zone_id)
        self.register_outputs({"arn": self.arn})

    def _issue(self, name: str, zone_id: pulumi.Output[str]) -> pulumi.Output[str]:
        certificate = aws.acm.Certificate(
            name, domain_name=self.domain, validation_method="DNS", opts=self._child
        )
        option = certificate.domain_validation_options[0]
        record = aws.route53.Record(
            f"{name}-validation",
            zone_id=zone_id,
            name=option.resource_record_name.apply(_present),
            type=option.resource_record_type.apply(_present),
            records=[option.resource_record_value.apply(_present)],
            ttl=300,
            # The record of an earlier certificate for this domain has the same name and value.
            allow_overwrite=True,
            opts=self._child,
        )
        validation = aws.acm.CertificateValidation(
            name,
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn],
            opts=pulumi.ResourceOptions(
                parent=self, custom_timeouts=pulumi.CustomTimeouts(create="15m")
            ),
        )
        return validation.certificate_arn

    def point_to(
        self,
        target: pulumi.Input[str],
        target_zone_id: pulumi.Input[str],
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Make the domain's alias record, if its zone is known, once `after` is there.

        It is the same record whatever it points to: the next ingress takes it over.
        """
        if self.zone_id is None:
            return
        aws.route53.Record(
            self._name,
            zone_id=self.zone_id,
            name=self.domain,
            type="A",
            aliases=[{"name": target, "zone_id": target_zone_id, "evaluate_target_health": False}],
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )


def _present(value: str | None) -> str:
    if value is None:
        raise ValueError("ACM gave no validation record")
    return value
