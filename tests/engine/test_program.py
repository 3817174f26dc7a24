"""The program itself under the real Pulumi engine, on the in-memory providers.

It proves what the engine makes of the program: order, secrets, updates, protection, errors. What
AWS would say is not tried here.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.cost.bill import bill
from langfuse_aws.graph.model import ResourceGraph
from tests.deployment import NEXT_RELEASE, PROTECTED_MESSAGE, Deployment
from tests.warm_python import SOCKET

FEWEST_RESOURCES = 80
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
OUTPUTS = {
    "cluster_name",
    "dashboard_url",
    "health_url",
    "log_group_names",
    "monthly_cost_usd",
    "url",
    "web_service_name",
    "worker_service_name",
}


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_a_stack_comes_up_and_then_has_nothing_to_change(
    stack: str, environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of(stack, tmp_path, environment)
    deployment.up()
    outputs = deployment.outputs()
    assert set(outputs) == OUTPUTS
    assert outputs["health_url"] == f"{outputs['url']}/api/public/health"
    assert outputs["dashboard_url"].endswith(f"#dashboards/dashboard/langfuse-{stack}-us-east-1")
    state = deployment.state()
    assert len(state) >= FEWEST_RESOURCES
    (template,) = [
        each["inputs"]
        for each in state
        if each["type"] == TEMPLATE and each["urn"].endswith("-clickhouse")
    ]
    tags = {"Project": "langfuse", "Stack": stack, "Name": f"langfuse-{stack}-clickhouse"}
    assert [each["tags"] for each in template["tagSpecifications"]] == [tags] * 3
    subnets = [each["inputs"] for each in state if each["type"] == "aws:ec2/subnet:Subnet"]
    assert len(subnets) >= 4, "awsx makes them in a process of its own"
    given = {each.get("mapPublicIpOnLaunch", False) for each in subnets}
    assert given == {False}, "tasks and instances that need an address ask for it"
    costs = bill(ResourceGraph.of_state({"resources": state}), "us-east-1")
    assert costs.unpriced == ()
    assert outputs["monthly_cost_usd"] == round(costs.sums.configured, 2)
    another = dataclasses.replace(deployment, providers={**environment, SOCKET: ""})
    assert another.changes() == set(), "in a Python of its own, with another order of sets"
    assert deployment.changes("refresh", "--preview-only") == set()


@pytest.mark.running
def test_a_new_release_migrates_and_changes_two_services_and_another_scaling_changes_one(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("prod", tmp_path, environment)
    deployment.up()
    deployment.configure("worker.scaleOn", "cpu")
    assert operations(deployment) == {
        ("delete", "aws:appautoscaling/policy:Policy", "langfuse-prod-worker-lag"),
        ("delete", "aws:appautoscaling/policy:Policy", "langfuse-prod-worker-lag-steps"),
        ("delete", "aws:cloudwatch/metricAlarm:MetricAlarm", "langfuse-prod-worker-lag"),
        ("update", "aws:appautoscaling/policy:Policy", "langfuse-prod-worker-cpu"),
        ("update", "aws:ecs/service:Service", "langfuse-prod-worker"),
        ("replace", "aws:ecs/taskDefinition:TaskDefinition", "langfuse-prod-worker"),
        ("update", "aws:cloudwatch/dashboard:Dashboard", "langfuse-prod-dashboard"),
    }, "a task definition's next revision is a replacement, and the only one"
    deployment.configure("worker.scaleOn", "backlog")
    deployment.configure("release", NEXT_RELEASE)
    changed = {(each.type, each.name) for each in deployment.changes()}
    assert changed == {
        (f"aws:ecs/{kind}", f"langfuse-prod-{container}")
        for kind in ("service:Service", "taskDefinition:TaskDefinition")
        for container in ("web", "worker")
    } | {
        ("aws:ecs/taskDefinition:TaskDefinition", "langfuse-prod-migration"),
        ("aws:lambda/invocation:Invocation", "langfuse-prod-migration"),
    }, "an upgrade touches no store"


@pytest.mark.running
def test_sizing_up_every_store_replaces_none(environment: dict[str, str], tmp_path: Path) -> None:
    deployment = Deployment.of("prod", tmp_path, environment)
    deployment.up()
    larger = {
        "clickhouse.volumeGib": "200",
        "clickhouse.instanceType": "r7g.xlarge",
        "postgres.maxAcu": "16",
        "postgres.instances": "3",
        "redis.nodeType": "cache.t4g.small",
        "redis.replicas": "2",
        "network.zones": "4",
        "network.egress": "natGateway",
        "storage.kms": "true",
    }
    deployment.configure_all(larger, {})
    stores = (
        "aws:rds/",
        "aws:elasticache/",
        "aws:s3/bucket:",
        "aws:ebs/",
        "aws:secretsmanager/",
        "random:",
        "aws:ec2/subnet:",
        "aws:ec2/vpc:",
    )
    lost = {
        (step["op"], step["urn"].split("::")[2].split("$")[-1], step["urn"].split("::")[3])
        for step in deployment.steps()
        if "delete" in step["op"] or "replace" in step["op"]
    }
    assert [each for each in lost if each[1].startswith(stores)] == []
    deployment.up()


@pytest.mark.running
def test_destroying_a_protected_stack_destroys_nothing_until_it_is_unprotected(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("prod", tmp_path, environment)
    deployment.up()
    before = [resource["urn"] for resource in deployment.state()]
    refused = deployment.destroy(check=False)
    assert refused.returncode != 0
    assert PROTECTED_MESSAGE in refused.stdout + refused.stderr
    assert [resource["urn"] for resource in deployment.state()] == before
    deployment.configure("deletionProtection", "false")
    deployment.up()
    deployment.destroy()
    assert deployment.state() == []


def test_no_generated_secret_is_in_the_state_or_the_output_in_clear(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    deployment.configure("bootstrap.userEmail", "ada@example.com")
    shown = deployment.run("up", "--yes", "--diff", "--stack", "dev").stdout
    exported = deployment.run("stack", "export", "--stack", "dev").stdout
    revealed = deployment.run("stack", "export", "--show-secrets", "--stack", "dev").stdout
    secrets = {
        value
        for resource in json.loads(revealed)["deployment"]["resources"]
        if resource["type"] == "aws:secretsmanager/secretVersion:SecretVersion"
        for value in json.loads(_plain(resource["outputs"]["secretString"])).values()
        if not value.startswith("pk-lf-")
    }
    assert len(secrets) == 8
    for text, place in ((shown, "what up prints"), (exported, "the state")):
        assert not [secret for secret in secrets if secret in text], f"a secret is in {place}"


def _plain(value: Any) -> str:
    """Unwrap a secret of an export that shows them; Pulumi stores their JSON text."""
    return str(value) if isinstance(value, str) else json.loads(value["plaintext"])


def test_six_mistakes_print_six_messages_and_create_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    mistakes = {
        "release": "latest",
        "worker.memory": "1000",
        "clickhouse.volumeGib": "5",
        "ingress.allowedCidrs[0]": "203.0.113.0/24",
        "wroker": "1",
    }
    deployment.configure_all(mistakes, {})
    in_clear = ("langfuse:secretEnvironment", '{"ADMIN_API_KEY": "x"}')
    deployment.run("config", "set", "--plaintext", *in_clear, "--stack", "dev")
    done = deployment.run("up", "--yes", "--skip-preview", "--stack", "dev", check=False)
    printed = done.stdout + done.stderr
    assert done.returncode != 0
    assert "6 errors in the stack's configuration" in printed
    for key, words in {
        "release": "must be an exact Langfuse release",
        "worker.memory": "Fargate sells 1024 to 4096 MiB",
        "clickhouse.volumeGib": "must be 20 or more",
        "ingress.allowedCidrs": "exists only for ingress.kind alb",
        "wroker": "nearest known one is worker",
        "secretEnvironment": "is stored in the clear",
    }.items():
        lines = [line for line in printed.splitlines() if f"langfuse:{key}:" in line]
        assert lines, f"no message about {key}"
        assert words in lines[0]
    assert "Traceback" not in printed
    assert [each["type"] for each in deployment.state() if each.get("custom")] == []


def test_an_adopted_vpcs_mistake_is_one_message_without_a_traceback(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    adopted = {
        "network.vpcId": "vpc-0123456789abcdef0",
        "network.privateSubnetIds[0]": "subnet-00000000000000001",
        "network.privateSubnetIds[1]": "subnet-00000000000000004",
        "network.publicSubnetIds[0]": "subnet-00000000000000001",
        "network.publicSubnetIds[1]": "subnet-00000000000000002",
    }
    deployment.configure_all(adopted, {})
    done = deployment.run("preview", "--stack", "dev", check=False)
    printed = done.stdout + done.stderr
    assert done.returncode != 0
    assert "langfuse:network.privateSubnetIds: all in us-east-1" in printed
    assert "Traceback" not in printed


def operations(deployment: Deployment) -> set[tuple[str, ...]]:
    """What a preview does to which resource; the halves of a replacement are left out."""
    halves = ("create-replacement", "delete-replaced", "discard-replaced")
    return {
        (step["op"], step["urn"].split("::")[2].split("$")[-1], step["urn"].split("::")[3])
        for step in deployment.steps()
        if step["op"] not in ("same", "read", "refresh", *halves)
    }
