"""Where a stack is deployed, and what of it cannot be there."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from langfuse_aws.settings import own_region
from langfuse_aws.settings.app_runner import APP_RUNNER, missing_region
from langfuse_aws.settings.messages import conflict_message
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.partitions import missing_services


@dataclass(frozen=True)
class Location:
    """Region, partition and account, known before any resource is."""

    region: str
    """For instance `ap-northeast-1`."""
    partition: str
    """`aws`, `aws-cn` or `aws-us-gov`."""
    account: str
    """The account's ID, 12 digits."""

    @staticmethod
    def current(parent: pulumi.Resource | None = None) -> "Location":
        """The location of `parent`'s AWS provider; without one, of the default provider."""
        invoke_opts = pulumi.InvokeOptions(parent=parent)
        return Location(
            aws.get_region(opts=invoke_opts).region,
            aws.get_partition(opts=invoke_opts).partition,
            aws.get_caller_identity(opts=invoke_opts).account_id,
        )


def refuse_location(settings: Settings, location: Location) -> None:
    """Stop before the first resource where something that is wanted is not, or is of elsewhere.

    Raises `pulumi.RunError` with all of it at once.
    """
    no_app_runner = missing_region(location.region)
    found = [no_app_runner] if settings.web.platform == APP_RUNNER and no_app_runner else []
    found += [" ".join(each) for each in missing_services(settings, location.partition)]
    found += [
        conflict_message(conflict, settings)
        for check in own_region.CHECKS
        for conflict in check(settings, location.region)
    ]
    if found:
        raise pulumi.RunError("\n".join(found))
