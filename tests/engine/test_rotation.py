"""`rotate` under the real Pulumi engine, on the in-memory providers.

It proves that a protected stack takes a rotation of each kind, and the versions after that, which
delete the first; that the state, the stack file and the resources agree then; that web and worker
get other definitions, the worker none for the sake of sessions; that no store is replaced; and that
a rotation that is cut off goes on. AWS's side is a script: that servers take what they are told is
tried in tests/queues.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from langfuse_aws.automation.aws import worker_script
from langfuse_aws.automation.cli.words import Target
from langfuse_aws.automation.plan import carry_out
from langfuse_aws.automation.rotate import services
from langfuse_aws.automation.rotate.command import PLANS
from langfuse_aws.components.protection.snapshots import ROTATION_USER, USER
from tests.deployment import Deployment
from tests.engine.test_restore import opened, stores
from tests.unit.automation.restore import test_replay as replaying
from tests.unit.automation.restore.test_restore import Answer, always
from tests.unit.automation.rotate.test_rotate import STEADY, said

pytestmark = pytest.mark.running

PASSWORD: Final = "random:index/randomPassword:RandomPassword"
TARGETS: Final[tuple[Target, ...]] = ("database", "redis", "nextauth")


def answers() -> dict[str, Answer | list[Answer]]:
    (service,) = replaying.services()["services"]
    looks: list[Answer] = [
        said(f'rotate: {{"done":"{action}"}}') for action in ("begin", "begin", "end", "end")
    ]
    done: list[Answer] = [replaying.task(0)]
    return {
        **replaying.aws(GetLogEvents=looks, DescribeTasks=done),
        "DescribeServices": {"services": [{**service, **STEADY}]},
        "DescribeDBInstances": {"DBInstances": [{"DBInstanceStatus": "available"}]},
        "DescribeReplicationGroups": {"ReplicationGroups": [{"Status": "available"}]},
        "ListTasks": {"taskArns": []},
    }


def definition(deployment: Deployment, part: str) -> dict[str, Any]:
    """The definition of a container, as the state has it."""
    (task,) = (
        each
        for each in deployment.of_type("aws:ecs/taskDefinition:TaskDefinition")
        if each["urn"].endswith(f"::langfuse-dev-{part}")
    )
    return next(
        each for each in json.loads(task["outputs"]["containerDefinitions"]) if each["name"] == part
    )


def user(deployment: Deployment, part: str) -> str:
    return next(
        each["value"]
        for each in definition(deployment, part)["environment"]
        if each["name"] == "DATABASE_USERNAME"
    )


def keys(deployment: Deployment) -> dict[str, str]:
    """The keys that web reads, of what rotates."""
    return {
        each["name"]: each["valueFrom"].rsplit(":", 3)[1]
        for each in definition(deployment, "web")["secrets"]
        if each["name"] in ("DATABASE_PASSWORD", "REDIS_AUTH", "NEXTAUTH_SECRET")
    }


def section(deployment: Deployment) -> Any:
    file = deployment.stack.folder / "Pulumi.dev.yaml"
    return yaml.safe_load(file.read_text("utf-8"))["config"].get("langfuse:rotation")


def test_a_protected_stack_rotates_everything_and_again(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (worker_script, services):
        monkeypatch.setattr(module.time, "sleep", always(None))
    dev = Deployment.of("dev", tmp_path, environment)
    dev.configure("deletionProtection", "true")
    dev.up()
    before = stores(dev)

    def rotate(target: Target) -> None:
        deployed, _ = opened(dev, monkeypatch, answers())
        carry_out(PLANS[target](deployed), yes=True)

    users: list[tuple[str, ...]] = []
    deployed, _ = opened(dev, monkeypatch, answers())
    plan = PLANS["database"](deployed)

    def cut_off() -> None:
        users.append(tuple(user(dev, part) for part in ("web", "worker", "migration")))
        raise KeyboardInterrupt

    broken = dataclasses.replace(plan.steps[2], action=cut_off)
    with pytest.raises(typer.Exit):
        carry_out(dataclasses.replace(plan, steps=[*plan.steps[:2], broken]), yes=True)
    assert users == [(ROTATION_USER, ROTATION_USER, USER)]
    assert section(dev) == {"databaseStep": "begun"}
    assert dev.changes() == set(), "the file is deployed: nothing is set back"

    deployed, _ = opened(
        dev, monkeypatch, {**answers(), "GetLogEvents": said('rotate: {"done":"end"}')}
    )
    carry_out(PLANS["database"](deployed), yes=True)
    assert {user(dev, part) for part in ("web", "worker", "migration")} == {USER}
    worker = definition(dev, "worker")
    rotate("nextauth")
    assert definition(dev, "worker") == worker
    rotate("redis")
    assert definition(dev, "worker") != worker
    assert section(dev) == {f"{target}Version": 2 for target in TARGETS}
    assert keys(dev) == {
        "DATABASE_PASSWORD": "password_2",
        "REDIS_AUTH": "token_2",
        "NEXTAUTH_SECRET": "NEXTAUTH_SECRET_2",
    }
    assert dev.changes() == set()

    dev.configure_all({f"rotation.{target}Version": "3" for target in TARGETS}, {})
    dev.up()
    (cache,) = dev.of_type("aws:elasticache/replicationGroup:ReplicationGroup")
    assert cache["inputs"]["authTokenUpdateStrategy"] == "SET"
    after = stores(dev)
    assert {key: each for key, each in after.items() if key[0] != PASSWORD} == {
        key: each for key, each in before.items() if key[0] != PASSWORD
    }
    rotated = ("postgres-password", "redis-token", "nextauth-secret")
    assert {name for kind, name in after if kind == PASSWORD} >= {
        f"langfuse-dev-{name}-{number}" for name in rotated for number in (2, 3)
    }
    assert not {f"langfuse-dev-{name}" for name in rotated} & {name for _, name in after}
    assert (PASSWORD, "langfuse-dev-salt") in after
    assert dev.changes() == set()
