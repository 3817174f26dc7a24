"""Roles: the permissions boundary of each, and the policies that a stack file attaches.

Proves that no role of any stack is made without the boundary, which roles get `policyArns`, and
that docs/operations.md has each service that a role calls. It does not prove what IAM lets them do.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from tests.image_lock import locked
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.stack_graph import Graph, build
from tests.unit.stacks_of_all import LOCKED, STACKS, graphs

BOUNDARY: Final = "arn:aws:iam::123456789012:policy/team/boundary"
LAMBDA: Final = "arn:aws:iam::123456789012:policy/team/evaluators"
AWS_LAMBDA: Final = "arn:aws:iam::aws:policy/service-role/evaluators"
EXPORT: Final = "arn:aws:iam::123456789012:policy/export"

ROLE: Final = "aws:iam/role:Role"
ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"

PAGE: Final = Path(__file__).parents[3] / "docs/operations.md"

ON_THE_PAGE: Final[Mapping[str, str]] = {
    "clickhouse": "the ClickHouse instance",
    "clickhouse-backup-scheduler": "the schedule of ClickHouse's backups",
    "flow-logs": "the flow logs",
    "migration-gate": "the migration's function",
    "nat": "the NAT instance",
    "postgres-hours": "the schedules of PostgreSQL",
    "web-access": "App Runner",
    "web-instance": "App Runner",
}
"""What the page calls a role; one of a task is among all tasks, or has its container's name."""
TASKS: Final = {"clickhouse": "ClickHouse", "grafana": "Grafana", "web": "web", "worker": "worker"}

WITH_ALL_ROLES: Final = ("everything", "varied", "App Runner", "external", "asleep")
"""Stacks that together have every role that the program makes."""


@cache
def bounded() -> Mapping[str, Graph]:
    """These stacks with a boundary, and with policies of the operator's."""
    with pytest.MonkeyPatch.context() as patch:
        found: dict[str, Graph] = {}
        for label in WITH_ALL_ROLES:
            name, config = STACKS[label]
            if name == LOCKED:
                patch.setattr(
                    "langfuse_aws.components.runtime.images.read_lock",
                    lambda _: locked(APP_RUNNER),  # pyright: ignore
                )
            own: dict[str, Any] = {
                "permissionsBoundary": BOUNDARY,
                "web": {**config.get("web", {}), "policyArns": [LAMBDA, AWS_LAMBDA]},
                "worker": {**config.get("worker", {}), "policyArns": [EXPORT]},
            }
            found[label] = build(name, {**config, **own})
    return found


def roles_of(stacks: Mapping[str, Graph]) -> dict[str, set[str]]:
    """The roles of each stack, without the prefix of its names."""
    return {
        label: {role.name.split("-", 2)[2] for role in graph.of_type(ROLE)}
        for label, graph in stacks.items()
    }


def test_the_stacks_here_have_every_role_that_the_program_makes() -> None:
    made = set[str]().union(*roles_of(graphs()).values())
    here = set[str]().union(*roles_of(bounded()).values())
    assert made - here == set(), "add a stack that has it, or nobody looks at its boundary"
    assert len(here) > 14


def test_every_role_has_the_boundary_and_none_has_one_unasked() -> None:
    without = [
        f"{label}: {role.name}"
        for label, graph in bounded().items()
        for role in graph.of_type(ROLE)
        if role.inputs.get("permissionsBoundary") != BOUNDARY
    ]
    assert without == []
    unasked = [
        f"{label}: {role.name}"
        for label, graph in graphs().items()
        for role in graph.of_type(ROLE)
        if "permissionsBoundary" in role.inputs
    ]
    assert unasked == []


def called(stacks: Mapping[str, Graph]) -> set[tuple[str, str]]:
    """Each role, without the prefix of its name, with each service that its own policies allow."""
    return {
        (policy.name.split("-", 2)[2].removesuffix("-log"), action.partition(":")[0])
        for graph in stacks.values()
        for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        for statement in json.loads(policy.inputs["policy"])["Statement"]
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }


def test_the_page_has_what_a_boundary_must_allow() -> None:
    """What it leaves out is missing without a word: a database that never goes to sleep."""
    table = PAGE.read_text(encoding="utf-8").partition("| Service | Which roles |")[2]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", table.partition("\n\n")[0], re.MULTILINE)[1:]
    told = [(set(re.findall(r"`([a-z0-9]+)", what)), set(who.split(", "))) for what, who in rows]
    extra = build("prod", {**STACKS["everything"][1], "exec": True, "encryption": "customerKey"})
    lacking: set[str] = set()
    for role, service in called({**bounded(), "extra": extra}):
        task = role.endswith(("-task", "-execution"))
        names = {"all tasks", TASKS.get(role.split("-")[0], role)} if task else {ON_THE_PAGE[role]}
        if not any(service in services and names & who for services, who in told):
            lacking.add(f"{service}: {role}")
    assert sorted(lacking) == []


def test_what_others_attach_to_a_role_does_not_keep_it_from_being_deleted() -> None:
    """SSM's Quick Setup, for one, attaches policies of its own to the roles of instances."""
    held = [
        f"{label}: {role.name}"
        for label, graph in graphs().items()
        for role in graph.of_type(ROLE)
        if role.inputs.get("forceDetachPolicies") is not True
    ]
    assert held == []


def test_policies_of_the_operator_are_attached_to_the_role_of_the_container_and_no_other() -> None:
    given = {LAMBDA, AWS_LAMBDA, EXPORT}
    for label, graph in bounded().items():
        attached = {
            (each.inputs["role"], each.inputs["policyArn"])
            for each in graph.of_type(ATTACHMENT)
            if each.inputs["policyArn"] in given
        }
        names = {role.name: role.outputs["name"] for role in graph.of_type(ROLE)}
        prefix = next(name for name in names if name.endswith("-worker-task")).removesuffix(
            "-worker-task"
        )
        of_web = f"-web-{'instance' if label == 'App Runner' else 'task'}"
        web = names[f"{prefix}{of_web}"]
        worker = names[f"{prefix}-worker-task"]
        assert attached == {(web, LAMBDA), (web, AWS_LAMBDA), (worker, EXPORT)}, label
        # Names of different policies differ, and a policy's path is not in them: URNs are for ever.
        assert {
            each.name.removeprefix(prefix)
            for each in graph.of_type(ATTACHMENT)
            if each.inputs["policyArn"] in given
        } == {
            f"{of_web}-123456789012-evaluators",
            f"{of_web}-aws-evaluators",
            "-worker-task-123456789012-export",
        }


def test_a_task_starts_when_its_policies_are_attached() -> None:
    for label, graph in bounded().items():
        web = next(
            each
            for token in ("aws:ecs/service:Service", "aws:apprunner/service:Service")
            for each in graph.of_type(token)
            if each.name.endswith("-web")
        )
        before = graph.options_of(web).dependencies
        lacking = {
            each.name
            for each in graph.of_type(ATTACHMENT)
            if each.inputs["policyArn"] in (LAMBDA, AWS_LAMBDA)
            and graph.urns[each.type, each.name] not in before
        }
        assert lacking == set(), label
