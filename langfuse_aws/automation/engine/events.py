"""What the engine reports while it works, as typed values that tools can store and forward."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal

from pulumi.automation import EngineEvent
from pulumi.automation.events import OpType, StepEventMetadata
from pydantic import BaseModel, ConfigDict, Field

COLOUR_TAG: Final = re.compile(r"<\{%.*?%\}>")

State = Literal["started", "done", "failed"]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)

    seconds: float
    """Since the operation began."""


class ResourceEvent(_Event):
    """The work on one resource begins or ends."""

    event: Literal["resource"] = "resource"
    state: State
    operation: str
    """What is done, in Pulumi's words: `create`, `update`, `replace`, `delete`, `same` …"""
    urn: str
    type: str
    name: str
    parent: str
    """URN; empty for the stack itself."""
    component: bool
    """Whether it only groups others."""


class DiagnosticEvent(_Event):
    """The program, a provider or the engine says something, or that a cancellation has begun."""

    event: Literal["diagnostic"] = "diagnostic"
    severity: str
    """`info`, `info#err`, `warning` or `error`."""
    message: str
    urn: str
    """The resource that it is about; may be empty."""


class SummaryEvent(_Event):
    """How many resources had what done to them; the last event of an operation."""

    event: Literal["summary"] = "summary"
    changes: Mapping[str, int]


Event = Annotated[ResourceEvent | DiagnosticEvent | SummaryEvent, Field(discriminator="event")]
"""One line of the command line's `--json`."""


def read(found: EngineEvent, seconds: float, redact: Callable[[str], str]) -> Event | None:
    """Translate an event of the engine; None for those that say nothing of the stack."""
    step = found.resource_pre_event or found.res_outputs_event or found.res_op_failed_event
    if step and _is_default_provider(step.metadata):
        return None
    if found.resource_pre_event:
        return _resource(found.resource_pre_event.metadata, "started", seconds)
    if found.res_outputs_event:
        return _resource(found.res_outputs_event.metadata, "done", seconds)
    if found.res_op_failed_event:
        return _resource(found.res_op_failed_event.metadata, "failed", seconds)
    if found.diagnostic_event:
        said = found.diagnostic_event
        message = redact(COLOUR_TAG.sub("", said.message).strip())
        if not message or said.severity == "debug":
            return None
        return DiagnosticEvent(
            seconds=seconds, severity=said.severity, message=message, urn=said.urn or ""
        )
    if found.summary_event:
        return SummaryEvent(seconds=seconds, changes=counted(found))
    return None


def _is_default_provider(step: StepEventMetadata) -> bool:
    """Whether the engine has made it for itself. Its summary does not count these.

    https://github.com/pulumi/pulumi/blob/v3.250.0/sdk/go/common/providers/reference.go
    """
    name = step.urn.rsplit("::", 1)[-1]
    return step.type.startswith("pulumi:providers:") and name.startswith("default")


def counted(summary: EngineEvent) -> dict[str, int]:
    """How many resources had what done to them, by Pulumi's words; empty for other events."""
    if not summary.summary_event:
        return {}
    changes = summary.summary_event.resource_changes
    return {OpType(kind).value: number for kind, number in changes.items()}


def _resource(step: StepEventMetadata, state: State, seconds: float) -> ResourceEvent:
    there = step.new or step.old
    return ResourceEvent(
        seconds=seconds,
        state=state,
        operation=step.op.value,
        urn=step.urn,
        type=step.type,
        name=step.urn.rsplit("::", 1)[-1],
        parent=(there.parent or "") if there else "",
        component=not (there and there.custom),
    )
