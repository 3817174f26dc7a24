"""What AWS has otherwise in each of its partitions, or not at all, of what a stack may use. Pure.

The services of the resources are held against botocore's endpoints by a test; a service that only
the containers call is here all the same. Regions without App Runner: settings.app_runner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from langfuse_aws.settings.closed_network import closed
from langfuse_aws.settings.managed_policies import partition_of
from langfuse_aws.settings.sign_in import SesMail

if TYPE_CHECKING:
    from langfuse_aws.settings.model import Settings

WITHOUT_BUDGETS: Final = frozenset({"aws-us-gov"})
"""https://docs.aws.amazon.com/general/latest/gr/billing.html"""

WITHOUT_SES: Final = frozenset({"aws-cn"})
"""https://docs.aws.amazon.com/general/latest/gr/ses.html"""


WITH_TWO_PREFIXES: Final = frozenset({"aws-cn"})
"""com.amazonaws and cn.com.amazonaws.
https://docs.amazonaws.cn/en_us/vpc/latest/privatelink/aws-services-privatelink-support.html"""


PRINCIPALS_IN_CHINA: Final[Mapping[str, str]] = {"ec2.amazonaws.com": "ec2.amazonaws.com.cn"}
"""Services that take roles by another name there. All others have one name everywhere.
https://docs.amazonaws.cn/en_us/aws/latest/userguide/iam.html
https://github.com/hashicorp/terraform-provider-aws/pull/47141"""


def service_principal(service: str, partition: str) -> str:
    """Name a service, such as `ecs-tasks.amazonaws.com`, as roles in the partition name it."""
    return PRINCIPALS_IN_CHINA.get(service, service) if partition == "aws-cn" else service


def dns_suffix(partition: str) -> str:
    """What the names of a partition's hosts end with."""
    return "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"


def missing_services(settings: Settings, partition: str) -> Iterator[tuple[str, str]]:
    """Say what of a stack the partition does not have, each with a remedy."""
    alarms = settings.alarms
    if partition in WITHOUT_BUDGETS and alarms is not None and alarms.monthly_budget_usd:
        yield (
            f"langfuse:alarms.monthlyBudgetUsd: AWS Budgets is not in {partition}.",
            "Remove the key, and make the budget in the account that is billed for this one.",
        )
    if partition in WITHOUT_SES and isinstance(settings.smtp, SesMail):
        yield (
            f"langfuse:smtp.mode: Amazon SES is not in {partition}.",
            "Set it to smtp, with the server's URL as the secret smtpUrl.",
        )
    if partition in WITH_TWO_PREFIXES and closed(settings):
        yield (
            f"langfuse:network.egress: the endpoints of {partition} have names of two forms, and "
            "nobody has tried which service has which.",
            "Choose another way out.",
        )
    for key, arn in settings.policies:
        if partition_of(arn) != partition:
            yield (
                f"langfuse:{key}: {arn} is a policy of the partition {partition_of(arn)}, and the "
                f"stack is in {partition}.",
                f"Name one of {partition}: aws iam list-policies shows the ARNs.",
            )
