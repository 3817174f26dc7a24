"""The region that a stack is in, by its settings or by the environment."""

import os
from typing import Any

from botocore.exceptions import BotoCoreError

from langfuse_aws.automation.errors import UserError
from langfuse_aws.settings import regions


def region_of(stack: str, given: str | None, profile: str | None) -> str:
    """The region of `aws:region`, if it is `given`, or else of the environment or the profile.

    UserError if nobody says one, or if AWS has none of that name.
    """
    region = given or os.environ.get("AWS_REGION") or _of_profile(profile)
    if not region:
        raise UserError(
            f"stack {stack}: {regions.NOT_SET}. Set it with pulumi config set {regions.KEY} REGION "
            f"--stack {stack}."
        )
    if found := regions.message(region):
        raise UserError(f"stack {stack}: {found}")
    return region


def _of_profile(profile: str | None) -> str | None:
    """The region of AWS_DEFAULT_REGION or of a profile; None where there is none of either."""
    import boto3  # a tenth of a second, and most stacks name their region

    try:
        session: Any = boto3.Session(profile_name=profile)
    except BotoCoreError:
        return None
    return session.region_name
