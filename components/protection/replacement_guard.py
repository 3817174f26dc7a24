"""Refuses, already in the preview, an update that would replace or delete what bears data.

A `pulumi.Stash` beside each such resource remembers the inputs whose change replaces it. If they
differ from the last ones, the stash's hook fails, and so the resource, which depends on the stash,
is not touched. One more stash remembers which resources there are, Pulumi's options that keep each
of them, which a review compares, and what `components/protection/release_guard.py` wants to know.

What the program wants is compared there, and nowhere else: the engine does not compare these inputs
again, or what AWS has changed by itself, or a snapshot has brought, would replace the resource
though nobody asked for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import pulumi
from pulumi.output import Unknown
from pydantic.alias_generators import to_camel

from langfuse_aws.components.protection.release_guard import ReleaseGuard
from langfuse_aws.components.shared.stored_secret import RotatedPassword
from langfuse_aws.graph.resource_types import RESOURCE_TYPES

REPLACEMENT_INPUTS: Final[Mapping[str, frozenset[str]]] = {
    token: facts.replaced_by
    for token, facts in RESOURCE_TYPES.items()
    if facts.bears != "nothing" and facts.replaced_by
}
"""Types that bear data, or a key that data needs, and the inputs whose change replaces them. What a
store begins with is in INITIAL_INPUTS."""

INITIAL_INPUTS: Final[Mapping[str, Sequence[str]]] = {
    token: facts.begins_with for token, facts in RESOURCE_TYPES.items() if facts.begins_with
}
"""Inputs that count when a store is made, and never again, unless its replacement is allowed."""

GROWING: Final[Mapping[str, Mapping[str, str]]] = {
    "aws:ebs/volume:Volume": {
        "size": "EBS makes no volume smaller; only one that begins with another snapshot may be."
    },
    "langfuse:index:Network": dict.fromkeys(
        ("network.privateSubnetIds", "network.zones"),
        "PostgreSQL and Valkey may lie in the private subnets that would go, and AWS takes no "
        "subnet in use away from them.",
    ),
}
"""Inputs that may get more and not less, by type, and why."""

DELETIONS: Final[Mapping[str, str]] = {
    "aws:ebs/volume:Volume": "A ClickHouse with another number of servers begins on empty volumes, "
    "because its tables are of another kind: back up, deploy another stack and restore there "
    "(docs/operations.md, ClickHouse with three servers).",
}
"""What to say besides of a resource that would be deleted."""

AFTERWARDS: Final[Mapping[str, str]] = {
    "langfuse:index:Encryption": "What the key has encrypted stays so, and the stack's roles may "
    "decrypt it no longer (docs/operations.md, Another key, or none).",
}
"""What becomes of the data, by type, where nothing is replaced by an empty one."""

REMEDIES: Final[Mapping[str, str]] = {
    # Neither does a VPC become another one, nor a store move into another VPC, whatever is allowed.
    "langfuse:index:Network": "Take the change back; or make another stack with it, and restore "
    "the data there (docs/operations.md, Restoring).",
}
"""What to do about a refusal, by type, where no name in `langfuse:allowReplace` helps."""

REFUSED: Final = "refused"
"""In a preview's list of what there is: something was refused, and the list's hook tells it."""

IN_CONFIGURATION: Final = "pulumi config set --path 'langfuse:allowReplace[0]' {}"
"""How to allow the replacement of a resource where the settings are a stack's configuration."""


class ReplacementGuard:
    """Watches what is made with its `options`, and all below that, until `close`.

    `how_to_allow` has `{}` where the name of a resource belongs.
    """

    def __init__(
        self, name: str, allowed: Sequence[str], how_to_allow: str = IN_CONFIGURATION
    ) -> None:
        self._stores = f"{name}-stores"
        self._release: ReleaseGuard | None = None
        self._allowed = frozenset(allowed)
        self._how_to_allow = how_to_allow
        self._guarded: dict[str, tuple[str, str]] = {}
        self._keeping: dict[tuple[str, str], list[str]] = {}
        self._previews = pulumi.runtime.is_dry_run()
        self._stashes: list[pulumi.Stash] = []
        self._refused: list[str] = []
        self._closed = False
        self._hook = pulumi.ResourceHook(
            f"{name}-replacement-guard", self._check, pulumi.ResourceHookOptions(on_dry_run=True)
        )

    def options(self, parent: pulumi.Resource | None) -> pulumi.ResourceOptions:
        """Give the options of a component whose children are to be guarded."""
        return pulumi.ResourceOptions(parent=parent, transformations=[self._guard])

    def remember(
        self, component: pulumi.ComponentResource, name: str, value: Mapping[str, Any]
    ) -> pulumi.Resource:
        """Guard what a component makes in another process; it must depend on what is returned."""
        kind = component.pulumi_resource_type
        label = f"{name}-{kind.rpartition(':')[2].lower()}"
        self._guarded[label] = (kind, name)
        return self._stash(label, value, component)

    def close(self, parent: pulumi.Resource, release: ReleaseGuard) -> pulumi.Resource:
        """End: every store is made, and what is missing now would be deleted.

        What is made afterwards bears no data, and may come and go. What brings data to another
        release must depend on what is returned.
        """
        self._closed = True
        self._release = release
        there = {
            " ".join(resource): self._keeping.get(resource, True)
            for resource in sorted(self._guarded.values())
        }
        value = {**there, **release.remembered}
        return self._stash(self._stores, self._with_refusals(value), parent)

    def _with_refusals(self, value: Mapping[str, Any]) -> Any:
        """In a preview the value once every other hook was called, other than before if one spoke.

        The engine ends a preview at the first hook that fails
        (https://github.com/pulumi/pulumi/blob/v3.250.0/pkg/resource/deploy/step_executor.go), so
        there only the last one does, and tells everything. It waits without depending on them: the
        engine holds an update to the dependencies of its preview, and an update waits for nobody.
        """
        if not self._previews:
            return value
        called = pulumi.Output.all(*(stash.urn for stash in self._stashes))

        async def told() -> dict[str, Any]:
            await called.future()
            return {**value, **({REFUSED: True} if self._refused else {})}

        return told()

    def _stash(self, name: str, value: Any, parent: pulumi.Resource | None) -> pulumi.Stash:
        hooks = pulumi.ResourceHookBinding(before_update=[self._hook])
        stash = pulumi.Stash(
            name, input=value, opts=pulumi.ResourceOptions(parent=parent, hooks=hooks)
        )
        self._stashes.append(stash)
        return stash

    def _guard(
        self, args: pulumi.ResourceTransformationArgs
    ) -> pulumi.ResourceTransformationResult | None:
        if self._closed or args.type_ not in REPLACEMENT_INPUTS:
            return None
        if isinstance(args.resource, RotatedPassword):
            return None
        # A bucket and its key have the same name.
        label = f"{args.name}-{args.type_.rpartition(':')[2].lower()}"
        self._guarded[label] = (args.type_, args.name)
        options = {"protect": args.opts.protect, "retainOnDelete": args.opts.retain_on_delete}
        self._keeping[args.type_, args.name] = [key for key, value in options.items() if value]
        replacing = {to_camel(key): key for key in sorted(REPLACEMENT_INPUTS[args.type_])}
        growing = {to_camel(key): key for key in GROWING.get(args.type_, ())}
        value: dict[str, Any] = {
            name: args.props[key]
            for name, key in {**replacing, **growing}.items()
            if args.props.get(key) is not None
        }
        compared = sorted(value.keys() & replacing.keys())
        if args.opts.ignore_changes:
            # By adoption.py: no longer adopted, it would get what the program gives it.
            value = {"langfuse:adopted": True}
        more = pulumi.ResourceOptions(depends_on=[self._stash(label, value, args.opts.parent)])
        if args.name in self._allowed:
            more.protect = False
        else:
            more.ignore_changes = [*INITIAL_INPUTS.get(args.type_, ()), *compared]
        return pulumi.ResourceTransformationResult(
            props=args.props, opts=pulumi.ResourceOptions.merge(args.opts, more)
        )

    def _check(self, args: pulumi.ResourceHookArgs) -> None:
        old: dict[str, Any] = (args.old_inputs or {}).get("input") or {}
        new: dict[str, Any] = (args.new_inputs or {}).get("input") or {}
        if args.name == self._stores and self._release is not None:
            gone = [resource.split() for resource in sorted(set(old) - set(new))]
            lines = sorted(self._refused)
            lines += [
                f"{_deleted(kind, name)} {self._remedy(kind, name)}"
                for kind, name in gone
                if name not in self._allowed
            ]
            lines += self._release.faults(old)
        else:
            kind, name = self._guarded[args.name]
            growing = GROWING.get(kind, {})
            lines = [
                f"{_changed(kind, name, key, old.get(key), new.get(key))} "
                f"{self._remedy(kind, name, key)}"
                for key in sorted({*old, *new})
                if name not in self._allowed
                and old.get(key) != new.get(key)
                and not (key in growing and _grows(old.get(key), new.get(key)))
            ]
            if self._previews:
                self._refused += lines
                return
        if lines:
            raise pulumi.RunError("\n".join(lines))

    def _remedy(self, kind: str, name: str, key: str = "") -> str:
        if kind in REMEDIES:
            return REMEDIES[kind]
        meant = "if you mean it, take a snapshot"
        if key in GROWING.get(kind, {}):
            meant = "if it is to begin with another snapshot, name that in clickhouse.snapshotId,"
        return (
            f"Take the change back; or, {meant} and allow it by name: "
            f"{self._how_to_allow.format(name)}"
        )


def _grows(old: Any, new: Any) -> bool:
    """Whether nothing of the old is missing in the new; what is new or gone altogether is not."""
    if isinstance(old, list) and isinstance(new, list):
        return all(each in new for each in cast("list[Any]", old))
    return old is None or (new is not None and new >= old)


def _changed(kind: str, name: str, key: str, old: Any, new: Any) -> str:
    change = f"{key} changes from {_shown(old)} to {_shown(new)}."
    if key in GROWING.get(kind, {}):
        return f"{name} ({kind}) cannot shrink: {change} {GROWING[kind][key]}"
    if kind in AFTERWARDS:
        return f"{name} ({kind}) would be another one: {change} {AFTERWARDS[kind]}"
    return f"{name} ({kind}) would be replaced by an empty one: {change}"


def _shown(value: Any) -> str:
    if isinstance(value, Unknown):
        return "what only the update itself will tell"
    # The engine knows no integers.
    return repr(int(value) if isinstance(value, float) else value)


def _deleted(kind: str, name: str) -> str:
    hints = [f" {found[kind]}" for found in (DELETIONS, AFTERWARDS) if kind in found]
    return f"{name} ({kind}) would be deleted: this configuration no longer has it.{''.join(hints)}"
