"""Shows what becomes of images: a line each for people, NDJSON for tools."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import typer
from rich.status import Status
from rich.text import Text

from langfuse_aws.automation.cli.display import Display, TerminalDisplay
from langfuse_aws.automation.cli.ndjson import NdjsonDisplay
from langfuse_aws.automation.images.mirror import DONE, ImageEvent
from langfuse_aws.automation.terminal import console
from langfuse_aws.settings.image_lock import Lock

COLORS: Final[Mapping[str, str]] = {
    **dict.fromkeys((*DONE, "locked", "unchanged"), "green"),
    "copying": "cyan",
    "cancelled": "yellow",
    "failed": "red",
}
WORDS: Final[Mapping[str, str]] = {"there": "there already"}
WIDTH: Final = 14


class ImageDisplay(Display, Protocol):
    """Where the commands on images say what they do."""

    def image(self, event: ImageEvent) -> None:
        """Tell of one image."""
        ...

    def locked(self, lock: Lock, seconds: float) -> None:
        """Tell what the lock has of the stack's images now."""
        ...


class ImagesForPeople(TerminalDisplay):
    """Prints a line when a copy begins and when it ends; on a terminal names what is running."""

    def __init__(self) -> None:
        """Nothing is running."""
        self._status = Status("", console=console)
        self._running: list[str] = []

    def image(self, event: ImageEvent) -> None:
        """Print a line."""
        copying = event.state == "copying"
        if copying:
            self._running.append(event.image)
        elif event.image in self._running:
            self._running.remove(event.image)
        word = f"{WORDS.get(event.state, event.state):{WIDTH}}"
        line = Text.assemble((word, COLORS[event.state]), event.image)
        if event.state not in ("cancelled", "failed"):
            line.append(f" {event.digest}", "dim")
        if not copying:
            size = [] if event.mebibytes is None else [f"{event.mebibytes} MiB"]
            took = [] if event.state != "verified" else [f"{event.seconds:.1f} s"]
            line.append(f" {', '.join([*size, *took])}" if size or took else "")
        console.print(line)
        self._status.update(f"copying {', '.join(self._running)}")
        self._status.start() if self._running else self._status.stop()

    def locked(self, lock: Lock, seconds: float) -> None:
        """Nothing: there was a line for each."""


class ImagesForTools(NdjsonDisplay):
    """Prints one JSON object a line: an event of each image, and at the end a result or error."""

    def image(self, event: ImageEvent) -> None:
        """Print it."""
        typer.echo(event.model_dump_json())

    def locked(self, lock: Lock, seconds: float) -> None:
        """Print the last line."""
        images: dict[str, Any] = {name: each.model_dump() for name, each in lock.items()}
        typer.echo(json.dumps({"event": "result", "images": images, "seconds": seconds}))


def not_done(events: Sequence[ImageEvent]) -> list[str]:
    """A line for each image that has failed or was cancelled, and how to go on; [] if none has."""
    lines = {"failed": "{}: {}", "cancelled": "{}: was not copied, since this was cancelled."}
    missing = [
        lines[each.state].format(each.image, each.message) for each in events if each.state in lines
    ]
    if missing:
        done = f"{len(events) - len(missing)} of {len(events)} images are there and locked"
        missing.append(f"{done}. Run the command again: it goes on from there.")
    return missing
