"""The resource graph of a stack: what an engine planned or deployed, as data.

It is read from `pulumi preview --json` or from an exported state, whose entries have the same form
(https://pkg.go.dev/github.com/pulumi/pulumi/sdk/v3/go/common/apitype#ResourceV3). Nothing here
starts an engine or asks AWS.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, cast

SECRET: Final = "[secret]"  # noqa: S105
"""Stands for a value that is secret."""

UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Pulumi's mark of a value that only an update knows. Importing it would load the whole SDK."""
STACK_TYPE: Final = "pulumi:pulumi:Stack"
_PROVIDERS: Final = "pulumi:providers:"
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105


@dataclass(frozen=True)
class Resource:
    """One resource or component. Names of properties are the wire's, in camelCase."""

    urn: str
    type: str
    """The type token, such as `aws:ecs/service:Service`."""
    parent: str = ""
    """URN of the resource that it belongs to; empty for the stack itself."""
    custom: bool = True
    """Whether a provider makes it; components only group others."""
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Empty in a preview for what will be created."""
    protect: bool = False
    retain_on_delete: bool = False
    """Whether AWS keeps it when Pulumi deletes it."""
    origins: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """By input, the URNs of the resources that its value comes from."""
    id: str = ""
    """Empty in a preview for what will be created, and of components."""
    replaced: bool = False
    """Whether another one has taken its place, and its deletion is still to come."""

    @property
    def name(self) -> str:
        """The last part of the URN."""
        return self.urn.rsplit("::", 1)[-1]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Resource":
        """Read an entry of a preview or a state."""
        return cls(
            urn=entry["urn"],
            type=entry["type"],
            parent=entry.get("parent") or "",
            custom=bool(entry.get("custom")),
            inputs=_readable(entry.get("inputs") or {}),
            outputs=_readable(entry.get("outputs") or {}),
            protect=bool(entry.get("protect")),
            retain_on_delete=bool(entry.get("retainOnDelete")),
            origins=entry.get("propertyDependencies") or {},
            id=entry.get("id") or "",
            replaced=bool(entry.get("delete")),
        )


@dataclass(frozen=True)
class ResourceGraph:
    """The resources of one stack, without providers and without what is about to be deleted."""

    resources: tuple[Resource, ...]

    @classmethod
    def of_preview(
        cls, preview: Mapping[str, Any], before: "ResourceGraph | None" = None
    ) -> "ResourceGraph":
        """Read what `pulumi preview --json` printed: the resources as they will be.

        It leaves out those that stay as they are, which `before` has.
        """
        found = {each.urn: each for each in before.resources} if before else {}
        for step in preview["steps"]:
            if step["op"] == "delete":
                found.pop(step["urn"], None)
            elif step.get("newState"):
                found[step["urn"]] = Resource.of(step["newState"])
        return cls(_without_providers(found.values()))

    @classmethod
    def of_state(cls, exported: Mapping[str, Any]) -> "ResourceGraph":
        """Read the `deployment` of an exported stack: the resources as they are."""
        entries = cast("list[dict[str, Any]]", exported.get("resources") or [])
        found = map(Resource.of, entries)
        return cls(_without_providers(each for each in found if not each.replaced))

    @cached_property
    def _by_urn(self) -> Mapping[str, Resource]:
        return {each.urn: each for each in self.resources}

    @cached_property
    def _children(self) -> Mapping[str, Sequence[Resource]]:
        found: dict[str, list[Resource]] = {}
        for each in self.resources:
            found.setdefault(each.parent, []).append(each)
        return found

    def __getitem__(self, urn: str) -> Resource:
        return self._by_urn[urn]

    def __contains__(self, urn: str) -> bool:
        return urn in self._by_urn

    def of_type(self, token: str) -> list[Resource]:
        """Every resource of a type."""
        return [each for each in self.resources if each.type == token]

    def children(self, resource: Resource) -> Sequence[Resource]:
        """What belongs to a resource directly."""
        return self._children.get(resource.urn, ())

    def component(self, resource: Resource) -> Resource | None:
        """The component that a resource belongs to directly or through others; or None."""
        parent = self._by_urn.get(resource.parent)
        while parent and (parent.custom or parent.type == STACK_TYPE):
            parent = self._by_urn.get(parent.parent)
        return parent

    def components(self, resource: Resource) -> list[Resource]:
        """Every component around a resource, the outermost first."""
        around: list[Resource] = []
        component = self.component(resource)
        while component:
            around.insert(0, component)
            component = self.component(component)
        return around

    def origins(self, resource: Resource, property_name: str, token: str) -> list[Resource]:
        """The resources of a type that an input's value comes from.

        In a preview, where the value is unknown, this is what tells which resource is meant.
        """
        urns = resource.origins.get(property_name) or ()
        return [self[urn] for urn in urns if urn in self and self[urn].type == token]


def _without_providers(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    return tuple(each for each in resources if not each.type.startswith(_PROVIDERS))


def has_unknown(value: Any) -> bool:
    """Whether only the update will tell a value, a part of it, or a part of a text in it.

    The mark of that is Pulumi's UNKNOWN. A preview has many, and a JSON document may hold one.
    """
    if isinstance(value, str):
        return UNKNOWN in value
    if isinstance(value, Mapping):
        return any(map(has_unknown, cast("Mapping[str, Any]", value).values()))
    return isinstance(value, list) and any(map(has_unknown, cast("list[Any]", value)))


def _readable(value: Any) -> Any:
    """Put SECRET where a state has a secret, encrypted or not."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        if items.get(_SIGNATURE) == _SECRET_SIGNATURE:
            return SECRET
        return {key: _readable(item) for key, item in items.items()}
    if isinstance(value, list):
        return [_readable(item) for item in cast("list[Any]", value)]
    return value
