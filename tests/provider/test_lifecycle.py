"""dev, staging and prod, each from nothing to nothing, through the real AWS provider.

AWS is a simulation: names, enumerations, limits, plans and API calls are the provider's own, but no
container runs and no packet flows. Results are read back with boto3. Each stack is one test, since
its steps build on each other.
"""

import datetime
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.components.authorities import OPENSSL_VARIABLE
from langfuse_aws.components.environment import NO_MIGRATIONS
from langfuse_aws.contract.variables import known
from langfuse_aws.offline.catalog import resource_type
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3, version_of
from tests.deployment import PROTECTED_MESSAGE, Deployment
from tests.provider.aws import client
from tests.provider.ecs_scheduler import EcsScheduler
from tests.provider.gaps import (
    SEEN_BY_PREVIEW,
    SEEN_BY_PREVIEW_OF_A_WEB_ACL,
    SEEN_BY_PREVIEW_OF_RDS,
    SEEN_BY_REFRESH,
    SEEN_BY_REFRESH_OF_A_WEB_ACL,
    SEEN_BY_REFRESH_OF_RDS,
    SEEN_OF_A_NAT_INSTANCE,
)
from tests.provider.readback import COPY_REGION, Account, Ports, main_container
from tests.refused import refused

SEEN_AFTER_A_NIGHT = {("aws:ecs/service:Service", "desiredCount")}
"""The provider is run here without Pulumi's bridge, which leaves out what is ignored also where an
update has read another value back than it was given.
https://github.com/pulumi/pulumi-terraform-bridge (processIgnoreChanges)"""
FEWEST_RESOURCES = 100
DATABASE = "aws:rds/instance:Instance"
MAIL = "ops@example.com"
PARALLEL = "4"
"""Three stacks come up side by side, on two cores."""

WITHOUT_PROVIDER_6 = str(Path(__file__).with_name("without_provider_6"))
"""What the program's Python imports at its start."""

LOST_CALL = "the Terraform provider's call failed: Deadline Exceeded"

SERVICE_PORTS = {
    ("{}-web", "{}-postgres", 5432),
    ("{}-web", "{}-redis", 6379),
    ("{}-web", "{}-clickhouse", 8123),
    ("{}-migration", "{}-postgres", 5432),
    ("{}-migration", "{}-clickhouse", 9000),
    ("{}-clickhouse-backup", "{}-clickhouse", 9000),
    ("{}-worker", "{}-postgres", 5432),
    ("{}-worker", "{}-redis", 6379),
    ("{}-worker", "{}-clickhouse", 8123),
}
GRAFANA_PORTS = {
    ("{}-vpc-link", "{}-grafana", 3000),
    ("{}-grafana", "{}-clickhouse", 8123),
}
BALANCER_PORTS = {
    ("0.0.0.0/0", "{}-alb", 80),
    ("0.0.0.0/0", "{}-alb", 443),
    ("{}-alb", "{}-web", 3000),
}


CLUSTER_PORTS = {("{}-clickhouse", "{}-clickhouse", port) for port in (9000, 9009, 9181, 9234)}


_AHEAD = 12 - datetime.datetime.now(datetime.timezone.utc).hour
NOON = f"Etc/GMT{-_AHEAD:+d}"
"""A zone in which it is noon, far from the times at which hours begin and end."""


@dataclass(frozen=True)
class Story:
    """What is particular to one stack."""

    stack: str
    region: str
    """One each: the simulation confuses the databases of one region."""
    zone: str | None
    """Hosted zone that the account has beforehand."""
    ports: frozenset[tuple[str, str, int]]
    update: Callable[[Deployment], None]
    updated: Callable[[Account, dict[str, Any]], None]
    """Asserts with boto3 that the update arrived; gets the stack's outputs."""
    gaps: frozenset[tuple[str, str]]
    config: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the stack sets besides its file."""
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Secret keys that it sets."""
    migrations: int = 1
    """Migrations after the update."""

    @property
    def account(self) -> Account:
        """What the account holds of the stack."""
        return Account(f"langfuse-{self.stack}", self.region)


def worker_gets_more_memory(account: Account, outputs: dict[str, Any]) -> None:
    task = account.task_definition(outputs["cluster_name"], outputs["worker_service_name"])
    plain = account.environment(main_container(task))
    assert task["memory"] == "4096"
    assert plain["NODE_OPTIONS"] == "--max-old-space-size=3072"
    check_hours(account, outputs)


def check_that_it_sleeps_and_wakes(
    account: Account, deployment: Deployment, outputs: dict[str, Any]
) -> None:
    """`pause` stops what the schedules stop, an update leaves it so, and `resume` starts it."""
    before = running(account, outputs)
    assert "available" in before
    assert 0 not in before
    told = automation(deployment, "pause")
    assert told["state"] == "asleep"
    assert set(told["parts"]) == {
        *("web", "worker", "grafana", "clickhouse"),
        *("hosts", "database"),
    }
    asleep = ["stopped", 0, 0, 0, 0, 0]
    assert running(account, outputs) == asleep
    deployment.configure("web.memory", "4096")
    # The simulation forgets performanceInsightsEnabled, and RDS changes nothing that is stopped.
    (database,) = [each["urn"] for each in deployment.of_type(DATABASE)]
    done = deployment.up("--exclude", database, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert running(account, outputs) == asleep, "no update wakes it"
    assert automation(deployment, "pause")["state"] == "asleep", "again, with nothing to do"
    told = automation(deployment, "resume")
    assert (told["state"], told["url"]) == ("awake", outputs["url"])
    assert running(account, outputs) == before
    seen = {(change.type, change.property) for change in deployment.changes()}
    assert seen <= SEEN_BY_PREVIEW | SEEN_BY_PREVIEW_OF_RDS | SEEN_AFTER_A_NIGHT


def running(account: Account, outputs: dict[str, Any]) -> list[Any]:
    """The database's status, the size of the group, and what each service is to run."""
    (database,) = account.client("rds").describe_db_instances()["DBInstances"]
    groups = account.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    ecs, cluster = account.client("ecs"), outputs["cluster_name"]
    arns = ecs.list_services(cluster=cluster)["serviceArns"]
    services = ecs.describe_services(cluster=cluster, services=arns)["services"]
    counts = {each["serviceName"]: each["desiredCount"] for each in services}
    return [
        database["DBInstanceStatus"],
        *(each["DesiredCapacity"] for each in groups),
        *(counts[name] for name in sorted(counts)),
    ]


def automation(deployment: Deployment, command: str) -> dict[str, Any]:
    """What a command of `python3 -m automation` prints with `--json`."""
    done = subprocess.run(
        (
            *(sys.executable, "-m", "automation", command, "--json"),
            *("--stack", deployment.stack.name, "--dir", str(deployment.stack.folder)),
        ),
        cwd=REPOSITORY,
        env=deployment.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return cast("dict[str, Any]", json.loads(done.stdout))


def check_hours(account: Account, outputs: dict[str, Any]) -> None:
    """AWS has the schedules that put the stack to sleep, in the zone of its hours."""
    weekdays, zone = "? * MON,TUE,WED,THU,FRI *", NOON
    scaling = account.client("application-autoscaling")
    actions = scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    cluster = outputs["cluster_name"]
    found = {
        (each["ResourceId"].rpartition("/")[2].rpartition("-")[0], each["Schedule"]): (
            each["ScalableTargetAction"]["MinCapacity"],
            each["ScalableTargetAction"]["MaxCapacity"],
            each["Timezone"],
        )
        for each in actions
        if each["ResourceId"].startswith(f"service/{cluster}/")
    }
    assert found == {
        ("langfuse-dev-web", f"cron(0 19 {weekdays})"): (0, 0, zone),
        ("langfuse-dev-web", f"cron(50 7 {weekdays})"): (1, 1, zone),
        ("langfuse-dev-grafana", f"cron(0 19 {weekdays})"): (0, 0, zone),
        ("langfuse-dev-grafana", f"cron(50 7 {weekdays})"): (1, 1, zone),
        ("langfuse-dev-worker", f"cron(5 19 {weekdays})"): (0, 0, zone),
        ("langfuse-dev-worker", f"cron(50 7 {weekdays})"): (1, 2, zone),
        ("langfuse-dev-clickhouse", f"cron(10 19 {weekdays})"): (0, 0, zone),
        ("langfuse-dev-clickhouse", f"cron(42 7 {weekdays})"): (1, 1, zone),
    }
    groups = account.client("autoscaling").describe_scheduled_actions()
    assert {
        (each["Recurrence"], each["MinSize"], each["MaxSize"], each["DesiredCapacity"])
        for each in groups["ScheduledUpdateGroupActions"]
    } == {("15 19 * * 1,2,3,4,5", 0, 0, 0), ("36 7 * * 1,2,3,4,5", 1, 1, 1)}
    scheduler, iam = account.client("scheduler"), account.client("iam")
    (database,) = account.client("rds").describe_db_instances()["DBInstances"]
    for end, action, at in (("sleep", "stop", "15 19"), ("wake", "start", "30 7")):
        (name,) = [
            each["Name"]
            for each in scheduler.list_schedules()["Schedules"]
            if each["Name"].startswith(f"langfuse-dev-postgres-{end}")
        ]
        schedule = scheduler.get_schedule(Name=name)
        assert schedule["ScheduleExpression"] == f"cron({at} {weekdays})"
        assert schedule["ScheduleExpressionTimezone"] == zone
        target = schedule["Target"]
        assert target["Arn"] == f"arn:aws:scheduler:::aws-sdk:rds:{action}DBInstance"
        given = {"DbInstanceIdentifier": database["DBInstanceIdentifier"]}
        assert json.loads(target["Input"]) == given
        role = target["RoleArn"].rpartition("/")[2]
        (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        (statement,) = document["Statement"]
        assert f"rds:{action.capitalize()}DBInstance" in statement["Action"]
        assert statement["Resource"] == [database["DBInstanceArn"]]


def next_major_and_more_capacity(deployment: Deployment) -> None:
    deployment.configure("release", LANGFUSE)
    deployment.configure("postgres.maxAcu", "16")


def langfuse_4_and_aurora_scales_further(account: Account, outputs: dict[str, Any]) -> None:
    check_containers(account, outputs, LANGFUSE)
    clusters = account.client("rds").describe_db_clusters()["DBClusters"]
    (found,) = [
        each["ServerlessV2ScalingConfiguration"]
        for each in clusters
        if each["DBClusterIdentifier"].startswith("langfuse-staging-postgres")
    ]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (0.5, 16), outputs


def events_expire(account: Account, outputs: dict[str, Any]) -> None:
    bucket = account.bucket()
    rules = account.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    by_name = {rule["ID"]: rule for rule in rules}
    assert by_name["expire-events"]["Filter"]["Prefix"] == "events/"
    assert by_name["expire-events"]["Expiration"]["Days"] == 30
    old = by_name["expire-old-versions"]["NoncurrentVersionExpiration"]
    assert old["NoncurrentDays"] == 14, "a versioned bucket would grow for ever"
    plain = account.environment(
        account.container(outputs["cluster_name"], outputs["web_service_name"])
    )
    assert plain["LANGFUSE_ENABLE_BLOB_STORAGE_FILE_LOG"] == "false"


SENDER = "no-reply@example.com"
SIGN_IN = {
    "auth.providers.google.clientId": "google-id",
    "auth.providers.azureAd.clientId": "azure-id",
    "auth.providers.azureAd.tenantId": "example.com",
    "smtp.mode": "ses",
    "smtp.from": SENDER,
}
CACHE_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache"
PULL_THROUGH = {
    "images.source": "pullThrough",
    "images.githubSecretArn": f"{CACHE_SECRET}/github-AbCdEf",
    "images.dockerHubSecretArn": f"{CACHE_SECRET}/docker-hub-AbCdEf",
}
CLIENT_SECRETS = {"google": "google-secret", "azureAd": "azure-secret"}

STORIES = [
    Story(
        "dev",
        "ap-southeast-2",
        None,
        frozenset(SERVICE_PORTS | GRAFANA_PORTS | {("{}-vpc-link", "{}-web", 3000)}),
        lambda deployment: deployment.configure("worker.memory", "4096"),
        worker_gets_more_memory,
        SEEN_BY_REFRESH_OF_RDS,
        {
            "bootstrap.userEmail": "ada@example.com",
            "grafana.enabled": "true",
            "hours.from": "08:00",
            "hours.to": "19:00",
            "hours.timezone": NOON,
        },
    ),
    Story(
        "staging",
        "us-east-1",
        "staging.example.com",
        frozenset(SERVICE_PORTS | BALANCER_PORTS | {("10.0.0.0/16", "{}-nat", -1)}),
        next_major_and_more_capacity,
        langfuse_4_and_aurora_scales_further,
        SEEN_BY_REFRESH | SEEN_BY_REFRESH_OF_A_WEB_ACL | SEEN_OF_A_NAT_INSTANCE,
        {
            "release": LANGFUSE_3,
            **SIGN_IN,
            **PULL_THROUGH,
            "ingress.waf.rateLimitPerFiveMinutes": "2000",
            "ingress.waf.countedRules[0]": "RestrictedExtensions_URIPATH",
        },
        {"authSecrets": json.dumps(CLIENT_SECRETS)},
        migrations=2,
    ),
    Story(
        "prod",
        "eu-west-1",
        "prod.example.com",  # example.com is the story's
        frozenset(SERVICE_PORTS | BALANCER_PORTS | CLUSTER_PORTS),
        lambda deployment: deployment.configure("storage.eventsRetentionDays", "30"),
        events_expire,
        SEEN_BY_REFRESH,
        {
            "domain": "langfuse.prod.example.com",
            "clickhouse.replicas": "3",
            "backups.copyRegion": COPY_REGION,
            "backups.vaultLock": "true",
            "alarms.email": MAIL,
            "alarms.monthlyBudgetUsd": "900",
        },
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=[story.stack for story in STORIES])
def test_a_stack_comes_up_stays_as_it_is_changes_and_goes(story: Story, tmp_path: Path) -> None:
    if story.zone:
        client("route53").create_hosted_zone(Name=story.zone, CallerReference=str(uuid.uuid4()))
    account = story.account
    deployment = Deployment.of(story.stack, tmp_path, {"PYTHONPATH": WITHOUT_PROVIDER_6}, PARALLEL)
    deployment.run("config", "set", "aws:region", story.region, "--stack", story.stack)
    deployment.configure_all(story.config, story.secrets)
    with EcsScheduler(story.region):
        live(story, account, deployment)


def live(story: Story, account: Account, deployment: Deployment) -> None:
    """Go through the stack's life, step by step."""
    deployment.up()
    outputs = deployment.outputs()
    first = deployment.state()
    assert len(first) >= FEWEST_RESOURCES
    assert refused([], first, story.region) == [], "AWS would not make this"
    check_automatic_names(first)
    release = story.config.get("release", LANGFUSE)
    check_containers(account, outputs, release)
    check_secrets(account, outputs, signs_in=bool(story.secrets))
    check_stores(account, replicated=story.stack == "prod")
    check_migrations(account, outputs, 1)
    check_backups(account, deployment, copied="backups.copyRegion" in story.config)
    check_scaling(account, outputs)
    check_alarms(account, outputs, mailed="alarms.email" in story.config)
    if story.stack == "dev":
        check_grafana(account, outputs)
    if "images.source" in story.config:
        check_pull_through(account, outputs, release)
    prefix = account.prefix
    ports = {(source.format(prefix), to.format(prefix), port) for source, to, port in story.ports}
    assert account.open_ports() == ports

    expected = SEEN_BY_PREVIEW
    if "ingress.waf.rateLimitPerFiveMinutes" in story.config:
        check_web_acl(account)
        expected |= SEEN_BY_PREVIEW_OF_A_WEB_ACL
    if story.stack == "dev":
        expected |= SEEN_BY_PREVIEW_OF_RDS
    if story.stack == "staging":
        expected |= SEEN_OF_A_NAT_INSTANCE

    seen = {(change.type, change.property) for change in deployment.changes()}
    # What the simulation reads back wrong is not seen each time: beside others it loses answers.
    assert seen <= expected, "a preview without changes shows some"
    drift = deployment.changes("refresh", "--preview-only")
    assert {(change.type, change.property) for change in drift} == story.gaps, "drift"

    story.update(deployment)
    update(deployment)
    story.updated(account, deployment.outputs())
    check_migrations(account, outputs, story.migrations)
    if story.stack == "dev":
        check_that_up_mends_what_somebody_deleted(account, deployment, outputs, ports)
        check_that_it_sleeps_and_wakes(account, deployment, outputs)

    if story.stack == "prod":
        check_that_destroy_destroys_nothing(deployment)
        deployment.configure("deletionProtection", "false")
        update(deployment)
    last = deployment.state()
    assert refused(first, last, story.region) == [], "AWS would not take this update"
    deployment.destroy()
    assert refused(last, [], story.region) == [], "AWS would not delete this"
    assert deployment.state() == []
    assert account.leftovers() == {}


def check_automatic_names(state: list[dict[str, Any]]) -> None:
    """The in-memory AWS names resources as the provider does."""
    checked: set[str] = set()
    for each in state:
        token, inputs = str(each["type"]), cast("dict[str, Any]", each.get("inputs") or {})
        naming = resource_type(token).naming if token.startswith("aws:") else None
        if naming is None or naming.property not in inputs.get("__defaults", []):
            continue
        given, found = each["urn"].split("::")[-1], inputs[naming.property]
        assert re.fullmatch(rf"{re.escape(naming.begins(given))}[0-9a-f]{{7}}", found), (
            token,
            found,
        )
        checked.add(token)
    assert len(checked) > 20


def update(deployment: Deployment) -> None:
    """Deploy; again, if the simulation has left a call without any answer."""
    done = deployment.up(check=False)
    if LOST_CALL in done.stdout:
        done = deployment.up(check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def check_containers(account: Account, outputs: dict[str, Any], release: str) -> None:
    url = outputs["url"]
    assert url.startswith("https://")
    for container in ("web", "worker"):
        definition = account.container(
            outputs["cluster_name"], outputs[f"{container}_service_name"]
        )
        plain = account.environment(definition)
        variables = known(container, version_of(release)[0])
        for name, value in plain.items():
            if name in {*NO_MIGRATIONS, OPENSSL_VARIABLE}:
                continue
            assert name in variables, (
                f"{container} of {account.prefix} gets {name}, which it does not read"
            )
            assert variables[name].problem(value) is None, (
                f"{container} of {account.prefix}: {name}={value}"
            )
        assert plain["NEXTAUTH_URL"] == url
        assert plain["HOSTNAME"] == "0.0.0.0"  # noqa: S104
        assert definition["stopTimeout"] == {"web": 120, "worker": 60}[container]
        assert definition["image"].endswith(f":{release}")


def check_pull_through(account: Account, outputs: dict[str, Any], release: str) -> None:
    ecr = account.client("ecr")
    rules = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert {
        (each["ecrRepositoryPrefix"], each["upstreamRegistryUrl"], each["credentialArn"])
        for each in rules
    } == {
        (f"{account.prefix}/ghcr", "ghcr.io", PULL_THROUGH["images.githubSecretArn"]),
        (
            f"{account.prefix}/hub",
            "registry-1.docker.io",
            PULL_THROUGH["images.dockerHubSecretArn"],
        ),
    }
    repositories = {
        each["repositoryUri"]: each for each in ecr.describe_repositories()["repositories"]
    }
    for service in ("web", "worker"):
        definition = account.container(outputs["cluster_name"], outputs[f"{service}_service_name"])
        repository = repositories[definition["image"].rpartition(":")[0]]
        assert repository["imageTagMutability"] == "IMMUTABLE"
        assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
        policy = ecr.get_lifecycle_policy(repositoryName=repository["repositoryName"])
        assert f'"{release}"' in policy["lifecyclePolicyText"]
    assert len(repositories) == 3


def check_secrets(account: Account, outputs: dict[str, Any], *, signs_in: bool) -> None:
    """Every reference resolves, to what Langfuse accepts, and to the same in both containers."""
    values: dict[str, dict[str, str]] = {}
    for container in ("web", "worker"):
        definition = account.container(
            outputs["cluster_name"], outputs[f"{container}_service_name"]
        )
        values[container] = {
            each["name"]: account.resolved_secret(each["valueFrom"])
            for each in definition["secrets"]
        }
        plain = account.environment(definition)
        assert not set(values[container].values()) & set(plain.values())
    web, worker = values["web"], values["worker"]
    assert {name: web[name] for name in worker} == worker
    expected = {"NEXTAUTH_SECRET"}
    if "public_key" in outputs:
        check_first_keys(account, outputs)
    clients = {"AUTH_GOOGLE_CLIENT_SECRET": "google-secret"}
    clients["AUTH_AZURE_AD_CLIENT_SECRET"] = "azure-secret"
    of_web = {name: web[name] for name in set(web) - set(worker) - expected}
    assert of_web == (clients if signs_in else {}), "as the ECS agent resolves them"
    assert expected <= set(web)
    for container in ("web", "worker"):
        check_mail(account, outputs, container, sends=signs_in)
    assert re.fullmatch(r"[0-9a-f]{64}", web["ENCRYPTION_KEY"])
    for name in ("DATABASE_PASSWORD", "REDIS_AUTH", "CLICKHOUSE_PASSWORD"):
        assert re.fullmatch(r"[A-Za-z0-9]{32,}", web[name]), name


def check_first_keys(account: Account, outputs: dict[str, Any]) -> None:
    """The outputs lead to the keys that the migration's task has made, as `smoke` reads them."""
    held = account.client("secretsmanager").get_secret_value(
        SecretId=outputs["secret_key_secret_arn"]
    )
    keys = json.loads(held["SecretString"])
    definition = account.migration_container(outputs["cluster_name"])
    secret = {
        each["name"]: account.resolved_secret(each["valueFrom"]) for each in definition["secrets"]
    }
    assert keys["secret_key"] == secret["LANGFUSE_INIT_PROJECT_SECRET_KEY"]
    assert keys["user_password"] == secret["LANGFUSE_INIT_USER_PASSWORD"]
    plain = account.environment(definition)
    assert keys["public_key"] == outputs["public_key"] == plain["LANGFUSE_INIT_PROJECT_PUBLIC_KEY"]
    web = account.environment(
        account.container(outputs["cluster_name"], outputs["web_service_name"])
    )
    assert web["AUTH_DISABLE_SIGNUP"] == "true"
    assert not [name for name in web if name.startswith("LANGFUSE_INIT_")]
    project = outputs["project"]
    assert project == outputs["organization"] == plain["LANGFUSE_INIT_PROJECT_ID"]


def check_mail(account: Account, outputs: dict[str, Any], container: str, *, sends: bool) -> None:
    """The role of a container may send as the stack's address, or not at all."""
    task = account.task_definition(outputs["cluster_name"], outputs[f"{container}_service_name"])
    statements = [
        each for each in account.statements(task["taskRoleArn"]) if "ses:" in str(each["Action"])
    ]
    plain = account.environment(main_container(task))
    if not sends:
        assert (statements, "SMTP_CONNECTION_URL" in plain) == ([], False)
        return
    (statement,) = statements
    assert statement["Action"] == ["ses:SendEmail", "ses:SendRawEmail"]
    assert statement["Condition"] == {"StringEquals": {"ses:FromAddress": SENDER}}
    of_region = f":ses:{account.region}:"
    names = [arn.split(":identity/")[1] for arn in statement["Resource"] if of_region in arn]
    assert names == ["example.com", SENDER]
    assert plain["SMTP_CONNECTION_URL"] == f"ses://{account.region}"


def check_stores(account: Account, *, replicated: bool) -> None:
    cache = account.cache()
    assert cache["TransitEncryptionMode"] == "required"
    assert cache["AtRestEncryptionEnabled"] is True
    assert cache["AuthTokenEnabled"] is True
    assert len(cache["MemberClusters"]) == (2 if replicated else 1)
    assert account.cache_parameters()["maxmemory-policy"] == "noeviction"

    volumes = account.volumes()
    assert len(volumes) == (3 if replicated else 1)
    assert all((each["VolumeType"], each["Encrypted"]) == ("gp3", True) for each in volumes)
    zones = sorted(each["AvailabilityZone"] for each in volumes)
    assert zones == account.instance_zones(), "an instance finds the volume of its zone"

    s3, bucket = account.client("s3"), account.bucket()
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    assert len(block) == 4
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    conditions = [statement["Condition"] for statement in policy["Statement"]]
    assert {"Bool": {"aws:SecureTransport": "false"}} in conditions
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    default = encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    assert default["SSEAlgorithm"] == "AES256"
    ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (cors,) = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert set(cors["AllowedMethods"]) == {"GET", "HEAD", "PUT"}


def check_web_acl(account: Account) -> None:
    """It stands before the load balancer, its rules are whole, and what it blocks is logged."""
    acl = account.web_acl()
    assert acl["DefaultAction"] == {"Allow": {}}
    rules = {rule["Name"]: rule for rule in acl["Rules"]}
    assert {name: rule["Priority"] for name, rule in rules.items()} == {
        "rate-limit": 0,
        "AWSManagedRulesAmazonIpReputationList": 1,
        "AWSManagedRulesCommonRuleSet": 2,
        "AWSManagedRulesKnownBadInputsRuleSet": 3,
        "body": 4,
        "query": 5,
    }
    rate = rules["rate-limit"]
    assert rate["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429
    assert rate["Statement"]["RateBasedStatement"]["Limit"] == 2000
    assert rate["Statement"]["RateBasedStatement"]["EvaluationWindowSec"] == 300
    common = rules["AWSManagedRulesCommonRuleSet"]
    overrides = common["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    counted = {each["Name"] for each in overrides if each["ActionToUse"] == {"Count": {}}}
    assert {"SizeRestrictions_BODY", "RestrictedExtensions_URIPATH"} < counted
    assert common["OverrideAction"] == {"None": {}}
    for name, labels in (("body", 7), ("query", 6)):
        assert rules[name]["Action"] == {"Block": {}}
        first = rules[name]["Statement"]["AndStatement"]["Statements"][0]
        assert len(first["OrStatement"]["Statements"]) == labels
    logging = account.blocked_log(acl["ARN"])
    (destination,) = logging["LogDestinationConfigs"]
    assert f":log-group:aws-waf-logs-{account.prefix}-" in destination
    assert logging["LoggingFilter"]["DefaultBehavior"] == "DROP"


def check_that_destroy_destroys_nothing(deployment: Deployment) -> None:
    before = deployment.state()
    done = deployment.destroy(check=False)
    assert done.returncode != 0
    assert PROTECTED_MESSAGE in done.stdout + done.stderr
    assert [each["urn"] for each in deployment.state()] == [each["urn"] for each in before]


def check_migrations(account: Account, outputs: dict[str, Any], count: int) -> None:
    """The gate's function has run so many tasks, to their ends."""
    tasks = account.migrations(outputs["cluster_name"])
    assert len(tasks) == count
    for task in tasks:
        assert task["lastStatus"] == "STOPPED"
        assert {each["exitCode"] for each in task["containers"]} == {0}
    definitions = {task["taskDefinitionArn"] for task in tasks}
    assert len(definitions) == count, "each migration is another revision's"


def check_backups(account: Account, deployment: Deployment, *, copied: bool) -> None:
    plans = account.plans()
    (volumes,) = [plan for name, plan in plans.items() if "-volumes" in name]
    selections = {
        each["id"]: each["outputs"]["planId"]
        for each in deployment.state()
        if each["type"] == "aws:backup/selection:Selection"
    }
    arns = account.backed_up(selections)
    found = {arn.rsplit("/", 1)[-1] for arn in arns if ":volume/" in arn}
    assert found == {each["VolumeId"] for each in account.volumes()}
    assert len([arn for arn in arns if ":rds:" in arn]) == (1 if copied else 0)
    rules = {rule["RuleName"]: rule for rule in volumes["Rules"]}
    assert set(rules) == ({"daily", "hourly"} if copied else {"daily"})
    assert len(plans) == (2 if copied else 1), "PostgreSQL's copies have a plan of their own"
    (vault,) = account.vaults(account.region)
    assert rules["daily"]["TargetBackupVaultName"] == vault["BackupVaultName"]
    copies = [each["DestinationBackupVaultArn"] for each in rules["daily"].get("CopyActions", [])]
    if copied:
        (other,) = account.vaults(COPY_REGION)
        assert copies == [other["BackupVaultArn"]]
        assert vault["Locked"] is True
        assert (vault["MinRetentionDays"], vault["MaxRetentionDays"]) == (2, 35)
    else:
        assert copies == []

    bucket, s3 = account.backup_bucket(), account.client("s3")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["Expiration"]["Days"] >= 14, "a full backup outlives the week that needs it"

    schedule = account.schedule()
    asleep_at_night = account.prefix == "langfuse-dev"
    at = "0 17 ? * MON,TUE,WED,THU,FRI *" if asleep_at_night else "30 2 * * ? *"
    assert (schedule["State"], schedule["ScheduleExpression"]) == ("ENABLED", f"cron({at})")
    target = schedule["Target"]["EcsParameters"]
    task = account.client("ecs").describe_task_definition(
        taskDefinition=target["TaskDefinitionArn"]
    )["taskDefinition"]
    (container,) = task["containerDefinitions"]
    assert container["command"][0].startswith("#!/bin/bash")
    plain = account.environment(container)
    assert plain["BACKUP_URL"].startswith(f"https://{bucket}.s3.")
    assert plain["BACKUP_ON_CLUSTER"] == ("ON CLUSTER default" if copied else "")


def check_scaling(account: Account, outputs: dict[str, Any]) -> None:
    """Web follows CPU; the worker lag as well, by an alarm that AWS has with the policy's ARN."""
    cluster, web, worker = (
        outputs[name] for name in ("cluster_name", "web_service_name", "worker_service_name")
    )
    cpu = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    on_cpu = {"TargetValue": 50, "PredefinedMetricSpecification": cpu, "ScaleOutCooldown": 60}
    common = {"DisableScaleIn": False}
    assert account.scaling(cluster, web) == [{**on_cpu, **common, "ScaleInCooldown": 300}]
    found = account.scaling(cluster, worker)
    (lag,) = [each for each in found if "CustomizedMetricSpecification" in each]
    found.remove(lag)
    assert found == [{**on_cpu, **common, "ScaleInCooldown": 900}]
    queues = [{"Name": "Stack", "Value": account.prefix}]
    followed = lag.pop("CustomizedMetricSpecification")
    assert followed["Dimensions"] == queues
    assert (followed["Namespace"], followed["MetricName"], followed["Statistic"]) == (
        "Langfuse/Queues",
        "OldestJobAge",
        "Maximum",
    )
    assert lag == {"TargetValue": 60, "ScaleOutCooldown": 60, "ScaleInCooldown": 900, **common}
    (steps,) = account.step_scaling(cluster, worker)
    (alarm,) = account.lag_alarms()
    assert alarm["AlarmActions"] == [steps["PolicyARN"]]
    assert (alarm["Period"], alarm["Threshold"], alarm["Dimensions"]) == (10, 60, queues)
    # The provider keeps them as a set.
    adjustments = {
        each["MetricIntervalLowerBound"]: each["ScalingAdjustment"]
        for each in steps["StepScalingPolicyConfiguration"]["StepAdjustments"]
    }
    assert adjustments == {0: 200, 60: 400, 180: 800}
    definition = account.task_definition(cluster, worker)
    names = {each["name"]: each["essential"] for each in definition["containerDefinitions"]}
    assert names == {"worker": True, "queue-probe": False, "write-certificates": False}


def check_alarms(account: Account, outputs: dict[str, Any], *, mailed: bool) -> None:
    """Alarms are on what AWS calls the stack's things; all act on an encrypted topic."""
    name = f"{account.prefix}-{account.region}"
    assert outputs["dashboard_url"].endswith(f"#dashboards/dashboard/{name}")
    alarms, widgets = account.alarms(), account.widgets()
    if not mailed:
        assert (alarms, account.topics()) == ([], [])
        assert {each["type"] for each in widgets} == {"metric"}
        return
    (topic,) = account.topics()
    arn = topic["TopicArn"]
    assert ":key/" in topic["KmsMasterKeyId"], "CloudWatch may not use AWS's own key"
    allowed = [
        each for each in json.loads(topic["Policy"])["Statement"] if each["Effect"] == "Allow"
    ]
    assert [each["Principal"] for each in allowed] == [{"Service": "cloudwatch.amazonaws.com"}]
    assert account.mailed(arn) == [MAIL]
    assert len(alarms) > 30
    for alarm in alarms:
        assert alarm["AlarmActions"] == alarm["OKActions"] == [arn], alarm["AlarmName"]
    states, *graphs = widgets
    assert set(states["properties"]["alarms"]) == {alarm["AlarmArn"] for alarm in alarms}
    assert {each["type"] for each in graphs} == {"metric"}
    dimensions = [each for alarm in alarms for each in alarm["Dimensions"]]
    assert {each["Value"] for each in dimensions if each["Name"] == "VolumeId"} == {
        each["VolumeId"] for each in account.volumes()
    }
    assert {each["Value"] for each in dimensions if each["Name"] == "CacheClusterId"} == set(
        account.cache()["MemberClusters"]
    ), "the nodes' names are worked out from the group's"
    services = {each["Value"] for each in dimensions if each["Name"] == "ServiceName"}
    assert services > {outputs["web_service_name"], outputs["worker_service_name"]}


def check_grafana(account: Account, outputs: dict[str, Any]) -> None:
    """The path is routed to the service, and what its dashboard names is there."""
    ecs, cluster = account.client("ecs"), outputs["cluster_name"]
    (arn,) = [
        arn
        for arn in ecs.list_services(cluster=cluster)["serviceArns"]
        if f"/{account.prefix}-grafana-" in arn
    ]
    (service,) = ecs.describe_services(cluster=cluster, services=[arn])["services"]
    routes = account.routes()
    assert set(routes) == {"$default", "ANY /grafana", "ANY /grafana/{proxy+}"}
    assert routes["ANY /grafana"] == routes["ANY /grafana/{proxy+}"] != routes["$default"]
    (registry,) = service["serviceRegistries"]
    assert routes["ANY /grafana"] == registry["registryArn"]

    container = account.container(cluster, arn)
    plain = account.environment(container)
    assert plain["GF_SERVER_ROOT_URL"] == f"{outputs['url']}/grafana/"
    dashboard = json.loads(plain["DASHBOARD_LANGFUSE"])
    values = {each["name"]: each["query"] for each in dashboard["templating"]["list"]}
    assert (values["web"], values["worker"]) == (
        outputs["web_service_name"],
        outputs["worker_service_name"],
    )
    assert values["cluster"] == cluster
    assert values["api"] in outputs["url"]
    assert values["cache_nodes"].split(",") == account.cache()["MemberClusters"]
    instances = account.client("rds").describe_db_instances()["DBInstances"]
    assert values["database_instance"] in {each["DBInstanceIdentifier"] for each in instances}

    secrets = {
        each["name"]: account.resolved_secret(each["valueFrom"]) for each in container["secrets"]
    }
    assert len(set(secrets.values())) == 3
    assert not set(secrets.values()) & set(plain.values())
    (server,) = [
        arn
        for arn in ecs.list_services(cluster=cluster)["serviceArns"]
        if f"/{account.prefix}-clickhouse-" in arn
    ]
    clickhouse = account.container(cluster, server)
    references = {each["name"]: each["valueFrom"] for each in clickhouse["secrets"]}
    reader = account.resolved_secret(references["CLICKHOUSE_GRAFANA_PASSWORD"])
    assert reader == secrets["CLICKHOUSE_PASSWORD"]
    own = account.client("secretsmanager").get_secret_value(
        SecretId=outputs["grafana_password_secret_arn"]
    )
    password = json.loads(own["SecretString"])["password"]
    assert password == secrets["GF_SECURITY_ADMIN_PASSWORD"]


def check_that_up_mends_what_somebody_deleted(
    account: Account, deployment: Deployment, outputs: dict[str, Any], ports: Ports
) -> None:
    """Delete a rule and a secret by hand; a refresh and an `up` make both again."""
    before = encryption_key(account, outputs)
    value = account.resolved_secret(before)
    secret = before.rsplit(":", 3)[0]
    account.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    account.close_port(f"{account.prefix}-web", f"{account.prefix}-postgres")
    assert account.open_ports() != ports
    assert secret not in account.secrets()
    # A refresh of these alone: what the simulation forgets of services would replace them.
    names = (f"{account.prefix}-keys", f"{account.prefix}-web-to-postgres")
    targets = [
        f"--target={each['urn']}"
        for each in deployment.state()
        if each["urn"].split("::")[-1] in names and each["type"].startswith("aws:")
    ]
    assert len(targets) == 3, "the secret, its version, the rule"
    deployment.run("refresh", "--yes", *targets, "--stack", deployment.stack.name)
    deployment.up()
    outputs = deployment.outputs()
    assert account.open_ports() == ports
    assert account.resolved_secret(encryption_key(account, outputs)) == value, "the same key"


def encryption_key(account: Account, outputs: dict[str, Any]) -> str:
    """The reference that web has."""
    definition = account.container(outputs["cluster_name"], outputs["web_service_name"])
    references = {each["name"]: each["valueFrom"] for each in definition["secrets"]}
    return references["ENCRYPTION_KEY"]
