"""Keeps what `pulumi import` has brought in: an adopted store stays what it was made with.

An imported resource has names and other inputs of its former owner's. The program would replace it
for them: Pulumi takes an imported name for one that the program has taken back
(https://github.com/pulumi/pulumi/issues/9210). So the inputs whose change replaces an adopted store
are not compared, and one that is not in the stack's state yet is refused, not made. A preview only
warns of that: offline, nothing is ever there.

It imports nothing: `python3 -m automation import` writes the file for `pulumi import`.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import pulumi
from pydantic.alias_generators import to_camel

from langfuse_aws.graph.resource_types import RESOURCE_TYPES
from langfuse_aws.settings.model import AdoptedStore


class Adoptable(NamedTuple):
    """What `pulumi import` can bring in of a store."""

    store: str
    """Its resource that bears the data."""
    beside: str | None = None
    """What belongs to it, and may be made as well."""


ADOPTABLE: Final[Mapping[AdoptedStore, Adoptable]] = {
    "postgres": Adoptable("aws:rds/cluster:Cluster", "aws:rds/clusterInstance:ClusterInstance"),
    "redis": Adoptable("aws:elasticache/replicationGroup:ReplicationGroup"),
    "storage": Adoptable("aws:s3/bucket:Bucket"),
}

CREATION_INPUTS: Final[Mapping[str, frozenset[str]]] = {
    token: facts.replaced_by for token, facts in RESOURCE_TYPES.items() if facts.replaced_by
} | {
    # Its minor version is its own: the program names a major, and AWS would pick the minor.
    "aws:rds/cluster:Cluster": RESOURCE_TYPES["aws:rds/cluster:Cluster"].replaced_by
    | {"engine_version"},
}


class Adoption:
    """Watches what is made with its `options`, and all below that, before the guard does.

    `allowed` names what may be replaced all the same: it is treated like any other.
    """

    def __init__(self, name: str, adopted: Sequence[AdoptedStore], allowed: Sequence[str]) -> None:
        self._stores: dict[tuple[str, str], AdoptedStore] = {
            (ADOPTABLE[store].store, f"{name}-{store}"): store
            for store in adopted
            if f"{name}-{store}" not in allowed
        }
        self._beside = {
            (ADOPTABLE[store].beside, f"{name}-{store}") for store in self._stores.values()
        }
        self._hook = pulumi.ResourceHook(
            f"{name}-adoption", self._refuse, pulumi.ResourceHookOptions(on_dry_run=True)
        )

    def options(self) -> pulumi.ResourceOptions:
        """Give the options of a component whose children may be adopted."""
        return pulumi.ResourceOptions(transformations=[self._keep])

    def _keep(
        self, args: pulumi.ResourceTransformationArgs
    ) -> pulumi.ResourceTransformationResult | None:
        whole = (args.type_, args.name) in self._stores
        if not whole and (args.type_, args.name.rpartition("-")[0]) not in self._beside:
            return None
        made_with = CREATION_INPUTS[args.type_]
        # Of a name and its prefix the provider takes only one.
        prefixes = {each for each in made_with if each.endswith("_prefix")}
        props = {key: value for key, value in args.props.items() if key not in prefixes}
        more = pulumi.ResourceOptions(
            ignore_changes=sorted(to_camel(each) for each in made_with - prefixes)
        )
        if whole:
            more.hooks = pulumi.ResourceHookBinding(before_create=[self._hook])
        return pulumi.ResourceTransformationResult(
            props, pulumi.ResourceOptions.merge(args.opts, more)
        )

    def _refuse(self, args: pulumi.ResourceHookArgs) -> None:
        said = (
            f"langfuse:adopted: {self._stores[args.type, args.name]}: an empty {args.name} "
            f"({args.type}) would be made, since this stack has imported none. Run pulumi import "
            "first (docs/migrate-from-terraform.md), or take it off the list."
        )
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(said)
        pulumi.log.warn(said)
