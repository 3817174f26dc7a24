"""Shows operations as they run, and what came of them, to people."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from rich.live import Live
from rich.table import Table
from rich.text import Text

from langfuse_aws.automation.cli.changes import drawn
from langfuse_aws.automation.cli.progress import Progress, described, short_type
from langfuse_aws.automation.engine.destruction import Destruction
from langfuse_aws.automation.engine.events import DiagnosticEvent, Event, ResourceEvent
from langfuse_aws.automation.engine.following import follow
from langfuse_aws.automation.engine.operation import Operation
from langfuse_aws.automation.engine.results import Result
from langfuse_aws.automation.engine.target import Target
from langfuse_aws.automation.engine.update_plan import UpdatePlan
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.terminal import console, error_console, tell
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.preview import HALVES, UNCHANGED, Preview
from langfuse_aws.review.property_changes import PlannedStep, planned

if TYPE_CHECKING:
    from langfuse_aws.automation.hours.asleep import Asleep

Value = TypeVar("Value")

REFRESHES_PER_SECOND: Final = 8
PIPED_COLUMNS: Final = 200


class Display(Protocol):
    """Where the commands that deploy say what they do."""

    def preview(self, start: Callable[[], Operation[Preview]], *, alone: bool) -> Preview:
        """Follow a preview and show it; not `alone` if it comes before an update."""
        ...

    def change(
        self, start: Callable[[], Operation[Result]], expected: Sequence[Resource] = ()
    ) -> Result:
        """Follow an update, a refresh or a destroy of the resources that are expected."""
        ...

    def done(self, result: Result) -> None:
        """Show what came of it."""
        ...

    def outputs(self, outputs: Mapping[str, Any], asleep: "Asleep | None" = None) -> None:
        """Show a stack's outputs, and that it is asleep."""
        ...

    def destruction(self, name: str, found: Destruction) -> None:
        """Show what a destroy will take."""
        ...

    def plan(self, plan: UpdatePlan) -> None:
        """Show what a plan would do."""
        ...

    def target(self, target: Target) -> None:
        """Show what will be changed, before somebody is asked."""
        ...

    def note(self, text: str) -> None:
        """Say something to people."""
        ...

    def failed(self, messages: Sequence[str]) -> None:
        """Say why nothing more comes."""
        ...


class TerminalDisplay:
    """Draws on a terminal; elsewhere prints a line for each change that is finished."""

    def preview(self, start: Callable[[], Operation[Preview]], *, alone: bool) -> Preview:  # noqa: ARG002
        """Print each resource that would change, with the values of its properties."""
        found = self._follow(start, Progress(), lines=False)
        self._steps(planned(found.steps))
        self._changes(found.changes, found.seconds)
        return found

    def change(
        self, start: Callable[[], Operation[Result]], expected: Sequence[Resource] = ()
    ) -> Result:
        """Leave a tree of what changed on a terminal."""
        progress = Progress(expected=expected)
        result = self._follow(start, progress, lines=True)
        if console.is_terminal:
            console.print(progress.tree())
        return result

    def done(self, result: Result) -> None:
        """Print outputs and counts."""
        self.outputs(result.outputs)
        self._changes(result.changes, result.seconds)

    def outputs(self, outputs: Mapping[str, Any], asleep: "Asleep | None" = None) -> None:
        """Print a table, or a line for each where nobody needs one; to people, that it sleeps."""
        shown = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in sorted(outputs.items())
        }
        if not console.is_terminal:
            for name, value in shown.items():
                console.print(Text(f"{name}: {value}"))
        elif shown:
            table = Table("Output", box=None, pad_edge=False)
            table.add_column("Value", overflow="fold")
            for name, value in shown.items():
                table.add_row(Text(name, no_wrap=True), Text(value))
            console.print(table)
        if asleep is not None:
            error_console.print(Text(str(asleep)))

    def destruction(self, name: str, found: Destruction) -> None:
        """Print it."""
        count = len(found.resources)
        console.print(f"stack {name}: {count} resources will be destroyed.", style="bold")
        self._list("Lost with all of its data", found.lost)
        self._list("Kept in AWS, where it is billed", found.kept)

    def plan(self, plan: UpdatePlan) -> None:
        """Print it as the preview was that it was saved by."""
        console.print(Text(f"{plan.path}, saved {plan.saved}:"))
        self._steps(plan.steps)
        self._changes(plan.changes)

    def target(self, target: Target) -> None:
        """Print a line for each part."""
        for key, value in asdict(target).items():
            console.print(Text.assemble((f"{key}: ", "bold"), value))

    def note(self, text: str) -> None:
        """Print it."""
        console.print(Text(text))

    def failed(self, messages: Sequence[str]) -> None:
        """Print it on stderr."""
        tell(messages)

    def _follow(
        self, start: Callable[[], Operation[Value]], progress: Progress, *, lines: bool
    ) -> Value:
        live = console.is_terminal

        def take(event: Event) -> None:
            progress.take(event)
            if isinstance(event, DiagnosticEvent) and event.severity == "warning":
                console.print(Text(f"warning: {event.message}", "yellow"))
            elif lines and not live and isinstance(event, ResourceEvent):
                self._finished(event)

        if not live:
            with waits(progress.waits_for()) as update:

                def take_and_tell(event: Event) -> None:
                    take(event)
                    update(progress.waits_for())

                return follow(start, take_and_tell)
        with Live(
            progress, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True
        ):
            return follow(start, take)

    def _finished(self, event: ResourceEvent) -> None:
        failed = event.state == "failed"
        # A replacement's own steps are told.
        ended = event.state == "done" and event.operation not in UNCHANGED | {"replace"}
        if failed or ended:
            line = described(event.operation, event.type, event.name, failed=failed)
            if event.operation in HALVES:
                line.append(f" ({event.operation})")
            console.print(line)

    def _steps(self, steps: Sequence[PlannedStep]) -> None:
        # Nobody knows how wide a pipe's other end is.
        columns = console.width if console.is_terminal else PIPED_COLUMNS
        for step in steps:
            for line in drawn(step, columns):
                console.print(line)

    def _changes(self, changes: Mapping[str, int], seconds: float | None = None) -> None:
        if set(changes) <= UNCHANGED:
            total = sum(changes.values())
            line = f"nothing changed: {total} resources are as they were (0 changes)"
        else:
            kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(changes.items()))
            line = f"resources by kind of change: {kinds}"
        console.print(line if seconds is None else f"{line}; {seconds:.1f} s")

    def _list(self, title: str, resources: Sequence[Resource]) -> None:
        if resources:
            console.print(title, style="bold")
        for each in resources:
            console.print(Text.assemble("  ", (short_type(each.type), "dim"), " ", each.name))
