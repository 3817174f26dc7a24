"""Check of `preflight` on AWS Backup: does it take up Aurora in this region.

Volumes and RDS instances that a plan names are backed up whatever the region's settings say. An
Aurora cluster's ARN could be that of another kind of cluster, so there the settings decide, and a
cluster that is left out is no failed job.
https://docs.aws.amazon.com/aws-backup/latest/devguide/assigning-resources-json.html
"""

from collections.abc import Iterator
from typing import Final

from langfuse_aws.automation.aws.answers import NewStack, Result, failed, ok
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.stores import AuroraPostgres

BACKUPS: Final = "aws backup"
AURORA: Final = "Aurora"


def backs_up_aurora(settings: Settings) -> bool:
    """Whether a backup plan of the stack names an Aurora cluster."""
    return isinstance(settings.postgres, AuroraPostgres) and bool(settings.backups.copy_region)


def check_backups(stack: NewStack) -> Iterator[Result]:
    """Whether the region is opted in for Aurora."""
    said = stack.aws("backup").describe_region_settings()["ResourceTypeOptInPreference"]
    if said.get(AURORA):
        yield ok(BACKUPS, f"{stack.region} is opted in for {AURORA}")
        return
    yield failed(
        BACKUPS,
        f"langfuse:backups.copyRegion: {stack.region} is not opted in for {AURORA}, so that "
        "PostgreSQL would never be copied, and no job would fail.",
        f"aws backup update-region-settings --region {stack.region} "
        f"--resource-type-opt-in-preference {AURORA}=true",
    )
