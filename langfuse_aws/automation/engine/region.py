"""The region that a stack is in, by its settings or by the environment."""

import os

from langfuse_aws.automation.errors import UserError
from langfuse_aws.settings import regions


def region_of(stack: str, given: str | None, profile: str | None) -> str:
    """The region of `aws:region`, if it is `given`, or else of the environment or the profile.

    UserError if nobody says one, or if AWS has none of that name.
    """
    region = given or regions.of_environment(profile, os.environ)
    if not region:
        (missing,) = regions.missing({}, {})
        raise UserError(f"stack {stack}: {missing}")
    if found := regions.message(region):
        raise UserError(f"stack {stack}: {found}")
    return region
