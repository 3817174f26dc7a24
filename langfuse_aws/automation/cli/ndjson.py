"""Tells tools of operations as they run, and of what came of them: one JSON object a line.

docs/automation.md has the keys.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from langfuse_aws.automation.engine.destruction import Destruction
from langfuse_aws.automation.engine.events import Event
from langfuse_aws.automation.engine.following import follow
from langfuse_aws.automation.engine.operation import Operation
from langfuse_aws.automation.engine.results import Result
from langfuse_aws.automation.engine.target import Target
from langfuse_aws.automation.engine.update_plan import UpdatePlan
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.preview import Preview
from langfuse_aws.review.property_changes import planned

if TYPE_CHECKING:
    from langfuse_aws.automation.hours.asleep import Asleep


class NdjsonDisplay:
    """Prints one JSON object a line: the events, and at the end a result or an error."""

    def preview(self, start: Callable[[], Operation[Preview]], *, alone: bool) -> Preview:
        """Before an update it is one line, since its events are not about changes."""
        found = follow(start, _write if alone else _ignore)
        steps = [asdict(each) for each in planned(found.steps)]
        told = {"changes": found.changes, "steps": steps, "seconds": found.seconds}
        _line("result" if alone else "preview", **told)
        return found

    def change(
        self,
        start: Callable[[], Operation[Result]],
        expected: Sequence[Resource] = (),  # noqa: ARG002
    ) -> Result:
        """Print the events."""
        return follow(start, _write)

    def done(self, result: Result) -> None:
        """Print the last line."""
        told = {"changes": result.changes, "outputs": result.outputs, "seconds": result.seconds}
        _line("result", **told)

    def outputs(self, outputs: Mapping[str, Any], asleep: "Asleep | None" = None) -> None:
        """Print the only line."""
        sleeps = {} if asleep is None else {"asleep": asleep.to_json()}
        _line("result", outputs=outputs, **sleeps)

    def destruction(self, name: str, found: Destruction) -> None:
        """Nothing: tools have asked for it."""

    def plan(self, plan: UpdatePlan) -> None:
        """Print it as the preview that it was saved by."""
        steps = [asdict(each) for each in plan.steps]
        _line("preview", changes=plan.changes, steps=steps, saved=plan.saved)

    def target(self, target: Target) -> None:
        """Nothing: tools are not asked."""

    def note(self, text: str) -> None:
        """Nothing."""

    def failed(self, messages: Sequence[str]) -> None:
        """Print the last line."""
        _line("error", message="\n".join(messages))


def _write(event: Event) -> None:
    typer.echo(event.model_dump_json())


def _ignore(_event: Event) -> None:
    pass


def _line(event: str, **told: Any) -> None:
    typer.echo(json.dumps({"event": event, **told}))
