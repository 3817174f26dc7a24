"""Every policy document that the program registers, against AWS's own tables.

It proves of each statement that its actions exist, that its resources and condition keys are of a
kind that these actions know, and that a role has what its actions depend on. It does not prove that
a role may do all that its holder calls, except for the AWS CLI in boot scripts.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import pytest

from langfuse_aws.offline.facts import ACCOUNT, DEFAULT_REGION
from langfuse_aws.policy.permissions import NOTHING_NARROWER
from tests.unit.service_authorization import (
    OPERATORS,
    Action,
    action_named,
    actions,
    key_type,
    knows,
    managed_actions,
    managed_policies,
    service_principals,
)
from tests.unit.stack_graph import ROOT, Graph, build, shipped_config
from tests.unit.stacks_of_all import graphs
from tests.unit.unneeded_actions import UNNEEDED, excepted

POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
PROFILE: Final = "aws:iam/instanceProfile:InstanceProfile"
MANAGED: Final = "arn:aws:iam::aws:policy/"

BUCKET: Final = "arn:aws:s3:::bucket"
IN_REGION: Final = f"arn:aws:{{}}:{DEFAULT_REGION}:{ACCOUNT}"
INSTANCE: Final = f"{IN_REGION.format('ec2')}:instance/*"

UNNEEDED_BY_ROLES: Final = {
    **UNNEEDED,
    ("rds:StopDBInstance", "rds:*"): "for a snapshot on the way, which no schedule asks for",
}

PRINCIPALS: Final[Mapping[str, str]] = {
    "build.apprunner.amazonaws.com": (
        "https://docs.aws.amazon.com/apprunner/latest/dg/security_iam_service-with-iam.html"
    ),
    "logdelivery.elasticloadbalancing.amazonaws.com": (
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/"
        "enable-access-logging.html"
    ),
    "logging.s3.amazonaws.com": (
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html"
    ),
    "logs.us-east-1.amazonaws.com": (
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html"
    ),
    "tasks.apprunner.amazonaws.com": (
        "https://docs.aws.amazon.com/apprunner/latest/dg/security_iam_service-with-iam.html"
    ),
    "vpc-flow-logs.amazonaws.com": (
        "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html"
    ),
}
"""Services that take a role, but are in none of AWS's own policies, and the page that has them."""


OF_THE_ACCOUNT: Final = {
    ("AWS", f"arn:aws:iam::{ACCOUNT}:root"),
    (
        "AWS",
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/"
        "AWSServiceRoleForAutoScaling",
    ),
}
"""The account, and the role that Auto Scaling makes for itself."""


def several(value: Any) -> list[Any]:
    return cast("list[Any]", value if isinstance(value, list) else [value])


@dataclass(frozen=True)
class Statement:
    """A statement of a policy, and where it is."""

    document: str
    """The resource that has it, and its input."""
    holder: str
    """Name of the resource it is attached to; of a role's policies, the role's."""
    of_role: bool
    body: Mapping[str, Any]

    @property
    def patterns(self) -> list[str]:
        """The actions as they are written."""
        return several(self.body.get("Action", []))

    @property
    def resources(self) -> list[str]:
        """ARNs, which may have wildcards."""
        return several(self.body.get("Resource", []))

    @property
    def conditions(self) -> list[tuple[str, str]]:
        """Operators and keys."""
        tests = cast("Mapping[str, Mapping[str, Any]]", self.body.get("Condition", {}))
        return [(operator, key) for operator, each in tests.items() for key in each]

    def allowed(self) -> list[tuple[Action, list[str]]]:
        """The actions that its names stand for, each with the resources."""
        return [(each, self.resources) for name in self.patterns for each in actions(name)]

    def __str__(self) -> str:
        return f"{self.document}: {json.dumps(self.body, sort_keys=True)}"


def documents(graph: Graph) -> Iterator[tuple[str, str, bool, Mapping[str, Any]]]:
    """Every policy document among the inputs, whatever the type of its resource."""
    for each in graph.registrations:
        for key, value in each.inputs.items():
            if not (isinstance(value, str) and '"Statement"' in value):
                continue
            holder = str(each.inputs.get("role", each.name))
            yield f"{each.type} {each.name}, {key}", holder, each.type == POLICY, json.loads(value)


@pytest.fixture(scope="module")
def statements() -> list[Statement]:
    """Those of all stacks."""
    return [
        Statement(document, holder, of_role, body)
        for graph in graphs().values()
        for document, holder, of_role, found in documents(graph)
        for body in several(found["Statement"])
    ]


def kinds_of(action: Action, arns: Iterable[str]) -> Iterable[str]:
    """The resource types of an action that some resources may be."""
    if "*" in arns:
        return action.resource_types
    return {kind for arn in arns for kind in action.types_of(arn)}


def wrong_actions(statement: Statement) -> Iterator[str]:
    for pattern in statement.patterns:
        if not actions(pattern):
            yield f"{pattern} does not exist: {statement}"


def wrong_resources(statement: Statement) -> Iterator[str]:
    """What no call matches: each action needs a resource, and each resource an action."""
    for action, arns in statement.allowed():
        narrow = action.resource_types and action.name not in NOTHING_NARROWER
        fits = not narrow if "*" in arns else any(action.types_of(arn) for arn in arns)
        if not fits:
            known = ", ".join(sorted(action.resource_types)) or "nothing but *"
            yield f"{action.name} knows {known}: {statement}"
    for arn in {*statement.resources} - {"*"}:
        if not any(action.types_of(arn) for action, _ in statement.allowed()):
            yield f"{arn} is nothing that its actions know: {statement}"


def wrong_conditions(statement: Statement) -> Iterator[str]:
    for operator, key in statement.conditions:
        compared = re.sub(r"^(ForAllValues|ForAnyValue):|IfExists$", "", operator)
        (types,) = [types for name, types in OPERATORS.items() if compared.startswith(name)]
        for pattern in statement.patterns:
            kind = key_type(pattern.partition(":")[0], key) or "nothing that exists"
            if kind.removeprefix("ArrayOf") not in types:
                yield f"{operator}: {key} is {kind}: {statement}"
        for action, arns in statement.allowed():
            every = f"{action.name.partition(':')[0]}:*" in statement.patterns  # some have the key
            if not every and not knows(action.keys_on(kinds_of(action, arns)), key):
                yield f"{action.name} has no {key} there: {statement}"


def boot_scripts(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """What boots, without its stack's prefix, its role, and its user data."""
    roles = {
        name: each.inputs["role"]
        for each in graph.of_type(PROFILE)
        for name in (each.id, each.outputs["arn"])
    }
    for each in graph.registrations:
        profile, data = each.inputs.get("iamInstanceProfile"), each.inputs.get("userData")
        if profile and data:
            named = profile if isinstance(profile, str) else cast("str", profile["arn"])
            script = data if data.startswith("#!") else base64.b64decode(data).decode()
            yield each.name.rpartition("-")[2], roles[named], script


@cache
def granted_by(policy: str) -> set[str]:
    """The actions that a managed policy allows."""
    return {action.name for pattern in managed_actions(policy) for action in actions(pattern)}


def calls(script: str) -> set[str]:
    """The actions of the AWS CLI's commands in a script."""
    found = re.findall(r"\baws ([a-z0-9-]+) ([a-z]+(?:-[a-z]+)+)", script)
    return {
        f"{service}:{''.join(word.capitalize() for word in command.split('-'))}"
        for service, command in found
    }


def test_every_action_of_a_statement_exists(statements: list[Statement]) -> None:
    assert [wrong for statement in statements for wrong in wrong_actions(statement)] == []


def test_every_action_of_the_components_is_in_a_statement_of_these_stacks(
    statements: list[Statement],
) -> None:
    """Else there is a statement that these tests have not seen."""
    seen = {pattern for statement in statements for pattern in statement.patterns}
    written = {
        found
        for file in (ROOT / "components").rglob("*.py")
        for found in re.findall(r'"([a-z0-9-]+:[A-Z]\w+\*?)"', file.read_text(encoding="utf-8"))
    }
    assert {each for each in written - seen if actions(each)} == set()


def test_every_resource_of_a_role_s_statement_is_of_a_kind_that_an_action_knows(
    statements: list[Statement],
) -> None:
    of_roles = [statement for statement in statements if statement.of_role]
    assert of_roles
    assert [wrong for statement in of_roles for wrong in wrong_resources(statement)] == []


def test_a_role_may_do_what_its_actions_need(statements: list[Statement]) -> None:
    resources: dict[tuple[str, Action], set[str]] = {}
    for statement in statements:
        for action, arns in statement.allowed() if statement.of_role else ():
            resources.setdefault((statement.holder, action), set()).update(arns)
    lacking: set[str] = set()
    for (role, action), arns in resources.items():
        known = {kind for arn in arns for kind in action.types_of(arn)}
        lacking |= {
            f"{role} may call {action.name} on no {kind}"
            for kind in action.needed
            if "*" not in arns and kind not in known
        }
        lacking |= {
            f"{role} may call {action.name}, but not {dependent}"
            for dependent in action.dependents
            if (role, action_named(dependent)) not in resources
            and not excepted(UNNEEDED_BY_ROLES, action.name, dependent)
        }
    assert sorted(lacking) == []


def test_every_condition_is_on_a_key_that_the_call_has_and_compares_as_its_type(
    statements: list[Statement],
) -> None:
    """A key that a call never has is no error: the statement just allows nothing."""
    assert [wrong for statement in statements for wrong in wrong_conditions(statement)] == []


@pytest.mark.parametrize(
    ("action", "resource", "condition", "wrong"),
    [
        ("s3:ListObjects", f"{BUCKET}/*", {}, "s3:ListObjects does not exist"),
        ("s3:ListBucket", f"{BUCKET}/*", {}, "s3:ListBucket knows"),
        ("s3:GetObject", BUCKET, {}, "s3:GetObject knows"),
        ("logs:PutLogEvents", f"{IN_REGION.format('logs')}:log-group:g", {}, "knows log-stream"),
        ("ecr:GetAuthorizationToken", f"{IN_REGION.format('ecr')}:repository/r", {}, "but *"),
        ("secretsmanager:GetSecretValue", "*", {}, "knows Secret"),
        (["s3:ListBucket", "s3:GetObject"], BUCKET, {}, "s3:GetObject knows"),
        ("s3:ListBucket", [BUCKET, f"{BUCKET}/*"], {}, f"{BUCKET}/* is nothing"),
        ("ec2:AttachVolume", INSTANCE, {"StringEquals": {"ec2:ResourceTags/Name": ""}}, "nothing"),
        ("ec2:AttachVolume", INSTANCE, {"StringEquals": {"ec2:VolumeID": ""}}, "no ec2:VolumeID"),
        ("ec2:AttachVolume", INSTANCE, {"NumericEquals": {"ec2:ResourceTag/Name": 1}}, "is String"),
        (
            "ecs:StopTask",
            f"{IN_REGION.format('ecs')}:task/c/*",
            {"Bool": {"ecs:cluster": ""}},
            "ARN",
        ),
    ],
)
def test_a_wrong_statement_is_found(
    action: Any, resource: Any, condition: Mapping[str, Any], wrong: str
) -> None:
    body = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}
    found = Statement("a role", "role", of_role=True, body=body)
    complaints = [*wrong_actions(found), *wrong_resources(found), *wrong_conditions(found)]
    assert any(wrong in each for each in complaints), complaints


def test_every_arn_of_a_policy_is_of_the_stack_s_partition_and_account() -> None:
    """AWS refuses a policy with an ARN of another partition."""
    graph = build("prod", shipped_config("prod"), region="us-gov-west-1")
    arns = {each.inputs["policyArn"] for each in graph.of_type(ATTACHMENT)}
    for _, _, _, document in documents(graph):
        for body in several(document["Statement"]):
            arns |= {*several(body.get("Resource", []))} - {"*"}
    assert arns
    for arn in arns:
        partition, _, _, account = arn.split(":")[1:5]
        assert (partition, account) in {("aws-us-gov", each) for each in (ACCOUNT, "", "aws")}, arn


def test_every_principal_is_a_service_that_exists_or_the_account(
    statements: list[Statement],
) -> None:
    known = service_principals() | PRINCIPALS.keys()
    for statement in statements:
        principal = statement.body.get("Principal", {})
        if principal == "*":
            assert statement.body["Effect"] == "Deny", str(statement)
            continue
        for kind, names in principal.items():
            for name in several(names):
                if kind == "Service":
                    assert name in known, str(statement)
                else:
                    assert (kind, name) in OF_THE_ACCOUNT, str(statement)


def test_every_attached_policy_is_one_that_aws_manages() -> None:
    attached = {
        each.inputs["policyArn"]
        for graph in graphs().values()
        for each in graph.of_type(ATTACHMENT)
    }
    assert attached
    named = {arn.removeprefix(MANAGED) for arn in attached}
    assert named - managed_policies().keys() == set()


def test_boot_scripts_call_what_their_instances_role_allows(statements: list[Statement]) -> None:
    """A call that some stacks never come to is allowed in the others."""
    called: dict[str, set[str]] = {}
    allowed: dict[str, set[str]] = {}
    for graph in graphs().values():
        for what, role, script in boot_scripts(graph):
            called.setdefault(what, set()).update(calls(script))
            rights = allowed.setdefault(what, set())
            rights |= {
                action.name
                for each in statements
                if each.holder == role
                for action, _ in each.allowed()
            }
            for each in graph.of_type(ATTACHMENT):
                if each.inputs["role"] == role:
                    rights |= granted_by(each.inputs["policyArn"].removeprefix(MANAGED))
    assert {what: names for what, names in called.items() if names}, "some script calls AWS"
    assert {
        what: names - allowed[what] for what, names in called.items() if names - allowed[what]
    } == {}
