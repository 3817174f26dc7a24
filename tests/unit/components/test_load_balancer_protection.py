"""What is remembered of a load balancer that AWS protects, and what the hook says of its end.

That the engine calls the hook, in a preview too, is proven by tests/engine/test_ingress_changes.py.
"""

from typing import Any

import pulumi
import pytest

from langfuse_aws.components.ingress.load_balancer_protection import LoadBalancerProtection
from langfuse_aws.components.protection.replacement_guard import IN_CONFIGURATION
from langfuse_aws.offline.invokes import NO_SNAPSHOT
from tests.unit.stack_graph import Graph, build, shipped, unshared

STASH = "pulumi:index:Stash"
NAME = "langfuse-prod-alb"
PUBLIC = {"scheme": "internet-facing", "protected": True}


def remembered(graph: Graph, stack: str) -> Any:
    return graph.one(STASH, f"langfuse-{stack}-alb-protection").inputs["input"]


def check(old: dict[str, Any] | None, new: dict[str, Any]) -> None:
    """Call the hook as the engine does before it updates the stash."""
    protection = LoadBalancerProtection.of("langfuse-prod", True, [], IN_CONFIGURATION)
    protection._check(  # pyright: ignore[reportPrivateUsage]
        pulumi.ResourceHookArgs(
            urn="urn",
            id="id",
            name=f"{NAME}-protection",
            type=STASH,
            old_inputs=old and {"input": old},
            new_inputs={"input": new},
        )
    )


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_every_stack_remembers_which_load_balancer_it_has(stack: str) -> None:
    wanted = {
        "dev": {"scheme": "none", "protected": False},
        "staging": {"scheme": "internet-facing", "protected": False},
        "prod": PUBLIC,
    }
    assert remembered(shipped(stack), stack) == wanted[stack]


def test_a_preview_is_refused_as_the_update_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, bool | None] = {}
    hook = pulumi.ResourceHook

    def heard(name: str, call: Any, opts: Any = None) -> pulumi.ResourceHook:
        asked[name] = opts and opts.on_dry_run
        return hook(name, call, opts)

    monkeypatch.setattr(pulumi, "ResourceHook", heard)
    config = {
        "size": "dev",
        "hours": {"from": "08:00", "to": "19:00", "timezone": "Etc/UTC"},
        "clickhouse": {"snapshotId": NO_SNAPSHOT},
        "postgres": {"snapshotIdentifier": NO_SNAPSHOT},
    }
    with unshared():
        build("dev", config)
    assert asked.pop("langfuse-dev-migration-awake") is None, "a preview may well be made at night"
    assert len(asked) >= 4
    assert set(asked.values()) == {True}, asked


def test_the_way_in_waits_until_the_change_is_agreed_to() -> None:
    for stack, token in (("prod", "LoadBalancer"), ("dev", "ApiGateway")):
        graph = shipped(stack)
        way = graph.one(f"langfuse:index:{token}")
        stash = graph.urns[STASH, f"langfuse-{stack}-alb-protection"]
        assert stash in graph.options_of(way).dependencies


def test_a_load_balancer_that_is_allowed_to_go_is_protected_no_longer_and_stores_are() -> None:
    config = {"size": "prod", "domain": "langfuse.example.com", "allowReplace": [NAME]}
    graph = build("prod", config)
    balancer = graph.one("aws:lb/loadBalancer:LoadBalancer")
    assert balancer.inputs["enableDeletionProtection"] is False
    assert remembered(graph, "prod") == {**PUBLIC, "protected": False}
    volume = graph.one("aws:ebs/volume:Volume")
    assert graph.options_of(volume).protect


@pytest.mark.parametrize(
    "old",
    [None, {}, {**PUBLIC, "protected": False}, {"scheme": "none", "protected": False}],
    ids=["first", "empty", "not protected", "none"],
)
def test_what_is_not_protected_may_go(old: dict[str, Any] | None) -> None:
    check(old, {"scheme": "none", "protected": False})
    check(old, {"scheme": "internal", "protected": True})


def test_protection_alone_may_come_and_go() -> None:
    check(PUBLIC, {**PUBLIC, "protected": False})
    check({**PUBLIC, "protected": False}, PUBLIC)


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({"scheme": "none", "protected": False}, "deleted: this configuration no longer has it"),
        (
            {"scheme": "internal", "protected": True},
            "replaced: it is internet-facing, and this configuration has one that is internal",
        ),
        (
            {"scheme": "internal", "protected": False},
            "replaced: it is internet-facing, and this configuration has one that is internal",
        ),
    ],
)
def test_a_protected_one_stays_and_the_message_has_the_way(new: dict[str, Any], words: str) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        check(PUBLIC, new)
    assert str(caught.value) == (
        f"{NAME} (the load balancer) would be {words}. AWS protects it from being deleted, and "
        "only an update that keeps it takes the protection off. Take the change back; or, if you "
        "mean it, allow it by name and run pulumi up, and only then make the change: "
        f"{IN_CONFIGURATION.format(NAME)}"
    )
