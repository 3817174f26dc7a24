"""What `pulumi preview --json` printed, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from langfuse_aws.graph.model import Resource, ResourceGraph

UNCHANGED: Final = frozenset({"same", "read", "refresh"})
"""Operations that change nothing."""
HALVES: Final = frozenset({"create-replacement", "delete-replaced", "discard-replaced"})
"""A replacement's own steps, beside the `replace`."""


@dataclass(frozen=True)
class Step:
    """What would be done to one resource."""

    operation: str
    """In Pulumi's words: `create`, `update`, `replace`, `delete` …"""
    urn: str
    old: Resource | None
    new: Resource | None
    changed: Mapping[str, str]
    """How each changed property differs, by its path: `add`, `update`, `delete`, and the same with
    `-replace` where that replaces the resource."""
    compared_with_outputs: frozenset[str] = field(default_factory=frozenset[str])
    """Paths at which the provider has compared with what AWS has told, not with the last inputs."""

    @property
    def resource(self) -> Resource:
        """The resource as it will be, or, if it goes, as it was."""
        found = self.new or self.old
        if not found:
            raise ValueError(f"{self.operation} of {self.urn} has neither state")
        return found


@dataclass(frozen=True)
class Preview:
    """What an update would do."""

    steps: tuple[Step, ...]
    """Resources that would change; a replacement is one step."""
    graph: ResourceGraph
    """The resources as they would be."""
    changes: Mapping[str, int]
    """How many resources have what done to them, those that stay included."""
    seconds: float

    @property
    def touched(self) -> tuple[Resource, ...]:
        """Every resource that an update has to do with: those there will be, and those that go."""
        gone = (each.old for each in self.steps if each.operation == "delete" and each.old)
        return (*self.graph.resources, *gone)

    @classmethod
    def of(
        cls, printed: Mapping[str, Any], seconds: float, before: ResourceGraph | None = None
    ) -> "Preview":
        """Read what `pulumi preview --json` printed; `before` is what is deployed."""
        told = [
            Step(
                operation=step["op"],
                urn=step["urn"],
                old=Resource.of(step["oldState"]) if step.get("oldState") else None,
                new=Resource.of(step["newState"]) if step.get("newState") else None,
                changed=_kinds(step),
                compared_with_outputs=frozenset(
                    path for path, change in _detailed(step).items() if not change.get("inputDiff")
                ),
            )
            for step in printed["steps"]
            if step["op"] not in UNCHANGED | HALVES
        ]
        return cls(
            steps=tuple(told),
            graph=ResourceGraph.of_preview(printed, before),
            changes=printed["changeSummary"],
            seconds=seconds,
        )


def _detailed(step: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    return step.get("detailedDiff") or {}


def _kinds(step: Mapping[str, Any]) -> dict[str, str]:
    if detailed := _detailed(step):
        return {path: change["kind"] for path, change in detailed.items()}
    # The engine's own resources, and old providers, say which properties differ and no more.
    replacing = cast("list[str]", step.get("replaceReasons") or [])
    differing = cast("list[str]", step.get("diffReasons") or [])
    return {
        path: "update-replace" if path in replacing else "update"
        for path in dict.fromkeys([*differing, *replacing])
    }
