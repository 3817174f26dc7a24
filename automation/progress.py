"""Collects the events of a running Pulumi engine and draws them as a tree of resources.

It draws for a terminal (a live summary by component, then the whole tree) and, where nothing can
be redrawn, reports one line per finished change. It starts no engine and prints nothing itself.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pulumi.automation import EngineEvent
from pulumi.automation.events import OpType, StepEventMetadata
from rich.console import Group
from rich.spinner import Spinner
from rich.text import Text
from rich.tree import Tree

NAMED_AT_ONCE = 3
COLOUR_TAG = re.compile(r"<\{%.*?%\}>")
STACK_TYPE = "pulumi:pulumi:Stack"
UNCHANGED = frozenset({OpType.SAME, OpType.READ, OpType.REFRESH})
SIGNS = {
    OpType.CREATE: ("+", "green"),
    OpType.UPDATE: ("~", "yellow"),
    OpType.DELETE: ("-", "red"),
    OpType.REPLACE: ("±", "magenta"),
    OpType.CREATE_REPLACEMENT: ("±", "magenta"),
    OpType.DELETE_REPLACED: ("-", "red"),
}
OTHER_SIGN = (" ", "dim")
FAILED_SIGN = ("✗", "bold red")


@dataclass
class Resource:
    """What the engine has said about one resource so far."""

    urn: str
    type: str
    parent: str
    operation: OpType
    component: bool = False
    """Whether it only groups others."""
    finished: bool = False
    failed: bool = False

    @property
    def name(self) -> str:
        """The last part of the URN."""
        return self.urn.rsplit("::", 1)[-1]

    def line(self) -> Text:
        """Sign, short type and name: one line for people."""
        sign, style = FAILED_SIGN if self.failed else SIGNS.get(self.operation, OTHER_SIGN)
        return Text.assemble((f"{sign} ", style), (short_type(self.type), "dim"), " ", self.name)


@dataclass
class Progress:
    """Collects the engine's events, which come from another thread, and draws them."""

    report: Callable[[Text], None] | None = None
    """Called with a line for each finished change, where nothing can be redrawn."""
    resources: dict[str, Resource] = field(default_factory=dict[str, Resource])
    errors: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])
    changes: Counter[str] = field(default_factory=Counter[str])
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    def __call__(self, event: EngineEvent) -> None:
        """Take one event of the engine's stream."""
        with self.lock:
            if event.resource_pre_event:
                self._started(event.resource_pre_event.metadata)
            elif event.res_outputs_event:
                self._finished(event.res_outputs_event.metadata)
            elif event.res_op_failed_event:
                self._finished(event.res_op_failed_event.metadata, failed=True)
            elif event.diagnostic_event:
                self._said(event.diagnostic_event.severity, event.diagnostic_event.message)
            elif event.summary_event:
                self.changes.update(
                    {
                        OpType(kind).value: n
                        for kind, n in event.summary_event.resource_changes.items()
                    }
                )
            elif event.cancel_event:
                self.ended.set()

    @property
    def changed(self) -> int:
        """How many resources the engine says that it changed."""
        return sum(n for kind, n in self.changes.items() if OpType(kind) not in UNCHANGED)

    def __rich__(self) -> Group:
        """Draw the components with how far each is, and a line for the whole."""
        with self.lock:
            done = sum(resource.finished for resource in self.resources.values())
            self.spinner.update(text=f"{done} of {len(self.resources)} resources so far")
            return Group(self.spinner, self._tree(summary=True))  # a short terminal cuts the end

    def tree(self) -> Tree:
        """Draw every resource under its parent."""
        with self.lock:
            return self._tree(summary=False)

    def _started(self, step: StepEventMetadata) -> None:
        state = step.new or step.old
        parent = state.parent if state else ""
        component = not (state and state.custom)
        self.resources[step.urn] = Resource(step.urn, step.type, parent, step.op, component)

    def _finished(self, step: StepEventMetadata, *, failed: bool = False) -> None:
        if step.urn not in self.resources:
            self._started(step)
        resource = self.resources[step.urn]
        resource.finished, resource.failed = True, failed
        if self.report and (failed or resource.operation not in UNCHANGED):
            self.report(resource.line())

    def _said(self, severity: str, message: str) -> None:
        text = COLOUR_TAG.sub("", message).strip()
        if text and severity == "error":
            self.errors.append(text)
        elif text and severity == "warning":
            self.warnings.append(text)

    def _tree(self, *, summary: bool) -> Tree:
        children: dict[str, list[Resource]] = {}
        for resource in self.resources.values():
            known = resource.parent if resource.parent in self.resources else ""
            children.setdefault(known, []).append(resource)
        roots = children.get("", [])
        stack = next((root for root in roots if root.type == STACK_TYPE), None)
        tree = Tree(stack.line() if stack else Text("waiting for the program …"))
        others = [root for root in roots if root is not stack]
        for resource in [*others, *(children.get(stack.urn, []) if stack else [])]:
            _grow(tree, resource, children, summary=summary)
        return tree


def short_type(token: str) -> str:
    """Shorten `aws:ec2/vpc:Vpc` to `aws:ec2:Vpc`."""
    package, *module, name = token.split(":")
    return ":".join([package, *(part.split("/")[0] for part in module), name])


def _grow(
    branch: Tree, resource: Resource, children: dict[str, list[Resource]], *, summary: bool
) -> None:
    if summary and not resource.component:
        return
    label = resource.line()
    if summary:
        inside = [each for each in _descendants(resource, children) if not each.component]
        working = [each.name for each in inside if not each.finished]
        label.append(f"  {len(inside) - len(working)}/{len(inside)}", "bold")
        more = " …" if len(working) > NAMED_AT_ONCE else ""
        label.append(f"  {', '.join(working[:NAMED_AT_ONCE])}{more}", "cyan")
    grown = branch.add(label)
    for child in children.get(resource.urn, []):
        _grow(grown, child, children, summary=summary)


def _descendants(resource: Resource, children: dict[str, list[Resource]]) -> list[Resource]:
    below = children.get(resource.urn, [])
    return [*below, *(leaf for child in below for leaf in _descendants(child, children))]
