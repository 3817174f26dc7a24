"""Draws an operation's events: a live summary by component, and a tree of what changed.

The summary names what is being worked on, for how long it has been, and how long that usually
takes. Nothing here starts an engine or prints.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from rich.console import Group
from rich.spinner import Spinner
from rich.text import Text
from rich.tree import Tree

from langfuse_aws.automation.engine.events import Event, ResourceEvent
from langfuse_aws.automation.terminal import clock_time
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.preview import HALVES, UNCHANGED
from langfuse_aws.graph.resource_types import RESOURCE_TYPES

NAMED_AT_ONCE: Final = 3
REPLACED: Final = ("±", "magenta")
SIGNS: Final[Mapping[str, tuple[str, str]]] = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "delete": ("-", "red"),
    "replace": REPLACED,
    **dict.fromkeys(HALVES, REPLACED),
}
OTHER_SIGN: Final = (" ", "dim")
FAILED_SIGN: Final = ("✗", "bold red")

Below: TypeAlias = "dict[str, list[Work]]"


@dataclass
class Work:
    """What is known of one resource, and of what is done to it."""

    event: ResourceEvent
    """The latest."""
    begun: float
    """By the clock, in seconds."""

    @property
    def finished(self) -> bool:
        """Whether nothing more is to come."""
        return self.event.state != "started"

    @property
    def changed(self) -> bool:
        """Whether it is other than before, or should be."""
        return self.event.operation not in UNCHANGED or self.event.state == "failed"

    def line(self) -> Text:
        """One line for people."""
        failed = self.event.state == "failed"
        return described(self.event.operation, self.event.type, self.event.name, failed=failed)


class Progress:
    """Collects events, from any thread, and draws them."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, expected: Iterable[Resource] = ()
    ) -> None:
        """Start the clock, which counts seconds. `expected` is all that events will tell of.

        Without it nobody knows how much is to come, and no total is told.
        """
        self._clock = clock
        self._expected = {each.urn: each for each in expected}
        self._begin = clock()
        self._work: dict[str, Work] = {}
        self._lock = threading.Lock()
        self._spinner = Spinner("dots")

    def take(self, event: Event) -> None:
        """Take one event."""
        if not isinstance(event, ResourceEvent):
            return
        with self._lock:
            known = self._work.get(event.urn)
            begun = self._clock() if not known or event.state == "started" else known.begun
            self._work[event.urn] = Work(event, begun)

    def __rich__(self) -> Group:
        """Draw a line for the whole, and the components with how far each is."""
        with self._lock:
            done = sum(work.finished for work in self._work.values())
            elapsed = clock_time(self._clock() - self._begin)
            total = len(self._expected.keys() | self._work.keys())
            found = f"{done} of {total} resources" if self._expected else f"{done} resources so far"
            told = found if self._work else "waiting for the program …"
            self._spinner.update(text=f"{told}, {elapsed}")
            tree = Tree("")
            self._summarize(tree, "", self._below(), self._inside())
            # A short terminal cuts the end.
            return Group(self._spinner, *tree.children)

    def waits_for(self) -> str:
        """Name what is in work, the oldest first, in a line."""
        with self._lock:
            working = [each for each in self._work.values() if not each.finished]
            named = [each for each in working if not each.event.component]
        if not working:
            return "the engine" if self._work else "the program"
        named.sort(key=lambda work: work.begun)
        parts = [each.line().plain.strip() for each in named[:NAMED_AT_ONCE]]
        more = len(named) - NAMED_AT_ONCE
        return ", ".join([*parts, *([f"{more} more"] if more > 0 else [])]) or "the engine"

    def tree(self) -> Group:
        """Draw what changed, each resource under its parent."""
        with self._lock:
            tree = Tree("")
            self._grow(tree, "", self._below())
            return Group(*tree.children)

    def _below(self) -> Below:
        """By URN, what belongs to a resource; by "", what belongs to none that is known.

        A destroy tells of a component when its resources are gone.
        """
        found: Below = {}
        for work in self._work.values():
            parent = work.event.parent
            found.setdefault(parent if parent in self._work else "", []).append(work)
        return found

    def _grow(self, branch: Tree, urn: str, below: Below) -> bool:
        """Add what changed; say whether there is any."""
        any_changed = False
        for work in below.get(urn, []):
            grown = Tree(work.line())
            if self._grow(grown, work.event.urn, below) or work.changed:
                branch.children.append(grown)
                any_changed = True
        return any_changed

    def _summarize(
        self, branch: Tree, urn: str, below: Below, inside: Mapping[str, set[str]]
    ) -> None:
        working = [each for each in _resources(urn, below) if not each.finished]
        working.sort(key=lambda work: work.begun)
        for work in working[:NAMED_AT_ONCE]:
            branch.add(self._in_work(work))
        if len(working) > NAMED_AT_ONCE:
            branch.add(Text(f"… and {len(working) - NAMED_AT_ONCE} more", "cyan"))
        for component in (work for work in below.get(urn, []) if work.event.component):
            label = component.line()
            label.append(f"  {self._how_far(inside.get(component.event.urn, set()))}", "bold")
            self._summarize(branch.add(label), component.event.urn, below, inside)

    def _how_far(self, urns: set[str]) -> str:
        done = sum(urn in self._work and self._work[urn].finished for urn in urns)
        return f"{done}/{len(urns)}" if self._expected else f"{done} done"

    def _inside(self) -> Mapping[str, set[str]]:
        """By URN, the resources that are inside of it at any depth, without components."""
        parents = {urn: each.parent for urn, each in self._expected.items()}
        parents |= {urn: work.event.parent for urn, work in self._work.items()}
        components = {urn for urn, each in self._expected.items() if not each.custom}
        components |= {urn for urn, work in self._work.items() if work.event.component}
        found: dict[str, set[str]] = {}
        for urn in parents.keys() - components:
            around = parents[urn]
            while around:
                found.setdefault(around, set()).add(urn)
                around = parents.get(around, "")
        return found

    def _in_work(self, work: Work) -> Text:
        elapsed = clock_time(self._clock() - work.begun)
        expected = usual_duration(work.event.operation, work.event.type)
        line = work.line()
        line.append(f"  {elapsed}{', ' if expected else ''}{expected}", "cyan")
        return line


def _resources(urn: str, below: Below) -> list[Work]:
    """What a component has, without other components and what is inside of them."""
    found: list[Work] = []
    for work in below.get(urn, []):
        if not work.event.component:
            found += [work, *_resources(work.event.urn, below)]
    return found


def described(operation: str, token: str, name: str, *, failed: bool = False) -> Text:
    """Sign, short type and name: one line for people."""
    sign, style = FAILED_SIGN if failed else SIGNS.get(operation, OTHER_SIGN)
    return Text.assemble((f"{sign} ", style), (short_type(token), "dim"), " ", name)


def short_type(token: str) -> str:
    """Shorten `aws:ec2/vpc:Vpc` to `aws:ec2:Vpc`."""
    package, *module, name = token.split(":")
    return ":".join([package, *(part.split("/")[0] for part in module), name])


def usual_duration(operation: str, token: str) -> str:
    """Say how long an operation on a resource of a type usually takes; empty if unknown."""
    facts = RESOURCE_TYPES.get(token)
    if facts is None:
        return ""
    minutes = {
        "create": facts.minutes_to_create,
        "create-replacement": facts.minutes_to_create,
        "delete": facts.minutes_to_delete,
        "delete-replaced": facts.minutes_to_delete,
    }.get(operation)
    if minutes is None:
        return ""
    least, most = minutes
    return f"usually {most} min" if least == most else f"usually {least} to {most} min"
