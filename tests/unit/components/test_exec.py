"""`langfuse:exec`: ECS Exec in web and the worker, and nothing of it anywhere without the setting.

It proves what the services and roles are registered with. That AWS then opens a shell it does not.
"""

from typing import Any, Final

import pytest

from langfuse_aws.policy.rules import violations
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.stack_graph import VARIED, Graph, build, build_locked, shipped, varied
from tests.unit.state import as_state, shipped_tags

SERVICE: Final = "aws:ecs/service:Service"
POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
CHANNELS: Final = {
    "Effect": "Allow",
    "Action": [
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ],
    "Resource": ["*"],
}


def open_services(graph: Graph) -> set[str]:
    return {each.name for each in graph.of_type(SERVICE) if "enableExecuteCommand" in each.inputs}


def with_channels(graph: Graph) -> dict[str, list[dict[str, Any]]]:
    """The statements with an action of ssmmessages, by policy."""
    found = {
        each.name: [
            statement
            for statement in graph.policy(each.name)
            if "ssmmessages" in str(statement["Action"])
        ]
        for each in graph.of_type(POLICY)
    }
    return {name: statements for name, statements in found.items() if statements}


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_without_the_setting_no_service_has_a_shell_and_no_role_a_right_for_it(stack: str) -> None:
    graph = shipped(stack)
    assert open_services(graph) == set()
    assert with_channels(graph) == {}


def test_with_it_web_and_worker_have_one_and_nothing_else_of_the_stack() -> None:
    graph = build("dev", {**VARIED, "exec": True})
    parts = {"langfuse-dev-web", "langfuse-dev-worker"}
    assert {each.name for each in varied().of_type(SERVICE)} > parts, "Grafana is there too"
    assert open_services(graph) == parts
    assert all(graph.one(SERVICE, each).inputs["enableExecuteCommand"] is True for each in parts)
    assert with_channels(graph) == {f"{each}-task": [CHANNELS] for each in parts}


def test_on_app_runner_the_worker_alone_has_one() -> None:
    graph = build_locked("platform", {**APP_RUNNER, "exec": True})
    assert open_services(graph) == {"langfuse-platform-worker"}
    assert set(with_channels(graph)) == {"langfuse-platform-worker-task"}


def test_the_policies_name_the_shell_and_find_nothing_else_in_it() -> None:
    graph = build("dev", {"size": "dev", "exec": True})
    found = violations(as_state(graph, shipped_tags("dev")))
    assert {(each.rule.id, each.resource.name) for each in found} == {
        ("no-shell-in-tasks", "langfuse-dev-web"),
        ("no-shell-in-tasks", "langfuse-dev-worker"),
    }
