"""`preflight` on permissions: what is asked of IAM's simulator, and what is made of its answers.

It proves which actions are simulated on which resources, under which conditions, and what each
kind of refusal leads to. That the table has every resource type is in test_needs.py, that
it agrees with AWS's own tables in test_actions.py. It does not prove that the table is
complete for a type: no account was there to try a first `up` in.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import Caller, NewStack, Result
from langfuse_aws.automation.preflight.actions import Row
from langfuse_aws.automation.preflight.permissions import (
    check_permissions,
    check_service_linked_roles,
    principal_of,
)
from langfuse_aws.settings.model import Settings
from tests.unit.aws_account import ACCOUNT, DEPLOYER, Account, aws
from tests.unit.stack_graph import VARIED

T = TypeVar("T")

ROLE = Caller(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/session", "aws")
ROOT_USER = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "aws")
FEDERATED = Caller(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:federated-user/ada", "aws")
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
WITH_NAT: dict[str, Any] = {"network": {"egress": "natInstance"}}
PULL_THROUGH: dict[str, str] = VARIED["images"]
ALL_ROLES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling",
    "rds.amazonaws.com": "AWSServiceRoleForRDS",
    "elasticache.amazonaws.com": "AWSServiceRoleForElastiCache",
    "ops.apigateway.amazonaws.com": "AWSServiceRoleForAPIGateway",
    "ecs.application-autoscaling.amazonaws.com": (
        "AWSServiceRoleForApplicationAutoScaling_ECSService"
    ),
    "backup.amazonaws.com": "AWSServiceRoleForBackup",
}
"""Those of `dev`."""


def make_role(name: str, path: str) -> None:
    aws("iam").create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST)


def make_service_roles(*but: str) -> None:
    for service, name in ALL_ROLES.items():
        if name not in but:
            make_role(name, f"/aws-service-role/{service}/")


def only(results: Iterable[T]) -> T:
    (result,) = results
    return result


def context_of(asked: Mapping[str, Any]) -> dict[str, str]:
    return {each["ContextKeyName"]: each["ContextKeyValues"][0] for each in asked["ContextEntries"]}


def simulation_of(account: Account, action: str) -> Mapping[str, Any]:
    """What was asked in the only call that has an action."""
    return only(asked for asked in account.simulated if action in asked["ActionNames"])


class Forbidden:
    """An IAM that lets nobody look at roles."""

    def get_role(self, RoleName: str) -> None:  # noqa: N803
        """Refuse."""
        answer: Any = {"Error": {"Code": "AccessDenied", "Message": RoleName}}
        raise ClientError(answer, "GetRole")


def test_all_actions_are_simulated_for_the_caller(account: Account) -> None:
    result = only(check_permissions(account.stack(), DEPLOYER))
    count = sum(len(asked["ActionNames"]) for asked in account.simulated)
    assert count > 150
    assert result == Result("permissions", "ok", f"{DEPLOYER.arn} may call all {count} actions")
    assert {asked["PolicySourceArn"] for asked in account.simulated} == {DEPLOYER.arn}


def test_actions_are_simulated_on_resources_named_like_the_stacks_own(account: Account) -> None:
    list(check_permissions(account.stack("eu-west-1"), DEPLOYER))
    where = {
        action: simulation_of(account, action)["ResourceArns"]
        for action in (
            "iam:CreateRole",
            "s3:CreateBucket",
            "secretsmanager:CreateSecret",
            "ecs:CreateService",
            "ec2:CreateVpc",
        )
    }
    assert where == {
        "iam:CreateRole": ["arn:aws:iam::123456789012:role/langfuse-dev-preflight"],
        "s3:CreateBucket": ["arn:aws:s3:::langfuse-dev-preflight"],
        "secretsmanager:CreateSecret": [
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:langfuse-dev-preflight-AbCdEf"
        ],
        "ecs:CreateService": [
            "arn:aws:ecs:eu-west-1:123456789012:service/langfuse-dev-preflight/"
            "langfuse-dev-preflight"
        ],
        "ec2:CreateVpc": ["*"],
    }


def test_conditions_on_the_region_are_met_as_a_real_call_meets_them(account: Account) -> None:
    list(check_permissions(account.stack("eu-west-1"), DEPLOYER))
    assert context_of(simulation_of(account, "ecs:CreateService")) == {
        "aws:RequestedRegion": "eu-west-1"
    }
    # IAM is in one region for all.
    assert context_of(simulation_of(account, "iam:CreateRole")) == {
        "aws:RequestedRegion": "us-east-1"
    }


def test_roles_are_passed_to_the_services_of_the_stack_only(account: Account) -> None:
    network = {"egress": "natGateway", "flowLogs": True}
    list(check_permissions(account.stack(network=network), DEPLOYER))
    passed = {
        context_of(asked)["iam:PassedToService"]
        for asked in account.simulated
        if asked["ActionNames"] == ["iam:PassRole"]
    }
    assert passed == {
        f"{service}.amazonaws.com"
        for service in ("ecs-tasks", "lambda", "ec2", "scheduler", "backup", "vpc-flow-logs")
    }


BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
BOUNDED = ("iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary")
POLICIES = [f"arn:aws:iam::{ACCOUNT}:policy/{name}" for name in ("evaluators", "export")]


def test_roles_are_made_and_get_their_policies_under_the_conditions_of_a_boundary(
    account: Account,
) -> None:
    web, worker = ({"policyArns": [arn]} for arn in POLICIES)
    stack = account.stack(permissionsBoundary=BOUNDARY, web=web, worker=worker)
    list(check_permissions(stack, DEPLOYER))
    for action in BOUNDED:
        assert context_of(simulation_of(account, action))["iam:PermissionsBoundary"] == BOUNDARY
    attached = [
        context_of(asked)
        for asked in account.simulated
        if "iam:AttachRolePolicy" in asked["ActionNames"]
    ]
    assert {context["iam:PermissionsBoundary"] for context in attached} == {BOUNDARY}
    named = [context["iam:PolicyARN"] for context in attached if "iam:PolicyARN" in context]
    assert sorted(named) == POLICIES, "a statement may allow some policies only"


def test_without_a_boundary_nobody_asks_for_one(account: Account) -> None:
    list(check_permissions(account.stack(), DEPLOYER))
    asked = {action for each in account.simulated for action in each["ActionNames"]}
    assert "iam:PutRolePermissionsBoundary" not in asked
    keys = {key for each in account.simulated for key in context_of(each)}
    assert "iam:PermissionsBoundary" not in keys, "a call without a boundary has no such key"


def test_records_are_simulated_in_the_zone_of_the_domain(account: Account) -> None:
    made = aws("route53").create_hosted_zone(Name="example.com", CallerReference="1")
    zone = made["HostedZone"]["Id"].rpartition("/")[2]
    list(check_permissions(account.stack(domain="langfuse.example.com"), DEPLOYER))
    asked = simulation_of(account, "route53:ChangeResourceRecordSets")
    assert asked["ResourceArns"] == [f"arn:aws:route53:::hostedzone/{zone}"]


@pytest.mark.parametrize(
    ("answer", "status", "message", "remedy"),
    [
        (
            {},
            "failed",
            "{caller} may not call {actions}: no policy allows it.",
            'Add to a policy of {caller}: {{"Effect": "Allow", "Action": ["sqs:A", "sqs:B"], '
            '"Resource": "*"}}',
        ),
        (
            {
                "EvalDecision": "explicitDeny",
                "MatchedStatements": [{"SourcePolicyId": "no-queues"}],
            },
            "failed",
            "{caller} may not call {actions}: a policy denies it (no-queues).",
            "Take them out of the statement that denies them.",
        ),
        (
            {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}},
            "failed",
            "{caller} may not call {actions}: the organization forbids it.",
            "Ask whoever runs the organization to allow them in its service control policies.",
        ),
        (
            {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}},
            "failed",
            "{caller} may not call {actions}: its permissions boundary does not allow it.",
            "Extend the permissions boundary of {caller} by {actions}.",
        ),
        (
            {"MissingContextValues": ["aws:RequestTag/Team"]},
            "unknown",
            "could not be checked: {caller} may call {actions} under conditions at the most "
            "(aws:RequestTag/Team).",
            "Look at the conditions in the policies of {caller}.",
        ),
    ],
)
def test_each_kind_of_refusal_has_its_remedy(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    answer: Mapping[str, Any],
    status: str,
    message: str,
    remedy: str,
) -> None:
    def queues(_: Settings) -> list[Row]:
        return [Row("*", "", "", ("sqs:A", "sqs:B", "sqs:C"), ())]

    monkeypatch.setattr("langfuse_aws.automation.preflight.permissions.rows_for", queues)
    account.refusals = {"sqs:A": answer, "sqs:B": answer}
    result = only(check_permissions(account.stack(), DEPLOYER))
    words = {"caller": DEPLOYER.arn, "actions": "sqs:A, sqs:B"}
    assert (result.check, result.status) == ("permissions sqs", status)
    assert result.message == message.format_map(words)
    assert result.remedy == remedy.format_map(words)


def test_refusals_are_told_by_service(account: Account) -> None:
    account.refusals = {"ecs:CreateService": {}, "ec2:CreateVpc": {}, "ecs:CreateCluster": {}}
    results = list(check_permissions(account.stack(), DEPLOYER))
    assert [result.check for result in results] == ["permissions ec2", "permissions ecs"]
    assert "ecs:CreateCluster, ecs:CreateService:" in results[1].message


def test_an_assumed_role_is_simulated_with_the_path_that_its_session_hides(
    account: Account,
) -> None:
    make_role("deploy", "/ci/")
    result = only(check_permissions(account.stack(), ROLE))
    assert result.message.startswith(f"arn:aws:iam::{ACCOUNT}:role/ci/deploy may call all ")


def test_an_assumed_role_that_may_not_look_at_itself_is_taken_to_have_no_path() -> None:
    assert principal_of(Forbidden(), ROLE) == f"arn:aws:iam::{ACCOUNT}:role/deploy"


@pytest.mark.parametrize(
    ("caller", "why"),
    [
        (
            ROOT_USER,
            "IAM does not simulate the root user, which may do all that the organization allows. "
            "Use a role instead.",
        ),
        (FEDERATED, f"IAM simulates users and roles only, not {FEDERATED.arn}."),
    ],
)
def test_callers_that_iam_does_not_simulate_are_no_failure(
    account: Account, caller: Caller, why: str
) -> None:
    said = f"could not be checked: {why}"
    assert only(check_permissions(account.stack(), caller)) == Result(
        "permissions", "unknown", said
    )
    roles = only(check_service_linked_roles(account.stack(), caller))
    assert (roles.status, roles.message) == ("unknown", said)
    assert account.simulated == []


def test_existing_service_linked_roles_need_no_permission(account: Account) -> None:
    make_service_roles()
    assert only(check_service_linked_roles(account.stack(), DEPLOYER)) == Result(
        "service-linked roles", "ok", "all are there"
    )
    assert account.simulated == []


def test_a_missing_service_linked_role_is_fine_if_the_caller_may_have_it_made(
    account: Account,
) -> None:
    make_service_roles("AWSServiceRoleForRDS")
    assert only(check_service_linked_roles(account.stack(), DEPLOYER)) == Result(
        "service-linked roles", "ok", "the first up makes AWSServiceRoleForRDS"
    )
    asked = only(account.simulated)
    assert asked["ActionNames"] == ["iam:CreateServiceLinkedRole"]
    assert asked["ResourceArns"] == [
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"
    ]
    assert context_of(asked) == {
        "aws:RequestedRegion": "us-east-1",
        "iam:AWSServiceName": "rds.amazonaws.com",
    }


def test_a_missing_service_linked_role_that_nobody_may_make_fails_with_the_command(
    account: Account,
) -> None:
    make_service_roles("AWSServiceRoleForECS")
    account.refusals = {"iam:CreateServiceLinkedRole": {}}
    assert only(check_service_linked_roles(account.stack(), DEPLOYER)) == Result(
        "service-linked roles",
        "failed",
        f"AWSServiceRoleForECS is not there, and {DEPLOYER.arn} may not call "
        "iam:CreateServiceLinkedRole: no policy allows it.",
        "Have an administrator run: aws iam create-service-linked-role --aws-service-name "
        "ecs.amazonaws.com",
    )


def test_conditions_on_service_linked_roles_are_no_failure(account: Account) -> None:
    make_service_roles("AWSServiceRoleForECS")
    account.refusals = {"iam:CreateServiceLinkedRole": {"MissingContextValues": ["aws:SourceIp"]}}
    result = only(check_service_linked_roles(account.stack(), DEPLOYER))
    assert result.status == "unknown"
    assert result.remedy.endswith("--aws-service-name ecs.amazonaws.com")


@pytest.mark.parametrize(
    ("config", "roles"),
    [
        ({}, {"APIGateway"}),
        ({"ingress": {"kind": "alb"}}, {"ElasticLoadBalancing"}),
        ({"images": {"source": "mirror"}}, {"APIGateway"}),
        ({"images": PULL_THROUGH}, {"APIGateway", "ECRPullThroughCache"}),
        (
            {"images": {"source": "mirror"}, "web": {"platform": "appRunner"}, **WITH_NAT},
            {"AppRunner", "AppRunnerNetworking"},
        ),
    ],
    ids=["dev", "load balancer", "mirror", "pull through", "App Runner"],
)
def test_each_service_of_a_stack_makes_its_service_linked_role(
    account: Account, config: dict[str, Any], roles: set[str]
) -> None:
    stack = account.stack(domain="langfuse.example.com", **config)
    made = only(check_service_linked_roles(stack, DEPLOYER)).message
    shared = {name.removeprefix("AWSServiceRoleFor") for name in ALL_ROLES.values()} - {
        "APIGateway"
    }
    assert set(made.removeprefix("the first up makes ").split(", ")) == {
        f"AWSServiceRoleFor{role}" for role in shared | roles
    }


def test_a_vault_needs_rights_on_its_key_as_aws_backup_calls_it(account: Account) -> None:
    list(check_permissions(account.stack("eu-west-1"), DEPLOYER))
    asked = simulation_of(account, "kms:CreateGrant")
    assert set(asked["ActionNames"]) == {
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKey",
        "kms:RetireGrant",
    }
    assert asked["ResourceArns"] == [f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/preflight"]
    assert context_of(asked)["kms:ViaService"] == "backup.eu-west-1.amazonaws.com"


def test_services_have_the_names_of_the_partition(account: Account) -> None:
    """The context of a real call: https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3636."""
    caller = replace(DEPLOYER, partition="aws-cn")
    list(check_permissions(account.stack("cn-north-1"), caller))
    asked = [context_of(each) for each in account.simulated]
    passed = {each["iam:PassedToService"] for each in asked if "iam:PassedToService" in each}
    assert {each for each in passed if "ec2" in each} == {"ec2.amazonaws.com.cn"}
    assert "ecs-tasks.amazonaws.com" in passed
    through = {each["kms:ViaService"] for each in asked if "kms:ViaService" in each}
    assert through == {"backup.cn-north-1.amazonaws.com.cn"}


def test_a_firewall_needs_rights_on_the_load_balancer_too(account: Account) -> None:
    ingress: dict[str, Any] = {"kind": "alb", "waf": {}}
    list(check_permissions(account.stack(domain="langfuse.example.com", ingress=ingress), DEPLOYER))
    asked = simulation_of(account, "elasticloadbalancing:CreateWebACLAssociation")
    assert asked["ResourceArns"] == [
        f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:"
        "loadbalancer/app/langfuse-dev-preflight/0"
    ]
    assert {
        "elasticloadbalancing:GetLoadBalancerWebACL",
        "elasticloadbalancing:SetWebAcl",
        "wafv2:AssociateWebACL",
    } <= set(asked["ActionNames"])


@pytest.mark.parametrize(
    "action", ["ecs:DescribeTaskDefinition", "logs:DescribeLogGroups", "rds:DescribeGlobalClusters"]
)
def test_a_list_is_simulated_on_every_resource(account: Account, action: str) -> None:
    list(check_permissions(account.stack(postgres={"mode": "auroraServerless"}), DEPLOYER))
    assert simulation_of(account, action)["ResourceArns"] == ["*"]


def test_simulated_stacks_keep_their_prefix(account: Account) -> None:
    stack = account.stack()
    named = NewStack("prod", "acme-prod", stack.region, stack.settings, stack.aws)
    list(check_permissions(named, DEPLOYER))
    assert simulation_of(account, "iam:CreateRole")["ResourceArns"] == [
        f"arn:aws:iam::{ACCOUNT}:role/acme-prod-preflight"
    ]
