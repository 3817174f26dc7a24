"""What a command is about to change: which stack, in which region, account and state backend."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from langfuse_aws.automation.engine.region import region_of
from langfuse_aws.automation.engine.stack_file import ESC
from langfuse_aws.settings import regions

IN_MEMORY: Final = "none: AWS is in memory"
BY_ESC: Final = "as Pulumi ESC says"
_KEY: Final = "aws:accessKey"
_ROLES: Final = ("aws:assumeRoles", "aws:assumeRole")


@dataclass(frozen=True)
class Target:
    """What somebody is asked about."""

    stack: str
    region: str
    account: str
    backend: str


def region_and_account(name: str, settings: Mapping[str, Any], *, offline: bool) -> tuple[str, str]:
    """Find both by the content of a stack file; the account is that of the provider's credentials.

    Raises UserError without a region, and botocore's errors if STS gives no answer.
    """
    config = cast("Mapping[str, Any]", settings.get("config") or {})
    region, profile = config.get(regions.KEY), config.get(regions.PROFILE_KEY)
    if settings.get(ESC) and not region:
        return BY_ESC, IN_MEMORY if offline else BY_ESC
    found = region_of(name, region, profile)
    if offline:
        return found, IN_MEMORY
    if account := _of_role(config):
        return found, account
    if _KEY in config:
        return found, f"that of {_KEY}"
    return found, _of_credentials(found, profile)


def _of_credentials(region: str, profile: str | None) -> str:
    import boto3  # a tenth of a second, and only who is asked needs it

    session: Any = boto3.Session(region_name=region, profile_name=profile)
    return session.client("sts").get_caller_identity()["Account"]


def _of_role(config: Mapping[str, Any]) -> str | None:
    """The account of the role that the provider assumes last; None if it assumes none."""
    for key in _ROLES:
        given: Any = config.get(key) or []
        roles = cast("list[Mapping[str, Any]]", given if isinstance(given, list) else [given])
        arns = [str(each.get("roleArn")) for each in roles]
        # arn:PARTITION:iam::ACCOUNT:role/NAME
        if arns and arns[-1].count(":") >= 5:
            return arns[-1].split(":")[4]
    return None
