"""Pulumi's unit-test mocks with the same model of AWS as the offline providers.

Remote components have no children here; `awsx:ec2:Vpc` gives the ids that its children would
have. Default tags are told to who asks for them, and are not merged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import grpc
import pulumi

from langfuse_aws.offline import invokes, model, naming, random_values, read_back, services
from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.offline.vpc_layout import DEFAULT_BLOCK, KINDS, layout, zone_count
from langfuse_aws.offline.wire import is_secret, secret, without_secrets

Properties = dict[str, Any]

_PROVIDERS = "pulumi:providers:"
_VPC = "awsx:ec2:Vpc"
_FILES = (pulumi.Asset, pulumi.Archive)


@dataclass(frozen=True)
class Registration:
    """A resource that the program registered. `secrets` are the inputs that hold a secret."""

    type: str
    name: str
    inputs: Properties
    outputs: Properties
    id: str
    custom: bool
    secrets: frozenset[str]


class OfflineMocks(pulumi.runtime.Mocks):
    """Answers as AWS would, and keeps a record of what was registered."""

    def __init__(
        self,
        region: str = DEFAULT_REGION,
        default_tags: Mapping[str, str] | None = None,
        snapshots: Mapping[str, Mapping[str, Any]] = {},
    ) -> None:
        """`snapshots` has what is special about some, by their ID."""
        self.registrations: list[Registration] = []
        self._registered: set[tuple[str, str]] = set()
        self._snapshots = snapshots
        self._region = region
        self._default_tags = default_tags or {}
        self._provider_regions: dict[str, str] = {}

    def of_type(self, token: str) -> list[Registration]:
        """Every registration of a type."""
        return [found for found in self.registrations if found.type == token]

    def one(self, token: str, name: str | None = None) -> Registration:
        """The only registration of a type, or the one with a name."""
        found = [item for item in self.of_type(token) if name in (None, item.name)]
        if len(found) != 1:
            names = [item.name for item in self.of_type(token)]
            message = f"not one but {len(found)} of {token} {name or ''}; there are {names}"
            raise LookupError(message)
        return found[0]

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, Properties]:
        """The id and the outputs of a new resource."""
        if (args.typ, args.name) in self._registered:
            message = f"{args.typ} {args.name!r} is registered twice"
            raise ValueError(message)
        self._registered.add((args.typ, args.name))
        given = cast("Properties", args.inputs)  # pyright: ignore[reportUnknownMemberType]
        inputs = cast("Properties", without_assets(without_secrets(given)))
        resource_id, outputs = self._created(args, inputs)
        secrets = frozenset(key for key, value in given.items() if is_secret(value))
        self.registrations.append(
            Registration(
                args.typ, args.name, inputs, outputs, resource_id, bool(args.custom), secrets
            )
        )
        hidden = random_values.SECRET_OUTPUTS.get(args.typ, frozenset())
        marked = {key: secret(outputs[key]) for key in hidden}
        unchanged = secrets | {key for key, value in given.items() if isinstance(value, _FILES)}
        return resource_id, {**outputs, **marked, **{key: given[key] for key in unchanged}}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[Properties, list[tuple[str, str]]]:
        """The answer of a data source."""
        arguments = cast("Properties", args.args)  # pyright: ignore[reportUnknownMemberType]
        existing = (
            read_back.Running(each.type, each.outputs, services.program(each.type, each.outputs))
            for each in self.registrations
        )
        try:
            if (found := read_back.answer(args.token, arguments, existing)) is not None:
                return found, []
            region = self._region_of(args.provider)
            answer = invokes.invoke(
                args.token, arguments, region, self._default_tags, self._snapshot
            )
            return answer, []
        except ValueError as error:
            raise _InvokeError(str(error)) from error

    def _snapshot(self, kind: str, snapshot_id: str) -> Mapping[str, Any] | None:
        return self._snapshots.get(snapshot_id) or invokes.usual_snapshot(kind, snapshot_id)

    def _created(
        self, args: pulumi.runtime.MockResourceArgs, inputs: Properties
    ) -> tuple[str, Properties]:
        token, name, region = args.typ, args.name, self._region_of(args.provider)
        if token.startswith(_PROVIDERS):
            self._provider_regions[f"{name}-id"] = inputs.get("region") or self._region
            return f"{name}-id", inputs
        if token == _VPC and inputs:  # without any it is the component that awsx itself registers
            return name, vpc_outputs(name, inputs, region)
        if token.startswith("random:"):
            return random_values.create(token, name, inputs, predictable=True)
        if token.startswith("aws:"):
            seed = f"{token} {name}".encode()
            return model.create(
                token, name, naming.named(token, name, inputs, random_seed=seed), region
            )
        return name, inputs

    def _region_of(self, provider: str | None) -> str:
        provider_id = (provider or "").rpartition("::")[2]
        return self._provider_regions.get(provider_id, self._region)


class _InvokeError(grpc.RpcError):
    """How the engine tells a program that a data source has no answer."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self)


def without_assets(value: Any) -> Any:
    """The value with files and archives as dicts, as a provider gets them."""
    if isinstance(value, _FILES):
        return without_assets(vars(value))
    if isinstance(value, dict):
        return {key: without_assets(item) for key, item in cast("Properties", value).items()}
    if isinstance(value, list):
        return [without_assets(item) for item in cast("list[Any]", value)]
    return value


def vpc_outputs(name: str, arguments: Properties, region: str) -> Properties:
    """The ids of what an `awsx:ec2:Vpc` consists of."""
    zones = arguments.get("availabilityZoneNames")
    zones = zones or invokes.zone_names(region)[: zone_count(arguments)]
    plan = layout(name, arguments, zones)
    vpc_inputs = {"cidrBlock": arguments.get("cidrBlock") or DEFAULT_BLOCK}
    vpc_id, _ = model.create("aws:ec2/vpc:Vpc", name, vpc_inputs, region)
    outputs: Properties = {"vpcId": vpc_id}
    for kind in KINDS:
        outputs[f"{kind}SubnetIds"] = [
            model.create(
                "aws:ec2/subnet:Subnet",
                subnet.name,
                {"vpcId": vpc_id, "cidrBlock": subnet.cidr_block, "availabilityZone": subnet.zone},
                region,
            )[0]
            for subnet in plan.of_kind(kind)
        ]
    return outputs
