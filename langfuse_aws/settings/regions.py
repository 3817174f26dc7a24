"""The names of AWS's regions, in all partitions, as botocore knows them."""

import json
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from langfuse_aws.settings.section import invalid
from langfuse_aws.settings.wording import nearest, shown

KEY: Final = "aws:region"

NOT_SET: Final = f"{KEY}: is not set, nor are AWS_REGION and AWS_DEFAULT_REGION"


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


def _region(value: str) -> str:
    if found := problem(value):
        raise invalid(*found)
    return value


Region = Annotated[str, AfterValidator(_region)]
