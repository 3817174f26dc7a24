"""What a command is about to change: which stack, in which region, account and state backend."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from langfuse_aws.automation.engine.region import region_of
from langfuse_aws.automation.engine.stack_file import ESC
from langfuse_aws.settings import regions
from langfuse_aws.settings.provider_keys import assumed_roles

IN_MEMORY: Final = "none: AWS is in memory"
BY_ESC: Final = "as Pulumi ESC says"
_KEY: Final = "aws:accessKey"


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
    for role in [*assumed_roles(config)][-1:]:
        # arn:PARTITION:iam::ACCOUNT:role/NAME
        return found, role["roleArn"].split(":")[4]
    if _KEY in config:
        return found, f"that of {_KEY}"
    return found, _of_credentials(found, config)


def _of_credentials(region: str, config: Mapping[str, Any]) -> str:
    # A tenth of a second, and only who is asked needs it.
    from langfuse_aws.automation.engine.sessions import session_of

    return session_of(region, config).client("sts").get_caller_identity()["Account"]
