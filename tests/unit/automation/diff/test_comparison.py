"""What a comparison finds around the engine: prices that are missing, protection that goes.

A stack of our own stands in for the engine's; tests/engine/test_diff has the real one.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from langfuse_aws.automation.diff import comparison
from langfuse_aws.automation.diff.comparison import Sources, compare
from langfuse_aws.automation.engine.stack_file import InvalidSettingsError
from langfuse_aws.automation.errors import UserError
from langfuse_aws.graph.model import Resource, ResourceGraph
from langfuse_aws.graph.preview import Preview, Step
from langfuse_aws.review import gates
from langfuse_aws.review.difference import Difference
from langfuse_aws.review.report import report
from langfuse_aws.settings import versions

CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
CLUSTER = "aws:rds/cluster:Cluster"
STASH = "pulumi:index:Stash"
KEPT: Final = {"size": "dev", "release": versions.LANGFUSE_3, "allowReplace": ["pg"]}


def resource(kind: str, name: str, **inputs: Any) -> Resource:
    inputs = {"region": "us-east-1", **inputs}
    return Resource(urn=f"urn:pulumi:dev::x::{kind}::{name}", type=kind, inputs=inputs)


def cache(name: str, node: str) -> Resource:
    return resource(CACHE, name, engine="valkey", nodeType=node, numCacheClusters=1)


class _FakeLangfuseStack:
    """A stack of the engine, of which `base` is deployed and `head` would be."""

    def __init__(self, base: Sequence[Resource], head: Sequence[Resource]) -> None:
        self.base = base
        self.head = head
        self.protected = True

    def __call__(self, *_: Any, **__: Any) -> "_FakeLangfuseStack":
        return self

    def __enter__(self) -> "_FakeLangfuseStack":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def up(self) -> None:
        pass

    def unprotect(self) -> None:
        self.protected = False

    def deployed(self) -> ResourceGraph:
        there = self.base if self.protected else [replace(one, protect=False) for one in self.base]
        return ResourceGraph(tuple(there))

    def preview(self) -> Preview:
        assert not self.protected, "the engine would refuse what a reviewer wants to see"
        before = {each.urn: each for each in self.deployed().resources}
        after = {each.urn: each for each in self.head}
        new = [
            Step("create", urn, None, one, {}) for urn, one in after.items() if urn not in before
        ]
        graph = ResourceGraph(tuple({**before, **after}.values()))
        return Preview(tuple(new), graph, {}, 1)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    for side in ("base", "head"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
        (tmp_path / side / "Pulumi.dev.yaml").write_text("config: {'langfuse:size': dev}\n")
    return Sources(tmp_path / "base", tmp_path / "head")


class _SharedAws:
    def unprotect(self, _: object) -> None:
        pass


def compared(
    base: Sequence[Resource],
    head: Sequence[Resource],
    sources: Sources,
    monkeypatch: pytest.MonkeyPatch,
) -> Difference:
    monkeypatch.setattr(comparison, "LangfuseStack", _FakeLangfuseStack(base, head))
    monkeypatch.setattr(comparison, "shared_aws", _SharedAws)
    return compare("dev", sources)


def stopped(gate: str, found: Difference) -> tuple[bool, str]:
    """Whether the gate trips, and the report."""
    trips = gates.tripped(gates.parse(gate), [found])
    return bool(trips), report([found], trips)


def test_a_change_whose_cost_is_not_known_is_stopped_and_says_which_price_is_missing(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = cache("one", "cache.t4g.micro")
    found = compared([small], [small, cache("two", "cache.x9.huge")], sources, monkeypatch)
    trips, text = stopped("cost>10%", found)
    assert trips
    assert (
        "two: langfuse_aws/cost/prices.csv has no price of 'Valkey cache.x9.huge' in us-east-1"
        in text
    )
    assert "one: " not in text


def test_a_region_without_prices_is_named(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = resource(CLUSTER, "pg", region="mars-1")
    trips, text = stopped("cost>10", compared([there], [there], sources, monkeypatch))
    assert trips
    assert "langfuse_aws/cost/prices.csv has no prices of region 'mars-1'." in text


def test_a_stack_that_does_not_say_its_region_is_named(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = resource(CLUSTER, "pg", region="")
    trips, text = stopped("cost>10", compared([there], [there], sources, monkeypatch))
    assert trips
    assert "its resources do not say their region" in text


def test_a_new_stack_costs_nothing_before(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sources.base / "Pulumi.dev.yaml").unlink()
    new = _FakeLangfuseStack([], [cache("one", "cache.t4g.micro")])
    new.protected = False
    monkeypatch.setattr(comparison, "LangfuseStack", new)
    found = compare("dev", sources)
    assert found.cost[0] == 0
    assert found.cost_missing == ()
    assert stopped("cost>5", found)[0]


def test_what_is_wrong_in_the_base_is_not_taken_for_the_changes_fault(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(_FakeLangfuseStack):
        def up(self) -> None:
            raise InvalidSettingsError("dev", ["langfuse:size: no.", "langfuse:x: no."])

    monkeypatch.setattr(comparison, "LangfuseStack", Wrong([], []))
    with pytest.raises(UserError) as caught:
        compare("dev", sources)
    assert caught.value.messages == [
        "base: stack dev: langfuse:size: no.",
        "base: stack dev: langfuse:x: no.",
    ]


@pytest.mark.parametrize("spelling", ["langfuse:", "langfuse:config:", ""])
def test_what_a_stack_allows_and_its_release_are_found_in_each_spelling(
    sources: Sources, spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side, release in ((sources.base, versions.LANGFUSE_3), (sources.head, versions.LANGFUSE)):
        file = side / "langfuse_aws/settings/versions.py"
        file.parent.mkdir(parents=True)
        file.write_text(f'LANGFUSE: Final = "{release}"\n')
    config = {f"{spelling}{key}": value for key, value in KEPT.items()}
    (sources.head / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": config}))
    previewed: list[dict[str, Any]] = []

    class Reading(_FakeLangfuseStack):
        def __call__(self, *_: Any, stack_file: Path | None = None, **__: Any) -> "Reading":
            if stack_file:
                previewed.append(yaml.safe_load(stack_file.read_text())["config"])
            return self

    store = resource(CLUSTER, "pg")
    guard = resource(STASH, "langfuse-dev-stores", input={f"{CLUSTER} pg": []})
    monkeypatch.setattr(comparison, "LangfuseStack", Reading([store], [store, guard]))
    monkeypatch.setattr(comparison, "shared_aws", _SharedAws)
    found = compare("dev", sources)
    assert previewed == [{f"langfuse:{key}": value for key, value in KEPT.items()}]
    assert found.by_default is None, "it names its release"
    assert [each.lifted for each in found.unprotected] == [("langfuse:allowReplace",)]


def test_protection_that_the_change_removes_is_seen_though_the_comparison_lifts_it(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, loses = (replace(resource(CLUSTER, name), protect=True) for name in ("kept", "loses"))
    remembered = {f"{CLUSTER} kept": ["protect"], f"{CLUSTER} loses": ["protect"]}
    before = resource(STASH, "langfuse-dev-stores", input=remembered)
    labels = [resource(STASH, f"{name}-cluster", input={}) for name in ("kept", "loses")]
    after = replace(before, inputs={"input": {**remembered, f"{CLUSTER} loses": []}})
    found = compared([kept, loses, before, *labels], [after], sources, monkeypatch)
    trips, text = stopped("unprotect", found)
    assert trips
    assert f"- `loses` (`{CLUSTER}`): `protect`" in text
    assert "kept" not in text
    same = compared([kept, loses, before, *labels], [], sources, monkeypatch)
    assert stopped("unprotect", same) == (False, report([same]))


@pytest.mark.parametrize("before", ["versions", "releases"])
def test_another_major_by_default_is_seen_from_where_the_base_has_its_versions(
    sources: Sources, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    for side, name, release in (
        (sources.base, before, versions.LANGFUSE_3),
        (sources.head, "versions", versions.LANGFUSE),
    ):
        file = side / f"langfuse_aws/settings/{name}.py"
        file.parent.mkdir(parents=True)
        file.write_text(f'LANGFUSE: Final = "{release}"\n')
    found = compared([cache("redis", "cache.t4g.micro")], [], sources, monkeypatch)
    assert found.by_default == (versions.LANGFUSE_3, versions.LANGFUSE)
