"""Tells tools of operations as they run, and of what came of them: one JSON object a line.

docs/automation.md has the keys.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer

from langfuse_aws.automation.engine.destruction import Destruction
from langfuse_aws.automation.engine.events import Event
from langfuse_aws.automation.engine.following import follow
from langfuse_aws.automation.engine.operation import Operation
from langfuse_aws.automation.engine.results import Result
from langfuse_aws.graph.preview import Preview


class NdjsonDisplay:
    """Prints one JSON object a line: the events, and at the end a result or an error."""

    def preview(self, start: Callable[[], Operation[Preview]], *, alone: bool) -> Preview:
        """Before an update it is one line, since its events are not about changes."""
        found = follow(start, _write if alone else _ignore)
        steps = [
            {"operation": each.operation, "urn": each.urn, "changed": each.changed}
            for each in found.steps
        ]
        told = {"changes": found.changes, "steps": steps, "seconds": found.seconds}
        _line("result" if alone else "preview", **told)
        return found

    def change(self, start: Callable[[], Operation[Result]]) -> Result:
        """Print the events."""
        return follow(start, _write)

    def done(self, result: Result) -> None:
        """Print the last line."""
        told = {"changes": result.changes, "outputs": result.outputs, "seconds": result.seconds}
        _line("result", **told)

    def outputs(self, outputs: Mapping[str, Any]) -> None:
        """Print the only line."""
        _line("result", outputs=outputs)

    def destruction(self, name: str, found: Destruction) -> None:
        """Nothing: tools have asked for it."""

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
