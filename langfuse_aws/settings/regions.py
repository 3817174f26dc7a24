"""The names of AWS's regions, in all partitions, as botocore knows them."""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator

from langfuse_aws.settings.how_to_set import IN_CONFIGURATION, HowToSet
from langfuse_aws.settings.section import invalid
from langfuse_aws.settings.wording import nearest, shown

KEY: Final = "aws:region"

PROFILE_KEY: Final = "aws:profile"
_NOT_SET: Final = f"{KEY}: is not set, nor are AWS_REGION and AWS_DEFAULT_REGION"


@cache
def names() -> frozenset[str]:
    """Every region of every partition; the pseudo-regions of global services are none."""
    # botocore's own reader of this file loads the whole SDK, which takes longer than the program.
    text = (files("botocore") / "data" / "partitions.json").read_text(encoding="utf-8")
    partitions: list[dict[str, Any]] = json.loads(text)["partitions"]
    found = (name for partition in partitions for name in partition["regions"])
    return frozenset(name for name in found if not name.endswith("-global"))


def problem(region: str) -> tuple[str, str] | None:
    """Why that is no region's name, and what to do; None if it is one."""
    if region in names():
        return None
    return (
        f"is no region of AWS{nearest(region, sorted(names()))}",
        "correct it; a region that is newer than the botocore here needs pip install --upgrade "
        "botocore",
    )


def message(region: str) -> str | None:
    """The line of an error for `aws:region`; None if there is such a region."""
    if found := problem(region):
        bound, remedy = found
        return f"{KEY}: {shown(region)}: {bound}. {remedy[:1].upper()}{remedy[1:]}."
    return None


def known(config: Mapping[str, Any], environment: Mapping[str, str]) -> str | None:
    """The region that the configuration or the environment says; None if AWS has none of the name.

    Keys of `config` have their namespaces.
    """
    region = config.get(KEY) or of_environment(config.get(PROFILE_KEY), environment)
    return region if isinstance(region, str) and region in names() else None


def missing(
    config: Mapping[str, Any], environment: Mapping[str, str], how: HowToSet = IN_CONFIGURATION
) -> list[str]:
    """A line if the configuration says no region, and the environment none that there is."""
    if config.get(KEY):
        return []
    if region := of_environment(config.get(PROFILE_KEY), environment):
        found = message(region)
        return [found] if found else []
    return [f"{_NOT_SET}. Set it {how.provider_key(KEY, 'REGION')}."]


def of_environment(profile: str | None, environment: Mapping[str, str]) -> str | None:
    """The region that AWS's variables say, or the file of profiles; None if they say none."""
    named = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if named:
        return named
    # These load in a moment, and the SDK in a tenth of a second.
    from botocore import configloader
    from botocore.exceptions import BotoCoreError

    loader: Any = configloader
    name = profile or environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")
    for variable, file in (
        ("AWS_CONFIG_FILE", "~/.aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ):
        with suppress(BotoCoreError):
            path = environment.get(variable) or file
            if variable == "AWS_CONFIG_FILE":
                found = loader.load_config(path)["profiles"]
            else:
                found = loader.raw_config_parse(path)
            profiles = cast("Mapping[str, Mapping[str, str]]", found)
            if region := profiles.get(name or "default", {}).get("region"):
                return region
    return None


def _region(value: str) -> str:
    if found := problem(value):
        raise invalid(*found)
    return value


Region = Annotated[str, AfterValidator(_region)]
