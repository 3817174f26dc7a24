"""The guard of what bears data: what it watches, and what its hook says when it is called.

That the engine calls the hook, in a preview too, and stops at its error, is proven by tests/engine.
"""

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

import pulumi
import pulumi_aws as aws
import pulumi_random as random
import pytest
from pulumi.output import Unknown
from pydantic.alias_generators import to_camel

from langfuse_aws.components.protection.release_guard import MAJOR, WRITE_MODE, ReleaseGuard
from langfuse_aws.components.protection.replacement_guard import (
    GROWING,
    INITIAL_INPUTS,
    REPLACEMENT_INPUTS,
    ReplacementGuard,
)
from langfuse_aws.offline.catalog import TYPES
from langfuse_aws.offline.mocks import OfflineMocks, Properties, Registration
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.versions import LANGFUSE
from tests.unit.stack_graph import Graph, build, shipped

STASH = "pulumi:index:Stash"
BUCKET = "aws:s3/bucket:Bucket"
CLUSTER = "aws:rds/cluster:Cluster"
NETWORK = "langfuse:index:Network"
VOLUME = "aws:ebs/volume:Volume"
VPC = "awsx:ec2:Vpc"
STACKS = ["dev", "prod"]
NOTHING: set[str] = set()
each_stack = pytest.mark.parametrize("stack", [*STACKS, "three servers"])

NEVER_USED: dict[str, frozenset[str]] = {
    # An ARN or a snapshot of another kind; INITIAL_INPUTS has the ones that are settings.
    "aws:elasticache/replicationGroup:ReplicationGroup": frozenset(
        {"snapshotArns", "snapshotName"}
    ),
    "aws:rds/cluster:Cluster": frozenset({"restoreToPointInTime", "s3Import"}),
    "aws:rds/instance:Instance": frozenset({"restoreToPointInTime", "s3Import"}),
}
"""Inputs that replace a resource, and that this program never sets."""


def graph_of(stack: str) -> Graph:
    """One of the stack files, or a stack with three servers and copies in a second region."""
    if stack in STACKS:
        return shipped(stack)
    return build(
        "prod",
        {
            "size": "prod",
            "domain": "langfuse.example.com",
            "clickhouse": {"replicas": 3},
            "backups": {"copyRegion": "eu-west-1", "vaultLock": True},
        },
    )


def guarded(graph: Graph) -> list[Registration]:
    """Logs are not data: their bucket may be replaced, and go."""
    return [
        each
        for each in graph.registrations
        if each.type in REPLACEMENT_INPUTS and not each.name.endswith("-access-logs")
    ]


def stash_of(graph: Graph, resource: Registration) -> Registration:
    """The stash of a resource; a bucket and its key have the same name."""
    return graph.one(STASH, f"{resource.name}-{resource.type.rsplit(':', 1)[-1].lower()}")


def camel(names: Sequence[str] | frozenset[str]) -> frozenset[str]:
    return frozenset(to_camel(name) for name in names)


# --- what is watched


@pytest.mark.parametrize(
    "token", [token for token in REPLACEMENT_INPUTS if token.startswith("aws:")]
)
def test_every_input_that_replaces_a_resource_is_watched(token: str) -> None:
    replacing = TYPES[token].replaced_by - set(INITIAL_INPUTS.get(token, ()))
    assert replacing - camel(REPLACEMENT_INPUTS[token]) == NEVER_USED.get(token, frozenset())


@pytest.mark.parametrize(
    ("token", "arguments"),
    [
        ("random:index/randomBytes:RandomBytes", random.RandomBytesArgs),
        ("random:index/randomPassword:RandomPassword", random.RandomPasswordArgs),
    ],
)
def test_every_input_of_a_random_value_is_watched(token: str, arguments: type) -> None:
    inputs = set(inspect.signature(arguments).parameters)
    assert inputs == REPLACEMENT_INPUTS[token], "each of them makes another value"


@each_stack
def test_nothing_uses_an_input_that_replaces_it_and_is_not_watched(stack: str) -> None:
    for each in guarded(graph_of(stack)):
        watched = camel(REPLACEMENT_INPUTS[each.type]) | set(INITIAL_INPUTS.get(each.type, ()))
        known = TYPES[each.type].replaced_by if each.type in TYPES else watched
        assert set(each.inputs) & (known | {"region"}) <= watched, each.name


@each_stack
def test_a_stash_remembers_what_would_replace_a_resource_that_depends_on_it(stack: str) -> None:
    graph = graph_of(stack)
    assert len({each.type for each in guarded(graph)}) >= 7
    for each in guarded(graph):
        stash = stash_of(graph, each)
        watched = camel(REPLACEMENT_INPUTS[each.type]) | set(GROWING.get(each.type, ()))
        expected = {key: value for key, value in each.inputs.items() if key in watched}
        assert stash.inputs == {"input": expected}, each.name
        urn = graph.urns[STASH, stash.name]
        assert urn in graph.options_of(each).dependencies, f"{each.name} would not wait"


def test_a_store_remembers_more_than_nothing() -> None:
    graph = graph_of("three servers")
    copies = graph.one("aws:backup/vault:Vault", "langfuse-prod-backups-copy")
    assert stash_of(graph, copies).inputs["input"] == {"region": "eu-west-1"}
    assert stash_of(graph, graph.one(VOLUME, "langfuse-prod-clickhouse-2")).inputs["input"] == {
        "availabilityZone": "us-east-1b",
        "encrypted": True,
        "size": 100,
    }
    assert stash_of(graph, graph.one(CLUSTER)).inputs["input"] == {
        "clusterIdentifierPrefix": "langfuse-prod-postgres-",
        "databaseName": "langfuse",
        "dbSubnetGroupName": graph.one("aws:rds/subnetGroup:SubnetGroup").outputs["name"],
        "engine": "aurora-postgresql",
        "engineMode": "provisioned",
        "masterUsername": "langfuse",
        "storageEncrypted": True,
    }


@pytest.mark.parametrize("stack", STACKS)
def test_the_network_is_watched_before_the_vpc_is_touched(stack: str) -> None:
    graph = shipped(stack)
    stash = graph.one(STASH, f"langfuse-{stack}-network")
    zones = {"dev": 2, "prod": 3}[stack]
    assert stash.inputs == {"input": {"network.cidr": "10.0.0.0/16", "network.zones": zones}}
    assert graph.urns[STASH, stash.name] in graph.options_of(graph.one(VPC)).dependencies


@pytest.mark.parametrize("stack", STACKS)
def test_one_stash_remembers_which_stores_there_are(stack: str) -> None:
    graph = shipped(stack)
    stores = {f"{each.type} {each.name}" for each in guarded(graph)}
    keeping = {"dev": [], "prod": ["protect"]}[stack]
    volume = {"dev": [], "prod": ["protect", "retainOnDelete"]}[stack]
    assert graph.one(STASH, f"langfuse-{stack}-stores").inputs["input"] == {
        **dict.fromkeys(stores, keeping),
        f"{VOLUME} langfuse-{stack}-clickhouse": volume,
        f"{NETWORK} langfuse-{stack}": True,
        MAJOR: 4,
        WRITE_MODE: "events_only",
    }


# --- what is allowed


ALLOWED = {"langfuse-dev-postgres", "langfuse-dev-salt"}


@cache
def allowing() -> Graph:
    """A protected stack that may replace its database and one of its keys."""
    return build(
        "dev",
        {
            "size": "dev",
            "deletionProtection": True,
            "allowReplace": sorted(ALLOWED),
            "clickhouse": {
                "mode": "external",
                "url": "https://abc.clickhouse.cloud:8443",
                "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
            },
            "clickhousePassword": "x",
            "redis": {"mode": "external", "host": "cache.example.com"},
            "redisPassword": "x",
        },
    )


def test_only_what_is_allowed_by_name_loses_its_protection() -> None:
    for graph, allowed in ((shipped("prod"), NOTHING), (allowing(), ALLOWED)):
        lost = {each.name for each in guarded(graph) if not graph.options_of(each).protect}
        assert lost == allowed, "the other keys are made with the same options"


def test_the_engine_compares_nothing_that_would_replace_a_store_unless_that_is_allowed() -> None:
    for graph, allowed in ((shipped("prod"), NOTHING), (allowing(), ALLOWED)):
        for each in guarded(graph):
            remembered = stash_of(graph, each).inputs["input"].keys() & camel(
                REPLACEMENT_INPUTS[each.type]
            )
            expected = {*INITIAL_INPUTS.get(each.type, ()), *remembered}
            assert graph.options_of(each).ignore_changes == (
                NOTHING if each.name in allowed else expected
            ), f"{each.name}: AWS may have changed it, or its snapshot have had it"


CHANGED_BY_AWS = {"allocatedStorage", "engineVersion"}
"""What AWS raises by itself, and does not lower again."""


@pytest.mark.parametrize("token", INITIAL_INPUTS)
def test_nothing_is_ignored_that_would_not_replace_a_store_or_that_aws_leaves_alone(
    token: str,
) -> None:
    assert set(INITIAL_INPUTS[token]) - CHANGED_BY_AWS <= TYPES[token].replaced_by


def test_what_keeps_a_store_is_remembered_though_it_may_be_replaced() -> None:
    remembered = allowing().one(STASH, "langfuse-dev-stores").inputs["input"]
    stores = [f"{each.type} {each.name}" for each in guarded(allowing()) if each.name in ALLOWED]
    assert [remembered[each] for each in stores] == [["protect"]] * len(ALLOWED)
    call("langfuse-dev-stores", THERE, {each: ["protect"] for each in THERE})


def test_what_is_allowed_is_watched_all_the_same() -> None:
    graph = allowing()
    for each in guarded(graph):
        if REPLACEMENT_INPUTS[each.type]:
            urn = graph.urns[STASH, stash_of(graph, each).name]
            assert urn in graph.options_of(each).dependencies, "for the time after"


# --- what the hook says


@cache
def hook(*allowed: str) -> pulumi.ResourceHook:
    """The hook that every stash of a small program is registered with."""
    pulumi.runtime.set_mocks(OfflineMocks(), project="langfuse", stack="dev", preview=False)
    hooks: list[pulumi.ResourceHook] = []

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        if args.type_ == STASH:
            assert args.opts.hooks is not None
            (found,) = args.opts.hooks.before_update or []
            assert isinstance(found, pulumi.ResourceHook)
            hooks.append(found)

    @pulumi.runtime.test  # pyright: ignore[reportUnknownMemberType]
    def program() -> None:
        pulumi.runtime.register_stack_transformation(note)
        guard = ReplacementGuard("langfuse-dev", allowed)
        opts = guard.options(None)
        aws.ebs.Volume("langfuse-dev-clickhouse", availability_zone="us-east-1a", opts=opts)
        bucket = aws.s3.Bucket("langfuse-dev-storage", opts=opts)
        network = pulumi.ComponentResource(NETWORK, "langfuse-dev")
        guard.remember(network, "langfuse-dev", {"network.zones": 2})
        guard.close(bucket, ReleaseGuard(load({"size": "dev", "release": LANGFUSE})))

    program()
    assert len(hooks) == 4, "a volume, a bucket, the network and the list of them"
    assert len(set(hooks)) == 1
    assert hooks[0].opts is not None
    assert hooks[0].opts.on_dry_run, "a preview must tell"
    return hooks[0]


def call(name: str, old: Mapping[str, Any], new: Mapping[str, Any], *allowed: str) -> None:
    """Call the hook as the engine does before it updates a stash."""
    hook(*allowed)(
        pulumi.ResourceHookArgs(
            urn=f"urn:pulumi:dev::langfuse::{STASH}::{name}",
            id="id",
            name=name,
            type=STASH,
            old_inputs={"input": old},
            new_inputs={"input": new},
        )
    )


ZONE_A = {"availabilityZone": "us-east-1a", "encrypted": True}
ZONE_B = {"availabilityZone": "us-east-1b", "encrypted": True}
THERE = {f"{VOLUME} langfuse-dev-clickhouse": True, f"{BUCKET} langfuse-dev-storage": True}
WAY_OUT = (
    "Take the change back; or, if you mean it, take a snapshot and allow it by name: "
    "pulumi config set --path 'langfuse:allowReplace[0]' "
)


def test_an_update_that_replaces_nothing_passes() -> None:
    call("langfuse-dev-clickhouse-volume", ZONE_A, dict(ZONE_A))
    call("langfuse-dev-storage-bucket", {}, {})
    call("langfuse-dev-stores", THERE, {**THERE, f"{VOLUME} another": True})


def test_a_replacement_is_refused_with_what_changes_and_the_way_out() -> None:
    with pytest.raises(pulumi.RunError) as caught:
        call("langfuse-dev-clickhouse-volume", ZONE_A, ZONE_B)
    assert str(caught.value) == (
        f"langfuse-dev-clickhouse ({VOLUME}) would be replaced by an empty one: "
        "availabilityZone changes from 'us-east-1a' to 'us-east-1b'. "
        f"{WAY_OUT}langfuse-dev-clickhouse"
    )


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ({}, {"bucket": "mine"}, "bucket changes from None to 'mine'"),
        ({"bucket": "mine"}, {}, "bucket changes from 'mine' to None"),
        (
            {"bucket": "mine"},
            {"bucket": Unknown()},
            "bucket changes from 'mine' to what only the update itself will tell",
        ),
    ],
    ids=["added", "removed", "unknown"],
)
def test_an_input_that_comes_or_goes_or_is_not_known_yet_is_a_change(
    old: dict[str, Any], new: dict[str, Any], change: str
) -> None:
    with pytest.raises(pulumi.RunError, match=change):
        call("langfuse-dev-storage-bucket", old, new)


def test_what_may_grow_may_not_shrink() -> None:
    call("langfuse-dev-clickhouse-volume", ZONE_A, {**ZONE_A, "size": 20.0})
    call("langfuse-dev-clickhouse-volume", {**ZONE_A, "size": 20.0}, {**ZONE_A, "size": 30.0})
    small = {**ZONE_A, "size": 20.0}
    call(
        "langfuse-dev-clickhouse-volume", {**ZONE_A, "size": 30.0}, small, "langfuse-dev-clickhouse"
    )
    with pytest.raises(pulumi.RunError) as caught:
        call("langfuse-dev-clickhouse-volume", {**ZONE_A, "size": 30.0}, small)
    assert str(caught.value) == (
        f"langfuse-dev-clickhouse ({VOLUME}) cannot shrink: size changes from 30 to 20. EBS makes "
        "no volume smaller; only one that begins with another snapshot may be. Take the change "
        "back; or, if it is to begin with another snapshot, name that in clickhouse.snapshotId, "
        "and allow it by name: "
        "pulumi config set --path 'langfuse:allowReplace[0]' langfuse-dev-clickhouse"
    )


SUBNETS = ["subnet-00000001", "subnet-00000002", "subnet-00000003"]
ADOPTED = {"network.vpcId": "vpc-00000001"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"network.zones": 2.0}, {"network.zones": 3.0}, None),
        ({"network.zones": 3.0}, {"network.zones": 2.0}, "network.zones changes from 3 to 2. "),
        (
            {**ADOPTED, "network.privateSubnetIds": SUBNETS[:2]},
            {**ADOPTED, "network.privateSubnetIds": SUBNETS},
            None,
        ),
        (
            {**ADOPTED, "network.privateSubnetIds": SUBNETS[:2]},
            {**ADOPTED, "network.privateSubnetIds": SUBNETS[1:]},
            "network.privateSubnetIds changes from ['subnet-00000001', 'subnet-00000002'] to ",
        ),
    ],
    ids=["another zone", "a zone less", "another subnet", "a subnet exchanged"],
)
def test_subnets_may_come_and_those_of_stores_may_not_go(
    old: dict[str, Any], new: dict[str, Any], said: str | None
) -> None:
    if said is None:
        call("langfuse-dev-network", old, new)
        return
    with pytest.raises(pulumi.RunError) as caught:
        call("langfuse-dev-network", old, new)
    assert str(caught.value).startswith(f"langfuse-dev ({NETWORK}) cannot shrink: {said}")
    assert "AWS takes no subnet in use away from them. Take the change back" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"network.cidr": "10.0.0.0/16"}, {"network.cidr": "10.9.0.0/16"}),
        (ADOPTED, {"network.vpcId": "vpc-00000002"}),
        ({"network.zones": 3.0}, {"network.zones": 2.0}),
    ],
)
def test_where_no_store_can_follow_no_replacement_is_offered(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        call("langfuse-dev-network", old, new)
    assert str(caught.value).endswith(
        " Take the change back; or make another stack with it, and restore the data "
        "there (docs/operations.md, Restoring)."
    )
    assert "allowReplace" not in str(caught.value)


class _Engine(OfflineMocks):
    """Calls the hooks of two stashes whose inputs are others than before, as a preview does."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks: list[pulumi.ResourceHook] = []
        self.stores: dict[str, Any] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, Properties]:
        before = {
            "langfuse-dev-clickhouse-volume": {"availabilityZone": "us-east-1b"},
            "langfuse-dev-network": {"network.cidr": "10.9.0.0/16"},
        }
        inputs = cast("dict[str, Any]", args.inputs)  # pyright: ignore[reportUnknownMemberType]
        if args.name in before:
            self.update(args.name, before[args.name], inputs["input"])
        if args.name == "langfuse-dev-stores":
            self.stores = inputs["input"]
        return super().new_resource(args)

    def update(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        inputs = {"old_inputs": {"input": old}, "new_inputs": {"input": new}}
        self.hooks[0](pulumi.ResourceHookArgs(urn="", id="", name=name, type=STASH, **inputs))


@pytest.mark.parametrize("allowed", [False, True])
def test_a_preview_tells_all_that_is_refused_at_once(allowed: bool) -> None:
    engine = _Engine()
    pulumi.runtime.set_mocks(engine, project="langfuse", stack="dev", preview=True)

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        if args.type_ == STASH and args.opts.hooks and args.opts.hooks.before_update:
            engine.hooks += [
                each
                for each in args.opts.hooks.before_update
                if isinstance(each, pulumi.ResourceHook)
            ]

    @pulumi.runtime.test  # pyright: ignore[reportUnknownMemberType]
    def program() -> None:
        pulumi.runtime.register_stack_transformation(note)
        guard = ReplacementGuard(
            "langfuse-dev", ["langfuse-dev", "langfuse-dev-clickhouse"] if allowed else []
        )
        opts = guard.options(None)
        volume = aws.ebs.Volume(
            "langfuse-dev-clickhouse", availability_zone="us-east-1a", opts=opts
        )
        network = pulumi.ComponentResource(NETWORK, "langfuse-dev")
        guard.remember(network, "langfuse-dev", {"network.cidr": "10.0.0.0/16"})
        guard.close(volume, ReleaseGuard(load({"size": "dev", "release": LANGFUSE})))

    program()
    there: dict[str, Any] = {
        f"{VOLUME} langfuse-dev-clickhouse": [],
        f"{NETWORK} langfuse-dev": True,
    }
    known: dict[str, Any] = {**there, MAJOR: 4, WRITE_MODE: "events_only"}
    if allowed:
        assert engine.stores == known, "the list has changed nothing, and its hook is not called"
        return
    assert engine.stores != known, "the engine calls the hook of what has changed, and of no other"
    before = {**known, f"{BUCKET} langfuse-dev-storage": True}
    with pytest.raises(pulumi.RunError) as caught:
        engine.update("langfuse-dev-stores", before, engine.stores)
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "langfuse-dev",
        "langfuse-dev-clickhouse",
        "langfuse-dev-storage",
    ]


def test_each_change_has_a_line() -> None:
    with pytest.raises(pulumi.RunError) as caught:
        call("langfuse-dev-clickhouse-volume", ZONE_A, {**ZONE_B, "encrypted": False})
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1].split()[0] for line in lines] == ["availabilityZone", "encrypted"]


def test_a_replacement_that_is_allowed_by_name_passes_and_no_other() -> None:
    allowed = "langfuse-dev-clickhouse"
    call("langfuse-dev-clickhouse-volume", ZONE_A, ZONE_B, allowed)
    call("langfuse-dev-stores", THERE, {f"{BUCKET} langfuse-dev-storage": True}, allowed)
    with pytest.raises(pulumi.RunError, match="langfuse-dev-storage"):
        call("langfuse-dev-storage-bucket", {}, {"bucket": "mine"}, allowed)


def test_a_store_that_is_gone_is_refused_by_name() -> None:
    with pytest.raises(pulumi.RunError) as caught:
        call("langfuse-dev-stores", THERE, {f"{VOLUME} langfuse-dev-clickhouse": True})
    assert str(caught.value) == (
        f"langfuse-dev-storage ({BUCKET}) would be deleted: this configuration no longer has it. "
        f"{WAY_OUT}langfuse-dev-storage"
    )


def test_a_volume_that_is_gone_says_the_way_to_another_number_of_servers() -> None:
    left = {f"{BUCKET} langfuse-dev-storage": True, f"{VOLUME} langfuse-dev-clickhouse-1": True}
    with pytest.raises(pulumi.RunError) as caught:
        call("langfuse-dev-stores", THERE, left)
    text = str(caught.value)
    assert text.startswith(f"langfuse-dev-clickhouse ({VOLUME}) would be deleted: ")
    assert "another number of servers begins on empty volumes" in text
    assert "docs/operations.md, ClickHouse with three servers" in text
    assert text.endswith(f"{WAY_OUT}langfuse-dev-clickhouse")


def test_a_key_that_is_gone_says_what_becomes_of_what_it_encrypted() -> None:
    there = {"langfuse:index:Encryption langfuse-dev-encryption": True}
    with pytest.raises(pulumi.RunError) as caught:
        call("langfuse-dev-stores", there, {})
    assert "the stack's roles may decrypt it no longer" in str(caught.value)
    assert str(caught.value).endswith(f"{WAY_OUT}langfuse-dev-encryption")


def test_of_two_that_are_gone_the_one_that_is_not_allowed_is_named() -> None:
    with pytest.raises(pulumi.RunError) as caught:
        call("langfuse-dev-stores", THERE, {}, "langfuse-dev-storage")
    (line,) = str(caught.value).splitlines()
    assert line.startswith("langfuse-dev-clickhouse ")
