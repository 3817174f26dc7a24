"""Checks of `preflight` on the account: who asks, and what AWS offers it in the region."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from langfuse_aws.automation.aws.answers import Caller, NewStack, Result, failed, ok, unknown
from langfuse_aws.automation.errors import one_line
from langfuse_aws.settings.app_runner import HOSTED_ZONES
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.partitions import missing_services
from langfuse_aws.settings.stores import AuroraPostgres

CREDENTIALS: Final = "credentials"
REGION: Final = "region"
PARTITION: Final = "partition"

HOME_REGIONS: Final = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""By partition, a region that nobody can disable, where the global services are."""


@cache
def partition_of(region: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`; of an unknown region, by its name."""
    session: Any = boto3.Session()
    return session.get_partition_for_region(region)


def home_region(region: str) -> str:
    """Where to ask about a region that may be disabled."""
    return HOME_REGIONS.get(partition_of(region), region)


def find_caller(stack: NewStack) -> tuple[Result, Caller | None]:
    """Find out whose credentials these are; None if they are good for nothing."""
    try:
        said = stack.aws("sts", home_region(stack.region)).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        remedy = (
            "Set AWS_PROFILE, or aws:profile in the stack file; aws sso login or aws configure "
            "renews it. aws sts get-caller-identity must answer."
        )
        return failed(CREDENTIALS, one_line(error), remedy), None
    caller = Caller(said["Account"], said["Arn"], partition_of(stack.region))
    where = f"account {caller.account}, {caller.arn}, region {stack.region}"
    return ok(CREDENTIALS, where), caller


def check_region(stack: NewStack) -> Iterator[Result]:
    """Whether the account may use the stack's region, and the one that copies go to."""
    home = home_region(stack.region)
    found: list[dict[str, Any]] = stack.aws("ec2", home).describe_regions(AllRegions=True)[
        "Regions"
    ]
    states = {each["RegionName"]: each["OptInStatus"] for each in found}
    settings = {"aws:region": stack.region}
    if stack.settings.backups.copy_region:
        settings["langfuse:backups.copyRegion"] = stack.settings.backups.copy_region
    for key, region in settings.items():
        state = states.get(region)
        if state is None:
            yield failed(
                REGION,
                f"{key}: {region}: is none of the {len(states)} regions of this account.",
                f"pulumi config set --path {key} REGION --stack {stack.name}, with a name of aws "
                f"ec2 describe-regions --all-regions --region {home}.",
            )
        elif state == "not-opted-in":
            yield failed(
                REGION,
                f"{key}: {region}: is not enabled in this account.",
                f"aws account enable-region --region-name {region}; it takes minutes to hours.",
            )
        else:
            yield ok(REGION, f"{region} is enabled")


def check_partition(stack: NewStack) -> Iterator[Result]:
    """Whether AWS has there what the stack uses besides its regional services."""
    partition = partition_of(stack.region)
    missing = [*missing_services(stack.settings, partition)]
    for message, remedy in missing:
        yield failed(PARTITION, message, remedy)
    if not missing:
        yield ok(PARTITION, f"{partition} has every service of the stack")


APP_RUNNER: Final = "app runner"

CLOSED: Final = (
    "there is no App Runner service here, and since 2026-04-30 App Runner takes no new customers."
)


def check_app_runner(stack: NewStack) -> Iterator[Result]:
    """Whether a service can be made.

    AWS tells nobody whether an account is a customer of App Runner; one with a service is.
    """
    fargate = f"pulumi config set --path langfuse:web.platform fargate --stack {stack.name}"
    if stack.region not in HOSTED_ZONES:
        yield failed(
            APP_RUNNER,
            f"langfuse:web.platform: appRunner: App Runner is not in {stack.region}. It is in "
            f"{', '.join(sorted(HOSTED_ZONES))}.",
            f"{fargate}, or choose another region.",
        )
        return
    if stack.aws("apprunner").list_services()["ServiceSummaryList"]:
        yield ok(APP_RUNNER, "the account is a customer: it has services here")
    else:
        yield unknown(APP_RUNNER, CLOSED, f"If the account never had one in any region: {fargate}.")


BACKUPS: Final = "aws backup"
AURORA: Final = "Aurora"


def backs_up_aurora(settings: Settings) -> bool:
    """Whether a backup plan of the stack names an Aurora cluster."""
    return isinstance(settings.postgres, AuroraPostgres) and bool(settings.backups.copy_region)


def check_backups(stack: NewStack) -> Iterator[Result]:
    """Whether the region is opted in for Aurora.

    AWS Backup backs up volumes and RDS instances that a plan names whatever the region's settings
    say. An Aurora cluster's ARN could be that of another kind of cluster, so there the settings
    decide, and a cluster that is left out is no failed job.
    https://docs.aws.amazon.com/aws-backup/latest/devguide/assigning-resources-json.html
    """
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


DISKS: Final = "disk encryption"
EBS_KEY: Final = "alias/aws/ebs"
"""The key of AWS's that encrypts volumes unless somebody chooses another for the account."""

POLICY: Final = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html"


def check_disks(stack: NewStack) -> Iterator[Result]:
    """Whether disks that name no key have one of AWS's, which needs no rights.

    The account may have another for the region. Auto Scaling starts no instance with that unless
    its policy lets it, and no instance attaches a volume. What the policy lets whom do, nobody but
    KMS can say.
    """
    found = stack.aws("ec2").get_ebs_default_kms_key_id()["KmsKeyId"]
    if found != EBS_KEY:
        key = stack.aws("kms").describe_key(KeyId=found)["KeyMetadata"]
        if key["KeyManager"] != "AWS":
            yield unknown(
                DISKS,
                f"the account's default key for EBS in {stack.region} is {found}, and instances "
                "start only if its policy lets AWSServiceRoleForAutoScaling and the stack's roles "
                "use it.",
                f"See that it does as {POLICY} says; or pulumi config set langfuse:encryption "
                f"customerKey --stack {stack.name}, for a key of the stack's own.",
            )
            return
    yield ok(DISKS, "disks are encrypted with AWS's own key")
