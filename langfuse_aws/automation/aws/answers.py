"""What a check of `preflight` answers, and the stack and the caller that it is about."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from langfuse_aws.automation.errors import one_line
from langfuse_aws.settings.installation import PROJECT
from langfuse_aws.settings.model import Settings

Status = Literal["ok", "failed", "unknown"]

DENIED: Final = (
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "UnauthorizedOperation",
)
"""Error codes of a caller who may not ask."""


@dataclass(frozen=True)
class Result:
    """One answer."""

    check: str
    status: Status
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class NewStack:
    """A stack that is to come up, and where."""

    name: str
    prefix: str
    """What the names of its resources begin with."""
    region: str
    settings: Settings
    aws: Callable[..., Any]
    """Makes a client of a service, in the stack's region or in a second argument's."""
    folder: Path = PROJECT
    """Where its program is."""


@dataclass(frozen=True)
class Caller:
    """Who runs `pulumi up`."""

    account: str
    arn: str
    partition: str
    """`aws`, `aws-cn` or `aws-us-gov`."""


class Check(NamedTuple):
    """Something to find out, beside the others."""

    name: str
    run: Callable[[], Iterable[Result]]


def ok(check: str, message: str) -> Result:
    """Nothing stands in the way."""
    return Result(check, "ok", message)


def failed(check: str, message: str, remedy: str) -> Result:
    """`pulumi up` would fail."""
    return Result(check, "failed", message, remedy)


def unknown(check: str, reason: str, remedy: str = "") -> Result:
    """Nobody could say."""
    return Result(check, "unknown", f"could not be checked: {reason}", remedy)


def answers(check: Check) -> list[Result]:
    """Run a check; AWS's refusal to answer is an answer too."""
    try:
        return list(check.run())
    except ClientError as error:
        return [unknown(check.name, one_line(error), _permission(error))]
    except BotoCoreError as error:
        return [unknown(check.name, one_line(error))]


def error_code(error: ClientError) -> str:
    """AWS's name of an error, such as `AccessDenied`."""
    answer: Any = error.response
    return str(answer.get("Error", {}).get("Code", ""))


def _permission(error: ClientError) -> str:
    operation: Any = error.operation_name  # pyright: ignore[reportUnknownMemberType]
    if error_code(error) not in DENIED:
        return ""
    return f"Allow {operation}, which only reads, and run preflight again."
