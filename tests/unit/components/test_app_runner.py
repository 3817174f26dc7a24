"""App Runner as the platform of web: what is registered, and what is refused before that.

It proves that web gets on App Runner what it gets on Fargate, by comparing two graphs, and what
`preflight` says of it. What App Runner does with it, it does not prove.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from pulumi_aws.apprunner.outputs import (
    ServiceSourceConfiguration,
    ServiceSourceConfigurationImageRepository,
    ServiceSourceConfigurationImageRepositoryImageConfiguration,
)

from development.recorded_graph import recorded
from langfuse_aws.automation.aws.answers import NewStack, Result
from langfuse_aws.automation.preflight.account import check_app_runner
from langfuse_aws.automation.preflight.needs import needs_of
from langfuse_aws.components.langfuse_web.app_runner import (
    MAX_CONCURRENCY,
    Web,
    running,
)
from langfuse_aws.components.langfuse_web.app_runner_domain import (
    VALIDATION_RECORDS,
    validation_record,
)
from langfuse_aws.components.shared.location import Location, refuse_location
from langfuse_aws.contract import timeouts
from langfuse_aws.contract.start_and_stop import WEB_START_SECONDS, start_seconds
from langfuse_aws.cost.prices import HOURS, price_list
from langfuse_aws.cost.rounding import about
from langfuse_aws.graph.architecture import architecture
from langfuse_aws.graph.picture import nodes_of
from langfuse_aws.offline.facts import ACCOUNT
from langfuse_aws.policy.rules import violations
from langfuse_aws.settings.app_runner import HOSTED_ZONES, MEMORY_MIB
from langfuse_aws.settings.capacity import FARGATE_MEMORY_MIB
from langfuse_aws.settings.loading import SettingsError, load_without_secrets
from langfuse_aws.settings.versions import LANGFUSE
from tests.unit.aws_account import Account, stubbed
from tests.unit.stack_graph import ROOT, Graph, build_locked, unshared
from tests.unit.state import as_state, shipped_tags

DOMAIN = "langfuse.example.com"
SHARED: dict[str, Any] = {
    "size": "dev",
    "domain": DOMAIN,
    "network": {"egress": "natInstance"},
    "images": {"source": "mirror"},
    "bootstrap": {"userEmail": "ada@example.com"},
    "smtp": {"mode": "ses", "from": "no-reply@example.com"},
    "alarms": {"email": "ops@example.com", "monthlyBudgetUsd": 300},
}
APP_RUNNER: dict[str, Any] = {
    **SHARED,
    "web": {"platform": "appRunner", "minTasks": 2, "maxTasks": 9},
}
FARGATE: dict[str, Any] = {**SHARED, "web": {"architecture": "x86_64"}}

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
SERVICE = "aws:apprunner/service:Service"
RECORD = "aws:route53/record:Record"
WEB = "langfuse-platform-web"


@pytest.fixture
def graph() -> Graph:
    """The stack with web on App Runner."""
    return build_locked("platform", APP_RUNNER)


@pytest.fixture
def fargate() -> Graph:
    """The same stack with web on Fargate."""
    return build_locked("platform", FARGATE)


def image_of(graph: Graph) -> dict[str, Any]:
    return graph.one(SERVICE).inputs["sourceConfiguration"]["imageRepository"]


def of_web(graph: Graph) -> set[tuple[str, str, int]]:
    return {each for each in graph.open_ports() if WEB in each}


def egress(graph: Graph) -> list[dict[str, Any]]:
    rules = graph.of_type("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    return [each.inputs for each in rules if each.name == f"{WEB}-egress"]


def problems(**config: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_without_secrets({**APP_RUNNER, **config})
    return caught.value.problems


def test_web_has_the_environment_that_it_has_on_fargate(graph: Graph, fargate: Graph) -> None:
    configuration = image_of(graph)["imageConfiguration"]
    verified = {**fargate.environment("web")}
    del verified["SSL_CERT_FILE"]  # App Runner has no volume with the file
    verified["DATABASE_ARGS"] = verified["DATABASE_ARGS"].replace("sslaccept=strict&", "")
    assert configuration["runtimeEnvironmentVariables"] == verified
    assert configuration["runtimeEnvironmentSecrets"] == fargate.secrets("web")
    assert configuration["port"] == "3000"
    assert set(configuration) == {
        "port",
        "runtimeEnvironmentSecrets",
        "runtimeEnvironmentVariables",
    }


def test_app_runner_gives_a_model_its_time_and_web_keeps_connections_longer(graph: Graph) -> None:
    variables = image_of(graph)["imageConfiguration"]["runtimeEnvironmentVariables"]
    keep_alive = int(variables["KEEP_ALIVE_TIMEOUT"]) / 1000
    assert timeouts.MODEL_CALL_SECONDS <= timeouts.APP_RUNNER_SECONDS < keep_alive


def test_the_first_start_knows_the_url_that_users_open(graph: Graph) -> None:
    variables = image_of(graph)["imageConfiguration"]["runtimeEnvironmentVariables"]
    assert variables["NEXTAUTH_URL"] == f"https://{DOMAIN}"
    assert graph.environment("worker")["NEXTAUTH_URL"] == f"https://{DOMAIN}"


def test_secrets_come_by_reference_only(graph: Graph) -> None:
    references = image_of(graph)["imageConfiguration"]["runtimeEnvironmentSecrets"]
    assert {"SALT", "ENCRYPTION_KEY", "NEXTAUTH_SECRET", "DATABASE_PASSWORD"} < set(references)
    for name, reference in references.items():
        arn, key = reference.removesuffix("::").rsplit(":", 1)
        assert arn.startswith("arn:aws:secretsmanager:us-east-1:123456789012:secret:"), name
        assert key, name
    assert graph.one(SERVICE).secrets == frozenset(), "no value in the clear is a secret"


def test_web_enters_the_stores_that_it_enters_from_fargate_and_nobody_enters_web(
    graph: Graph, fargate: Graph
) -> None:
    from_api = ("langfuse-platform-vpc-link", WEB, 3000)
    assert of_web(graph) == of_web(fargate) - {from_api}
    assert from_api in of_web(fargate)
    assert {target for _, target, _ in of_web(graph)} == {
        f"langfuse-platform-{store}" for store in ("postgres", "redis", "clickhouse")
    }
    groups = [
        each.one("aws:ec2/securityGroup:SecurityGroup", WEB).inputs for each in (graph, fargate)
    ]
    assert groups[0]["description"] == groups[1]["description"] == "Langfuse web"
    assert [len(egress(each)) for each in (graph, fargate)] == [1, 1]


def test_the_log_of_web_is_the_one_that_app_runner_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: dict[str, Any] = {}

    def export(name: str, value: pulumi.Output[Any]) -> None:
        value.apply(lambda found: told.update({name: found}))

    monkeypatch.setattr("langfuse_aws.components.program.pulumi.export", export)
    with unshared():
        service = build_locked("platform", APP_RUNNER).one(SERVICE).outputs
    # https://docs.aws.amazon.com/apprunner/latest/dg/monitor-cwl.html
    assert told["log_group_names"][0] == (
        f"/aws/apprunner/{service['serviceName']}/{service['serviceId']}/application"
    )
    assert told["web_service_name"] == service["serviceName"]


def test_the_connector_goes_through_private_subnets_with_webs_group(graph: Graph) -> None:
    connector = graph.one("aws:apprunner/vpcConnector:VpcConnector")
    group = graph.one("aws:ec2/securityGroup:SecurityGroup", WEB)
    assert connector.inputs["subnets"] == graph.one("awsx:ec2:Vpc").outputs["privateSubnetIds"]
    assert connector.inputs["securityGroups"] == [group.id]
    network = graph.one(SERVICE).inputs["networkConfiguration"]
    assert network["egressConfiguration"] == {
        "egressType": "VPC",
        "vpcConnectorArn": connector.outputs["arn"],
    }


@pytest.fixture
def other() -> Graph:
    """It in three zones, with the smallest instances."""
    web = {**APP_RUNNER["web"], "cpu": 256, "memory": 1024}
    network = {"egress": "natInstance", "zones": 3}
    return build_locked("platform", {**APP_RUNNER, "network": network, "web": web})


def test_a_connector_of_other_subnets_has_another_name(graph: Graph, other: Graph) -> None:
    def name(found: Graph) -> str:
        return found.one("aws:apprunner/vpcConnector:VpcConnector").inputs["vpcConnectorName"]

    assert name(other) != name(graph), "App Runner keeps one revision of a name"
    for found in (name(graph), graph.one(SERVICE).inputs["serviceName"]):
        assert found.startswith(f"{WEB}-")
        assert len(found) <= 40


def test_a_connectors_name_is_the_one_that_running_stacks_have(graph: Graph) -> None:
    """Another one, in the next version, would replace it, and have App Runner deploy web again."""
    connector = graph.one("aws:apprunner/vpcConnector:VpcConnector").inputs
    reached = " ".join([*connector["securityGroups"], *sorted(connector["subnets"])])
    digest = sha256(reached.encode()).hexdigest()
    assert connector["vpcConnectorName"] == f"{WEB}-{digest[:8]}"


def test_the_instance_role_has_what_the_task_role_has_and_reads_webs_secrets(
    graph: Graph, fargate: Graph
) -> None:
    *statements, read = graph.policy(f"{WEB}-instance")
    assert statements == fargate.policy(f"{WEB}-task")
    assert any("ses:SendEmail" in each["Action"] for each in statements)
    reading = [
        each
        for each in fargate.policy(f"{WEB}-execution")
        if each["Action"] == ["secretsmanager:GetSecretValue"]
    ]
    assert [read] == reading
    assert principal(graph, f"{WEB}-instance") == "tasks.apprunner.amazonaws.com"


def test_the_access_role_pulls_webs_image_and_nothing_else(graph: Graph) -> None:
    (repository,) = [
        each.outputs["arn"]
        for each in graph.of_type("aws:ecr/repository:Repository")
        if each.inputs["name"] == "langfuse-platform/langfuse"
    ]
    token, *rest = graph.policy(f"{WEB}-access")
    assert (token["Action"], token["Resource"]) == (["ecr:GetAuthorizationToken"], ["*"])
    assert {action for each in rest for action in each["Action"]} == {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer",
    }
    assert [each["Resource"] for each in rest] == [[repository], [repository]]
    assert principal(graph, f"{WEB}-access") == "build.apprunner.amazonaws.com"


def principal(graph: Graph, role: str) -> str:
    document = graph.one("aws:iam/role:Role", role).inputs["assumeRolePolicy"]
    return document.split('"Service": "')[1].split('"')[0]


def test_the_image_is_the_mirrors_by_digest_which_the_migration_runs_too(graph: Graph) -> None:
    image = image_of(graph)
    tagged, _, digest = graph.container("migration")["image"].partition("@")
    assert tagged == f"{HOST}/langfuse-platform/langfuse:{LANGFUSE}"
    # App Runner takes a tag or a digest.
    assert image["imageIdentifier"] == f"{HOST}/langfuse-platform/langfuse@{digest}"
    assert image["imageRepositoryType"] == "ECR"
    source = graph.one(SERVICE).inputs["sourceConfiguration"]
    assert source["autoDeploymentsEnabled"] is False
    tasks = graph.of_type("aws:ecs/taskDefinition:TaskDefinition")
    (migration,) = [each for each in tasks if each.name.endswith("-migration")]
    assert migration.inputs["runtimePlatform"]["cpuArchitecture"] == "X86_64"


def test_web_starts_after_the_migration_and_its_ports(graph: Graph) -> None:
    options = graph.options_of(graph.one(SERVICE))
    assert options.delete_before_replace, "its name is taken as long as it is there"
    waited = options.dependencies
    assert any("lambda/invocation:Invocation::langfuse-platform-migration" in urn for urn in waited)
    for store in ("postgres", "redis", "clickhouse-http"):
        assert any(urn.endswith(f"::{WEB}-to-{store}") for urn in waited), store


def test_the_service_is_asked_for_its_health_and_scales_by_requests(graph: Graph) -> None:
    inputs = graph.one(SERVICE).inputs
    assert inputs["healthCheckConfiguration"] == {
        "protocol": "HTTP",
        "path": "/api/public/health",
        "interval": 10,
        "timeout": 10,
        "healthyThreshold": 1,
        "unhealthyThreshold": 20,
    }
    kind = "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion"
    scaling = graph.one(kind)
    assert inputs["autoScalingConfigurationArn"] == scaling.outputs["arn"]
    assert (scaling.inputs["minSize"], scaling.inputs["maxSize"]) == (2, 9)
    assert scaling.inputs["maxConcurrency"] == MAX_CONCURRENCY
    assert {key: inputs["instanceConfiguration"][key] for key in ("cpu", "memory")} == {
        "cpu": "1024",
        "memory": "2048",
    }


def test_the_smallest_instance_has_the_start_that_it_has_on_fargate(other: Graph) -> None:
    service = other.one("aws:apprunner/service:Service")
    check = service.inputs["healthCheckConfiguration"]
    start = start_seconds(WEB_START_SECONDS, 256)
    assert check["interval"] * check["unhealthyThreshold"] >= start > 200, (
        "10 s, 20 times, are too few for it, and there is no grace"
    )
    assert check["interval"] <= 20, "App Runner's most"


def test_all_records_of_the_domain_are_made_at_once(graph: Graph) -> None:
    association = graph.one("aws:apprunner/customDomainAssociation:CustomDomainAssociation")
    assert association.inputs == {
        "domainName": DOMAIN,
        "enableWwwSubdomain": False,
        "serviceArn": graph.one(SERVICE).outputs["arn"],
    }
    asked = association.outputs["certificateValidationRecords"]
    made = [each.inputs for each in graph.of_type(RECORD) if each.inputs["type"] == "CNAME"]
    assert {(each["name"], *each["records"]) for each in made} == {
        (each["name"], each["value"]) for each in asked
    }
    (own,) = [each.inputs for each in graph.of_type(RECORD) if each.inputs["type"] == "A"]
    assert own["name"] == DOMAIN
    assert own["aliases"] == [
        {
            "name": association.outputs["dnsTarget"],
            "zoneId": HOSTED_ZONES["us-east-1"],
            "evaluateTargetHealth": False,
        }
    ]


def test_the_domains_record_is_the_resource_that_it_is_with_another_ingress(
    graph: Graph, fargate: Graph
) -> None:
    def urn(found: Graph) -> str:
        return found.urns[RECORD, "langfuse-platform"]

    assert urn(graph) == urn(fargate), "or a change of platform would delete what it has just made"


Proof = aws.apprunner.outputs.CustomDomainAssociationCertificateValidationRecord


def proofs(*names: str, status: str = "PENDING_VALIDATION") -> list[Any]:
    return [Proof(name=name, status=status, type="CNAME", value=f"to-{name}") for name in names]


def test_records_keep_their_places_whatever_order_app_runner_tells_them_in() -> None:
    told = [validation_record(proofs("_b", "_a"), index) for index in range(VALIDATION_RECORDS)]
    again = [
        validation_record(proofs("_a", "_b", status="SUCCESS"), index)
        for index in range(VALIDATION_RECORDS)
    ]
    assert told == again == [("_a", "to-_a"), ("_b", "to-_b")]


def test_one_record_is_enough() -> None:
    assert [validation_record(proofs("_a"), index) for index in range(2)] == [("_a", "to-_a")] * 2


@pytest.mark.parametrize("names", [(), ("_a", "_b", "_c"), ("_a", "")], ids=["none", "3", "blank"])
def test_another_number_of_records_is_told_with_a_remedy(names: tuple[str, ...]) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        validation_record(proofs(*names), 0)
    assert str(caught.value) == (
        f"App Runner asks for {len(names)} records to prove the domain, and this program makes 1 "
        "to 2. Report it with the output of aws apprunner describe-custom-domains, and choose "
        "web.platform fargate until then."
    )


WANTED = Web("ecr/langfuse@sha256:2", {"PORT": "3000"}, {"SALT": "arn:salt"})


def source(
    image: str = WANTED.image, variables: Any = WANTED.variables, secrets: Any = WANTED.secrets
) -> ServiceSourceConfiguration:
    return ServiceSourceConfiguration(
        image_repository=ServiceSourceConfigurationImageRepository(
            image_identifier=image,
            image_repository_type="ECR",
            image_configuration=ServiceSourceConfigurationImageRepositoryImageConfiguration(
                runtime_environment_variables=variables, runtime_environment_secrets=secrets
            ),
        )
    )


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            source("ecr/langfuse@sha256:1"),
            "ecr/langfuse@sha256:1 instead of ecr/langfuse@sha256:2",
        ),
        (source(variables={"PORT": "4000"}), "other values of PORT"),
        (source(variables=None), "other values of PORT"),
        (source(secrets={"SALT": "arn:old", "MORE": "x"}), "other values of MORE, SALT"),
    ],
)
def test_an_update_that_was_rolled_back_is_told_without_a_value(
    found: ServiceSourceConfiguration, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        running("arn:1", "RUNNING", "urn:1::web", found, WANTED)
    assert str(caught.value) == (
        f"web: App Runner has rolled the update back, and runs {told}. The event log of arn:1 says "
        "why; correct the cause, and run pulumi up again: it sends the update again."
    )
    monkeypatch.setattr("pulumi.runtime.is_dry_run", lambda: True)
    assert running("arn:1", "RUNNING", "urn:1::web", found, WANTED) == "arn:1", (
        "a preview could not show the way out"
    )


def test_a_service_that_never_started_is_told_with_what_to_run() -> None:
    assert running("arn:1", "RUNNING", "urn:1", source(), WANTED) == "arn:1"
    paused = running("arn:1", "PAUSED", "urn:1", source(), WANTED)
    assert paused == "arn:1", "somebody has paused it on purpose"
    with pytest.raises(pulumi.RunError) as caught:
        running("arn:1", "CREATE_FAILED", "urn:1", source(), WANTED)
    assert str(caught.value) == (
        "arn:1: App Runner could not start web (CREATE_FAILED). Its event log says why; remove "
        "what hinders it, then run pulumi up --replace 'urn:1'."
    )


def test_a_region_without_app_runner_is_refused_before_the_first_resource() -> None:
    settings, elsewhere = load_without_secrets(APP_RUNNER), Location("eu-north-1", "aws", ACCOUNT)
    with pytest.raises(pulumi.RunError) as caught:
        refuse_location(settings, elsewhere)
    assert str(caught.value) == (
        "langfuse:web.platform: App Runner is not in eu-north-1. Choose fargate, or one of "
        f"{', '.join(sorted(HOSTED_ZONES))} as aws:region."
    )
    refuse_location(load_without_secrets(FARGATE), elsewhere)
    refuse_location(settings, Location("ap-northeast-1", "aws", ACCOUNT))


def test_there_is_no_other_way_in_and_no_ecs_service_of_web(graph: Graph) -> None:
    types = {each.type for each in graph.registrations}
    assert not {each for each in types if each.startswith(("aws:lb/", "aws:apigatewayv2/"))}
    assert "aws:acm/certificate:Certificate" not in types
    services = {each.name for each in graph.of_type("aws:ecs/service:Service")}
    assert services == {"langfuse-platform-worker", "langfuse-platform-clickhouse"}


def test_alarms_and_dashboard_watch_the_service(graph: Graph) -> None:
    service = graph.one(SERVICE)
    name, identity = service.inputs["serviceName"], service.outputs["serviceId"]
    alarms = {
        each.name.removeprefix("langfuse-platform-alarms-"): each.inputs
        for each in graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
        if each.inputs.get("namespace") == "AWS/AppRunner"
    }
    assert {label: each["metricName"] for label, each in alarms.items()} == {
        "app-runner-5xx": "5xxStatusResponses",
        "app-runner-latency": "RequestLatency",
        "app-runner-cpu": "CPUUtilization",
        "app-runner-memory": "MemoryUtilization",
    }
    for alarm in alarms.values():
        assert alarm["dimensions"] == {"ServiceName": name, "ServiceID": identity}
    assert alarms["app-runner-latency"]["threshold"] == 5000, "milliseconds"
    body = graph.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"]
    assert body.count("AWS/AppRunner") == 6
    assert "langfuse-platform-alarms-web-tasks" not in {
        each.name for each in graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    }


def test_the_stack_keeps_every_policy(graph: Graph) -> None:
    state = as_state(graph, shipped_tags("dev"))
    assert [str(each) for each in violations(state)] == []


def test_the_picture_shows_app_runner_open_to_the_internet_and_its_stores() -> None:
    build_locked("platform", APP_RUNNER)  # run once, with its images locked
    picture = architecture(recorded("platform", APP_RUNNER))
    nodes = list(nodes_of(picture.children))
    (web,) = [node for node in nodes if node.title == "Langfuse web"]
    assert web.lines == ("App Runner service", "2 to 9 instances of 1 vCPU, 2 GiB")
    names = {node.id: node.title for node in nodes}
    found = {(names[each.source], names[each.target], each.label) for each in picture.arrows}
    assert ("Internet", "Langfuse web", "443") in found
    assert ("Langfuse web", "Object storage", "IAM") in found
    assert ("Langfuse web", "Valkey", "6379") in found


def test_the_size_gives_way_where_app_runner_has_another_value() -> None:
    found = load_without_secrets(APP_RUNNER)
    assert (found.web.spot, found.web.architecture) == (False, "x86_64")
    assert found.ingress.kind == "appRunner"
    assert found.hosted_zone == "example.com"
    assert (found.worker.spot, found.worker.architecture) == (True, "arm64")
    assert load_without_secrets({**APP_RUNNER, "size": "prod"}).ingress.kind == "appRunner"


def test_the_domain_may_be_its_zones_own_name() -> None:
    found = load_without_secrets({**APP_RUNNER, "ingress": {"hostedZone": DOMAIN}})
    assert found.hosted_zone == DOMAIN


def test_every_size_of_app_runner_is_one_of_fargate() -> None:
    for cpu, sizes in MEMORY_MIB.items():
        assert set(sizes) <= set(FARGATE_MEMORY_MIB[cpu]), cpu


PULLED = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/one-AbCdEf"
REMEDY = "or choose web.platform fargate."


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (
            {"web": {"platform": "appRunner", "cpu": 8192, "memory": 16384}},
            "langfuse:web.cpu: 8192: App Runner has instances of 256, 512, 1024, 2048, 4096 CPU "
            f"units. Choose one, {REMEDY}",
        ),
        (
            {"web": {"platform": "appRunner", "cpu": 1024, "memory": 5120}},
            "langfuse:web.memory: 5120: App Runner has 2048 or 3072 or 4096 MiB with cpu 1024. "
            f"Choose one of these sizes, another cpu, {REMEDY}",
        ),
        (
            {
                "web": {"platform": "appRunner", "maxTasks": 26},
                "postgres": {"mode": "auroraServerless"},
            },
            "langfuse:web.maxTasks: 26: App Runner runs 25 instances of a service at the most. "
            f"Lower it, {REMEDY}",
        ),
        (
            {"web": {"platform": "appRunner", "spot": True}},
            f"langfuse:web.spot: true: App Runner has no Spot. Remove it, {REMEDY}",
        ),
        (
            {"web": {"platform": "appRunner", "architecture": "arm64"}},
            'langfuse:web.architecture: "arm64": App Runner runs x86_64 only, and the migration '
            f"runs the same image. Remove it, {REMEDY}",
        ),
        (
            {"network": {"egress": "none"}},
            'langfuse:web.platform: "appRunner": what App Runner runs has no public address, and '
            "so needs a way out for model providers, sign-in and mail; network.egress is none. "
            f"Set network.egress to natInstance, for one, {REMEDY}",
        ),
        (
            {"ingress": {"kind": "alb"}},
            'langfuse:web.platform: "appRunner": App Runner is a way in by itself, and '
            f"ingress.kind is alb. Remove ingress.kind, {REMEDY}",
        ),
        (
            {"ingress": {"kind": "appRunner"}, "web": {"platform": "fargate"}},
            'langfuse:web.platform: "fargate": must be appRunner where ingress.kind is. Set '
            "web.platform to appRunner, or remove ingress.kind.",
        ),
        (
            {"domain": None},
            'langfuse:ingress.kind: "appRunner": App Runner tells its own name only once web '
            "runs, and web must know its URL before, so it needs a domain. Set langfuse:domain, "
            f"in a public hosted zone of Route 53, {REMEDY}",
        ),
        (
            {"images": {"source": "upstream"}},
            'langfuse:images.source: "upstream": App Runner pulls from ECR only, and what is '
            f"there before it starts. Set images.source to mirror, {REMEDY}",
        ),
        (
            {
                "images": {
                    "source": "pullThrough",
                    "githubSecretArn": PULLED,
                    "dockerHubSecretArn": PULLED,
                }
            },
            'langfuse:images.source: "pullThrough": App Runner pulls from ECR only, and what is '
            f"there before it starts. Set images.source to mirror, {REMEDY}",
        ),
        (
            {"grafana": {"enabled": True}},
            "langfuse:grafana.enabled: true: Grafana is at a path of the ingress, and "
            f"web.platform appRunner has none. Remove it, {REMEDY}",
        ),
        (
            {"ingress": {"hostedZone": "example.org"}},
            'langfuse:ingress.hostedZone: "example.org": the domain langfuse.example.com is not '
            "in this zone. Name the public hosted zone that holds the domain.",
        ),
    ],
)
def test_what_app_runner_cannot_do_is_refused_with_a_remedy(
    config: dict[str, Any], line: str
) -> None:
    assert problems(**config) == [line]


def test_webs_own_vcpus_are_none_of_fargates() -> None:
    larger = {"web": {"platform": "appRunner", "minTasks": 2, "maxTasks": 2}}
    on = needs_of(load_without_secrets({**APP_RUNNER, **larger}))
    off = needs_of(load_without_secrets(FARGATE))
    assert (off.fargate_spot_vcpus - on.fargate_spot_vcpus) == 1
    assert on.fargate_vcpus == 1, "the migration's; web's two instances are App Runner's"
    assert (on.vpc_links, on.load_balancers) == (0, 0)


def asked(account: Account, *names: str, region: str = "us-east-1") -> Iterator[Result]:
    """What preflight says of an account with these services."""
    stack = account.stack(region, **APP_RUNNER)
    summaries = [{"ServiceName": name} for name in names]
    client = stubbed("apprunner", ("list_services", {"ServiceSummaryList": summaries}))

    def only(service: str) -> Any:
        assert service == "apprunner"
        return client

    return check_app_runner(NewStack(stack.name, stack.prefix, region, stack.settings, only))


def test_preflight_finds_an_account_that_uses_app_runner(account: Account) -> None:
    assert list(asked(account, "docs", "shop")) == [
        Result("app runner", "ok", "the account is a customer: it has services here")
    ]


def test_preflight_cannot_say_whether_an_account_without_a_service_may_use_it(
    account: Account,
) -> None:
    assert list(asked(account)) == [
        Result(
            "app runner",
            "unknown",
            "could not be checked: there is no App Runner service here, and since 2026-04-30 App "
            "Runner takes no new customers.",
            "If the account never had one in any region: pulumi config set --path "
            "langfuse:web.platform fargate --stack dev.",
        )
    ]


def test_preflight_knows_the_regions_of_app_runner(account: Account) -> None:
    (found,) = asked(account, region="eu-north-1")
    assert (found.status, found.message) == (
        "failed",
        "langfuse:web.platform: appRunner: App Runner is not in eu-north-1. It is in "
        f"{', '.join(sorted(HOSTED_ZONES))}.",
    )


PAGE = ROOT / "docs/app-runner.md"


@pytest.mark.parametrize(
    ("what", "count", "cpus", "gib"),
    [("1 of 1 vCPU, 2 GiB (`dev`)", 1, 1, 2), ("2 of 2 vCPU, 4 GiB (`prod`)", 2, 2, 4)],
)
def test_the_page_says_what_the_prices_say(what: str, count: int, cpus: int, gib: int) -> None:
    prices = price_list("us-east-1")

    def fargate(kind: str) -> float:
        vcpu, memory = prices[f"Fargate {kind} vCPU"], prices[f"Fargate {kind} memory"]
        return count * (cpus * vcpu + gib * memory) * HOURS

    idle = count * gib * prices["App Runner memory"] * HOURS
    busy = idle + cpus * prices["App Runner vCPU"] * HOURS
    sums = " | ".join(about(usd) for usd in (fargate("ARM"), fargate("x86"), idle, busy))
    assert f"| {what} | {sums} |" in PAGE.read_text(encoding="utf-8")


def test_the_page_lists_every_size_of_app_runner() -> None:
    rows = [
        f"{cpu} with {' or '.join(', '.join(map(str, sizes)).rsplit(', ', 1))}"
        for cpu, sizes in MEMORY_MIB.items()
    ]
    assert "; ".join(rows) in PAGE.read_text(encoding="utf-8")


def test_alias_records_name_the_zones_that_aws_lists() -> None:
    assert HOSTED_ZONES == {
        "us-east-2": "Z0224347AD7KVHMLOX31",
        "us-east-1": "Z01915732ZBZKC8D32TPT",
        "us-west-2": "Z02243383FTQ64HJ5772Q",
        "ap-south-1": "Z00855883LBHKTIC4ODF2",
        "ap-southeast-1": "Z09819469CZ3KQ8PWMCL",
        "ap-southeast-2": "Z03657752RA8799S0TI5I",
        "ap-northeast-1": "Z08491812XW6IPYLR6CCA",
        "eu-central-1": "Z0334911C2FDI2Q9M4FZ",
        "eu-west-1": "Z087551914Z2PCAU0QHMW",
        "eu-west-2": "Z098228427VC6B3IX76ON",
        "eu-west-3": "Z087117439MBKHYM69QS6",
    }, (
        "Route 53 refuses an alias in another zone, when everything else is made: "
        "https://docs.aws.amazon.com/general/latest/gr/apprunner.html"
    )
