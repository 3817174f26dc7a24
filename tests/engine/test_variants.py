"""Stacks that no shipped file describes, under the real engine on the in-memory providers.

It proves that they preview without a word of warning, come up, and then have nothing to change.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.cost.bill import bill
from langfuse_aws.graph.model import STACK_TYPE, ResourceGraph
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.deployment import Deployment

EXTERNAL: dict[str, dict[str, str]] = {
    "clickhouse": {
        "clickhouse.mode": "external",
        "clickhouse.url": "https://abc.clickhouse.cloud:8443",
        "clickhouse.migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
    },
    "postgres": {"postgres.mode": "external", "postgres.host": "db.example.com"},
    "redis": {"redis.mode": "external", "redis.host": "cache.example.com"},
}
TYPES = {
    "clickhouse": "aws:ebs/volume:Volume",
    "postgres": "aws:rds/instance:Instance",
    "redis": "aws:elasticache/replicationGroup:ReplicationGroup",
}
PASSWORD = "Secret-of-the-store"
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"


def make_external(deployment: Deployment, stores: list[str]) -> None:
    plain = {key: value for store in stores for key, value in EXTERNAL[store].items()}
    deployment.configure_all(plain, {f"{store}Password": PASSWORD for store in stores})


@pytest.mark.parametrize("stores", [[], ["clickhouse"], ["postgres", "redis"], [*EXTERNAL]])
def test_stores_of_ones_own_and_external_ones_preview_clean(
    stores: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    """What every combination registers, tests/unit/settings/test_external_stores.py sees."""
    # Without it `pulumi` has no --event-log.
    deployment = Deployment.of("dev", tmp_path, {**environment, "PULUMI_DEBUG_COMMANDS": "true"})
    make_external(deployment, stores)
    events = tmp_path / "events.json"
    done = deployment.run("preview", "--json", "--event-log", str(events), "--stack", "dev")
    found = json.loads(done.stdout)
    told = [each for each in found.get("diagnostics", []) if each["severity"] != "debug"]
    assert told == [], "a preview that warns is not clean"
    planned = {step["newState"]["type"] for step in found["steps"]}
    for store, kind in TYPES.items():
        assert (kind in planned) is (store not in stores), store
    assert PASSWORD not in done.stdout + done.stderr
    costs = bill(ResourceGraph.of_preview(found), "us-east-1")
    assert costs.unpriced == ()
    assert outputs_of(events)["monthly_cost_usd"] == round(costs.sums.configured, 2)


def outputs_of(events: Path) -> dict[str, Any]:
    """The stack's outputs at the end of a preview, which knows some of them."""
    made = [json.loads(line).get("resOutputsEvent") for line in events.read_text().splitlines()]
    states = [each["metadata"]["new"] for each in made if each]
    return [each for each in states if each["type"] == STACK_TYPE][-1]["outputs"]


SIGN_IN = {
    "auth.providers.google.clientId": "google-id",
    "auth.providers.okta.clientId": "okta-id",
    "auth.providers.okta.issuer": "https://example.okta.com",
    "smtp.mode": "ses",
    "smtp.from": "no-reply@example.com",
    "smtp.resourceArns[0]": "arn:aws:ses:us-east-1:123456789012:identity/parent.example.com",
}


@pytest.mark.running
def test_a_stack_of_external_stores_signs_in_and_its_secrets_and_its_web_acl_can_change(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("prod", tmp_path, environment)
    make_external(deployment, list(EXTERNAL))
    secrets = {"google": PASSWORD, "okta": PASSWORD}
    settings = {**SIGN_IN, "ingress.waf.rateLimitPerFiveMinutes": "2000"}
    settings |= {"grafana.enabled": "true", "grafana.clickhouseUser": "onlooker"}
    deployment.configure_all(
        settings, {"authSecrets": json.dumps(secrets), "grafanaClickhousePassword": PASSWORD}
    )
    deployment.up()
    assert deployment.changes() == set()
    web, worker = (environment_of(deployment, container) for container in ("web", "worker"))
    assert web["AUTH_OKTA_ISSUER"] == "https://example.okta.com"
    assert web["SMTP_CONNECTION_URL"] == worker["SMTP_CONNECTION_URL"]
    policies = deployment.of_type("aws:iam/rolePolicy:RolePolicy")
    (sending,) = [
        statement
        for each in policies
        if each["urn"].endswith("-web-task")
        for statement in json.loads(each["outputs"]["policy"])["Statement"]
        if "ses:SendRawEmail" in statement["Action"]
    ]
    assert sending["Resource"] == [SIGN_IN["smtp.resourceArns[0]"]], "in place of the guessed ones"
    changed = json.dumps({**secrets, "google": "Another-one"})
    deployment.configure_all({}, {"postgresPassword": "Another-one", "authSecrets": changed})
    assert {(each.type, each.name) for each in deployment.changes()} == {
        (SECRET_VERSION, "langfuse-prod-postgres-credentials"),
        (SECRET_VERSION, "langfuse-prod-auth"),
    }, "tasks read secrets at their start, so none of them changes, and nothing migrates again"
    deployment.run("config", "rm", "--path", "langfuse:ingress.waf", "--stack", "prod")
    assert sorted(
        each["urn"].split("$")[-1] for each in deployment.steps() if each["op"] == "delete"
    ) == [
        "aws:cloudwatch/logGroup:LogGroup::aws-waf-logs-langfuse-prod",
        "aws:wafv2/webAcl:WebAcl::langfuse-prod",
        "aws:wafv2/webAclAssociation:WebAclAssociation::langfuse-prod",
        "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration::langfuse-prod",
        "langfuse:index:WebAcl::langfuse-prod",
    ], "the web ACL goes, and the load balancer stays as it is"
    deployment.up()
    assert not [each for each in deployment.state() if "wafv2" in each["type"]]
    text = deployment.run("stack", "export", "--stack", "prod").stdout
    assert PASSWORD not in text
    assert "Another-one" not in text


@pytest.mark.running
def test_three_clickhouse_servers_have_three_zones_volumes_and_names(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("prod", tmp_path, environment)
    alarms = {"alarms.email": "ops@example.com", "alarms.monthlyBudgetUsd": "900"}
    deployment.configure_all({"clickhouse.replicas": "3", **alarms}, {})
    deployment.up()
    assert deployment.changes() == set()
    check_that_alarms_can_be_taken_away(deployment)
    volumes = deployment.of_type("aws:ebs/volume:Volume")
    assert {each["urn"].split("::")[-1] for each in volumes} == {
        f"langfuse-prod-clickhouse-{number}" for number in (1, 2, 3)
    }
    assert len({each["outputs"]["availabilityZone"] for each in volumes}) == 3
    names = deployment.of_type("aws:servicediscovery/service:Service")
    assert {each["outputs"]["name"] for each in names} == {
        "clickhouse",
        "clickhouse-1",
        "clickhouse-2",
        "clickhouse-3",
    }
    deployment.configure("clickhouse.replicas", "1")
    refused = deployment.run("preview", "--stack", "prod", check=False)
    assert refused.returncode != 0
    assert "langfuse-prod-clickhouse-1 (aws:ebs/volume:Volume) would be" in (
        refused.stdout + refused.stderr
    ), "fewer servers lose data as more do"


def check_that_alarms_can_be_taken_away(deployment: Deployment) -> None:
    """Preview the stack without `langfuse:alarms`, which is set to nothing for the while."""
    only_for_alarms = (
        "langfuse:index:Alarms",
        "langfuse:index:Budget",
        "aws:cloudwatch/logMetricFilter:LogMetricFilter::langfuse-prod-worker",
    )
    made = {
        each["urn"]
        for each in deployment.state()
        if any(part in each["urn"] for part in only_for_alarms)
    }
    assert len(made) > 30
    set_aside = deployment.run("config", "get", "langfuse:alarms", "--stack", "prod").stdout
    deployment.run("config", "rm", "langfuse:alarms", "--stack", "prod")
    steps = [step for step in deployment.steps() if step["op"] != "same"]
    gone = {step["urn"] for step in steps if step["op"] == "delete"}
    changed = {step["urn"].split("::")[-1] for step in steps if step["op"] != "delete"}
    assert gone == made, "a protected stack too lets its alarms and their key go"
    assert changed == {"langfuse-prod-dashboard"}, "it showed their states"
    deployment.run("config", "set", "langfuse:alarms", set_aside.strip(), "--stack", "prod")


@pytest.mark.running
def test_langfuse_4_comes_up_from_3_and_each_step_of_its_move_is_an_update(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    deployment.configure("release", LANGFUSE_3)
    deployment.up()
    for container in ("web", "worker"):
        assert not [each for each in environment_of(deployment, container) if "_V4_" in each]
    deployment.run("config", "rm", "langfuse:release", "--stack", "dev")
    refused = deployment.run("preview", "--stack", "dev", check=False)
    assert refused.returncode != 0, "a default alone takes no stack to another major"
    for release in (LANGFUSE_3, LANGFUSE):
        assert f"pulumi config set langfuse:release {release} " in refused.stdout + refused.stderr
    deployment.configure("release", LANGFUSE)
    for mode in ("legacy", "events_only"):
        deployment.configure("v4.writeMode", mode)
        deployment.up()
        for container in ("web", "worker"):
            variables = environment_of(deployment, container)
            assert variables["LANGFUSE_MIGRATION_V4_WRITE_MODE"] == mode
            opted = "false" if mode == "legacy" else "true"
            assert variables["LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN"] == opted
        otel = environment_of(deployment, "worker")["LANGFUSE_MIGRATION_V4_NATIVE_OTEL_BEHAVIOUR"]
        assert otel == ("direct" if mode == "events_only" else "dual_write")
    assert deployment.changes() == set()


@pytest.mark.running
def test_grafana_comes_and_goes_and_only_clickhouse_restarts(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("prod", tmp_path, environment)
    deployment.up()
    before = {each["urn"] for each in deployment.state()}
    clickhouse = {
        ("aws:ecs/service:Service", "langfuse-prod-clickhouse"),
        ("aws:ecs/taskDefinition:TaskDefinition", "langfuse-prod-clickhouse"),
        ("aws:iam/rolePolicy:RolePolicy", "langfuse-prod-clickhouse-execution"),
    }

    deployment.configure("grafana.enabled", "true")
    deployment.up()
    outputs = deployment.outputs()
    assert outputs["grafana_url"] == f"{outputs['url']}/grafana"
    assert ":secret:langfuse-prod-grafana" in outputs["grafana_password_secret_arn"]
    assert deployment.changes() == set()
    assert deployment.changes("refresh", "--preview-only") == set()
    with_it = {each["urn"] for each in deployment.state()}
    assert before < with_it
    text = deployment.run("stack", "export", "--show-secrets", "--stack", "prod").stdout
    passwords = {
        each["outputs"]["result"]["plaintext"].strip('"')
        for each in json.loads(text)["deployment"]["resources"]
        if each["type"].endswith("RandomPassword") and "-grafana-" in each["urn"]
    }
    assert len(passwords) == 2
    clear = deployment.run("stack", "export", "--stack", "prod").stdout
    assert not [password for password in passwords if password in clear]

    deployment.configure("grafana.enabled", "false")
    steps = [each for each in deployment.steps() if each["op"] != "same"]
    assert {each["urn"] for each in steps if each["op"] == "delete"} == with_it - before, (
        "even of a protected stack, since nothing is lost with it"
    )
    touched = {
        (each["urn"].split("::")[2].split("$")[-1], each["urn"].split("::")[3])
        for each in steps
        if each["urn"] in before
    }
    assert touched - {("pulumi:pulumi:Stack", "langfuse-prod")} == clickhouse
    deployment.up()
    assert {each["urn"] for each in deployment.state()} == before


def environment_of(deployment: Deployment, container: str) -> dict[str, str]:
    for task in deployment.of_type("aws:ecs/taskDefinition:TaskDefinition"):
        for definition in json.loads(task["outputs"]["containerDefinitions"]):
            if definition["name"] == container:
                return {each["name"]: each["value"] for each in definition["environment"]}
    raise AssertionError(f"no container {container}")
