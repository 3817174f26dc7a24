"""Findings on drift: what AWS has otherwise than the state. A refresh that only shows."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from pulumi import automation as auto
from pulumi.automation.events import OpType

from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.on_call.findings import Finding, Reading

SECTION: Final = "drift"
DIFFERENT: Final = {
    OpType.UPDATE: "changed by hand",
    OpType.DELETE: "removed by hand",
}
"""What a refresh says that it would do to a resource's state."""


def drift_reading(deployed: Deployed) -> Reading:
    """Ask AWS for every resource: minutes, and rights to read all of them."""
    return Reading(SECTION, "drift", partial(_drift, deployed))


def _drift(deployed: Deployed) -> Iterator[Finding]:
    changed: dict[str, OpType] = {}

    def on_event(event: auto.EngineEvent) -> None:
        step = event.res_outputs_event.metadata if event.res_outputs_event else None
        if step is not None and step.op in DIFFERENT:
            changed[step.urn] = step.op

    deployed.pulumi.preview_refresh(on_event=on_event, show_secrets=False)
    for urn, operation in changed.items():
        kind, name = urn.rsplit("::", 2)[-2:]
        yield Finding(
            SECTION,
            name,
            "wrong",
            f"{kind.rpartition('$')[2]} was {DIFFERENT[operation]}",
            "pulumi refresh --preview-only --diff shows how; pulumi up --refresh puts it back.",
            {"urn": urn, "operation": operation.value},
        )
    if not changed:
        yield Finding(SECTION, "drift", "ok", "AWS is as the last up left it")
