"""A container definition in the form ECS gives it back.

Proves that its text is canonical: sorted keys, sorted environment and secrets, AWS's defaults
written out, the same for every order of insertion. It does not prove that ECS normalises it to the
same text; that was read off AWS's answers and is what the preview after an apply shows.
"""

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

import pulumi
import pytest

from langfuse_aws.components.runtime.task import ContainerDefinition, HealthCheck
from langfuse_aws.components.runtime.task import to_json as containers_json
from langfuse_aws.components.shared.stored_secret import SecretReference

ARN: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:keys-AbCdEf"

PLAIN: Final = {"REDIS_PORT": "6379", "HOSTNAME": "0.0.0.0", "DATABASE_HOST": "db.internal"}  # noqa: S104
SECRET: Final = ("SALT", "ENCRYPTION_KEY", "REDIS_AUTH")


def to_json(
    plain: Mapping[str, str] = PLAIN,
    secret: tuple[str, ...] = SECRET,
    **changes: Any,
) -> str:
    """The text of a definition; all that Pulumi would only know later is an output here, too."""

    async def run() -> str | None:
        arn = pulumi.Output.from_input(ARN)
        container = ContainerDefinition(
            name="web",
            image="ghcr.io/langfuse/langfuse:3.200.1",
            ports=[3000],
            health_check=HealthCheck(["CMD-SHELL", "true"], retries=10),
            log_group=pulumi.Output.from_input("langfuse-dev-web"),
            region="us-east-1",
            plain={name: pulumi.Output.from_input(value) for name, value in plain.items()},
            secret={name: SecretReference(arn, name) for name in secret},
        )
        return await containers_json([replace(container, **changes)]).future()

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(run()) or ""
    finally:
        loop.close()


@pytest.fixture(scope="module")
def canonical() -> str:
    """The text that the order of insertion must not change."""
    return to_json()


def definition(**changes: Any) -> dict[str, Any]:
    (only,) = cast("list[dict[str, Any]]", json.loads(to_json(**changes)))
    return only


def test_a_definition_holds_exactly_what_ecs_gives_back() -> None:
    assert definition() == {
        "name": "web",
        "image": "ghcr.io/langfuse/langfuse:3.200.1",
        "essential": True,
        "cpu": 0,
        "portMappings": [{"containerPort": 3000, "hostPort": 3000, "protocol": "tcp"}],
        "environment": [
            {"name": "DATABASE_HOST", "value": "db.internal"},
            {"name": "HOSTNAME", "value": "0.0.0.0"},  # noqa: S104
            {"name": "REDIS_PORT", "value": "6379"},
        ],
        "secrets": [
            {"name": "ENCRYPTION_KEY", "valueFrom": f"{ARN}:ENCRYPTION_KEY::"},
            {"name": "REDIS_AUTH", "valueFrom": f"{ARN}:REDIS_AUTH::"},
            {"name": "SALT", "valueFrom": f"{ARN}:SALT::"},
        ],
        "healthCheck": {
            "command": ["CMD-SHELL", "true"],
            "interval": 30,
            "timeout": 10,
            "retries": 10,
            "startPeriod": 300,
        },
        "stopTimeout": 120,
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "langfuse-dev-web",
                "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "web",
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
        "mountPoints": [],
        "systemControls": [],
        "volumesFrom": [],
    }, "what is left out comes back as a default, and shows up as a replacement in every preview"


def test_the_text_is_canonical_json_with_sorted_keys() -> None:
    text = to_json()
    assert text == json.dumps(json.loads(text), sort_keys=True), (
        "texts are compared, so the order of keys must not depend on the code's"
    )


@pytest.mark.parametrize("plain", itertools.permutations(PLAIN), ids=" ".join)
@pytest.mark.parametrize("secret", [SECRET, SECRET[::-1]], ids=" ".join)
def test_the_order_in_which_variables_were_added_leaves_no_trace(
    plain: tuple[str, ...], secret: tuple[str, ...], canonical: str
) -> None:
    assert to_json({name: PLAIN[name] for name in plain}, secret) == canonical, (
        "a new revision of the task would restart the service for nothing"
    )


def test_a_secret_is_a_reference_to_one_key_of_one_secret() -> None:
    assert definition(secret=("SALT",))["secrets"] == [
        {"name": "SALT", "valueFrom": f"{ARN}:SALT::"}
    ], "ARN, JSON key, and empty version stage and ID: always the current value"


def test_a_task_that_ends_by_itself_has_no_health_check() -> None:
    found = definition(health_check=None)
    assert {**found, "healthCheck": {}} == {**definition(), "healthCheck": {}}
    assert "healthCheck" not in found, "ECS gives no empty one back"


def test_further_keys_are_added_and_win_over_the_defaults() -> None:
    mount = {"containerPath": "/var/lib/clickhouse", "readOnly": False, "sourceVolume": "data"}
    found = definition(more={"mountPoints": [mount], "memoryReservation": 2048})
    assert (found["mountPoints"], found["memoryReservation"]) == ([mount], 2048), (
        "ClickHouse's container has a volume, Langfuse's have none"
    )
    assert found["volumesFrom"] == [], "the other defaults stay"


def test_every_port_is_mapped_in_the_order_it_was_given_in() -> None:
    assert definition(ports=[8123, 9000])["portMappings"] == [
        {"containerPort": 8123, "hostPort": 8123, "protocol": "tcp"},
        {"containerPort": 9000, "hostPort": 9000, "protocol": "tcp"},
    ], "in awsvpc mode the host's port is the container's"


# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
@pytest.mark.parametrize(
    ("key", "least", "most"),
    [("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)],
)
def test_the_default_health_check_is_within_ecss_bounds(key: str, least: int, most: int) -> None:
    check = definition(health_check=HealthCheck(["CMD-SHELL", "true"]))["healthCheck"]
    assert least <= check[key] <= most, f"ECS refuses {key} outside of {least} to {most}"
