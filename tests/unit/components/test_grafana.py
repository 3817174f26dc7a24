"""Grafana: what is registered for it, what it is told, and the files that it starts with.

Proves the exact environment, who may enter what, the two ways in, that the dashboard loads in
Grafana's own schema, that it names resources of the stack and nothing that the stack has not, and
that the container's command writes the files. Does not prove that Grafana runs, nor that CloudWatch
has these metrics; the SQL is tried in tests/engine/test_grafana_clickhouse.py.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml

from langfuse_aws.components.clickhouse.config import start_command
from langfuse_aws.components.clickhouse.reader import SYSTEM_TABLES
from langfuse_aws.components.grafana import files as grafana_files
from langfuse_aws.components.grafana.grafana import configuration, tables
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.stores import CLICKHOUSE_MINIMUM_MEMORY_GIB
from langfuse_aws.settings.versions import (
    GRAFANA,
    GRAFANA_CLICKHOUSE,
    GRAFANA_DIGEST,
    LANGFUSE,
    LANGFUSE_3,
)
from tests.unit.review.test_protection import PREFIXES, graph
from tests.unit.settings.test_external_stores import EXTERNAL
from tests.unit.stack_graph import Graph, build, shipped, varied

SERVICE: Final = "aws:ecs/service:Service"
FOLDER: Final = "/tmp/provisioning"  # noqa: S108 -- in the container
DATA_BYTES: Final = 64 * 1024
"""https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html: size of a task
definition."""

PASSWORD: Final = "the-readers-password"


def external() -> Graph:
    """A stack without stores of its own, and with Grafana."""
    passwords = {f"{store}Password": "x" for store in EXTERNAL}
    return build(
        "dev",
        {
            "size": "dev",
            **EXTERNAL,
            **passwords,
            "grafana": {"enabled": True, "clickhouseUser": "onlooker"},
            "grafanaClickhousePassword": PASSWORD,
        },
    )


def dashboard_of(found: Graph) -> dict[str, Any]:
    return json.loads(found.environment("grafana")["DASHBOARD_LANGFUSE"])


def values_of(dashboard: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["query"] for each in dashboard["templating"]["list"]}


def queries_of(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield from panel.get("targets", [])


# --- whether, and where


def test_without_the_key_there_is_no_trace_of_it() -> None:
    for stack in ("dev", "staging", "prod"):
        found = shipped(stack)
        assert not [key for key in found.urns if "grafana" in key[1] or "reader" in key[1]]
        assert "GRAFANA" not in json.dumps(found.container("clickhouse")).upper()


def test_one_task_on_demand_is_steady_before_the_deployment_ends() -> None:
    found = varied()
    service = found.one(SERVICE, "langfuse-dev-grafana").inputs
    assert service["capacityProviderStrategies"] == [{"capacityProvider": "FARGATE", "weight": 1}]
    assert service["desiredCount"] == 1
    assert service["waitForSteadyState"] is True
    assert service["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    task = found.one("aws:ecs/taskDefinition:TaskDefinition", "langfuse-dev-grafana").inputs
    assert (task["cpu"], task["memory"]) == ("512", "1024")
    assert task["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    container = found.container("grafana")
    assert container["image"].endswith(f"/grafana/grafana:{GRAFANA}@{GRAFANA_DIGEST}")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", GRAFANA_DIGEST)
    assert "http://127.0.0.1:3000/grafana/api/health" in container["healthCheck"]["command"][1]


def test_the_api_sends_the_path_and_what_is_below_it_to_grafana() -> None:
    found = varied()
    token = "aws:apigatewayv2/integration:Integration"
    integration = found.one(token, "langfuse-dev-grafana")
    registry = found.one("aws:servicediscovery/service:Service", "langfuse-dev-grafana")
    assert integration.inputs["integrationUri"] == registry.outputs["arn"]
    assert integration.inputs["connectionId"] == found.one("aws:apigatewayv2/vpcLink:VpcLink").id
    routes = {
        each.inputs["routeKey"]: each.inputs["target"]
        for each in found.of_type("aws:apigatewayv2/route:Route")
    }
    ours = f"integrations/{integration.id}"
    assert {key for key, target in routes.items() if target == ours} == {
        "ANY /grafana",
        "ANY /grafana/{proxy+}",
    }
    assert routes["$default"] == f"integrations/{found.one(token, 'langfuse-dev').id}"
    assert found.one(SERVICE, "langfuse-dev-grafana").inputs["serviceRegistries"] == {
        "registryArn": registry.outputs["arn"],
        "containerName": "grafana",
        "containerPort": 3000,
    }


def test_the_load_balancer_sends_the_path_and_what_is_below_it_to_grafana() -> None:
    found, prefix = graph("prod", protected=True), PREFIXES[True]
    rule = found.one("aws:lb/listenerRule:ListenerRule").inputs
    targets = found.one("aws:lb/targetGroup:TargetGroup", f"{prefix}-grafana")
    assert targets.inputs["deregistrationDelay"] == 10, "each deploy would wait for AWS's 300 s"
    assert rule["listenerArn"] == found.one("aws:lb/listener:Listener", f"{prefix}-https").id
    assert rule["conditions"] == [{"pathPattern": {"values": ["/grafana", "/grafana/*"]}}]
    assert rule["actions"] == [{"type": "forward", "targetGroupArn": targets.outputs["arn"]}]
    assert targets.inputs["healthCheck"]["path"] == "/grafana/api/health"
    assert (targets.inputs["targetType"], targets.inputs["port"]) == ("ip", 3000)
    assert len(targets.inputs["namePrefix"]) <= 6, "AWS's provider allows no more"
    attached = found.one(SERVICE, f"{prefix}-grafana")
    urn = found.urns["aws:lb/listenerRule:ListenerRule", f"{prefix}-grafana"]
    assert urn in found.options_of(attached).dependencies, (
        "ECS refuses a target group that no listener uses"
    )
    service = attached.inputs
    assert service["loadBalancers"] == [
        {
            "targetGroupArn": targets.outputs["arn"],
            "containerName": "grafana",
            "containerPort": 3000,
        }
    ]


@pytest.mark.parametrize(
    ("found", "prefix", "source"),
    [(varied, "langfuse-dev", "vpc-link"), (lambda: graph("prod", True), PREFIXES[True], "alb")],
)
def test_only_the_ingress_enters_it_and_it_enters_only_clickhouse(
    found: Any, prefix: str, source: str
) -> None:
    ports = {each for each in found().open_ports() if f"{prefix}-grafana" in each}
    assert ports == {
        (f"{prefix}-{source}", f"{prefix}-grafana", 3000),
        (f"{prefix}-grafana", f"{prefix}-clickhouse", 8123),
    }
    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    way = found().one(token, f"{prefix}-grafana-ingress-out").inputs
    assert (way["fromPort"], way["toPort"]) == (3000, 3000)


# --- what it is told

SAID: Final = {
    "GF_SERVER_ROOT_URL": "https://langfuse.example.com/grafana/",
    "GF_SERVER_SERVE_FROM_SUB_PATH": "true",
    "GF_PATHS_PROVISIONING": FOLDER,
    "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": f"{FOLDER}/dashboards/langfuse.json",
    "GF_PLUGINS_PREINSTALL_SYNC": f"grafana-clickhouse-datasource@{GRAFANA_CLICKHOUSE}",
    "GF_PLUGINS_PREINSTALL_AUTO_UPDATE": "false",
    "GF_PLUGINS_PLUGIN_ADMIN_ENABLED": "false",
    "GF_AUTH_ANONYMOUS_ENABLED": "false",
    "GF_USERS_ALLOW_SIGN_UP": "false",
    "GF_SECURITY_COOKIE_SECURE": "true",
    "GF_SECURITY_DISABLE_GRAVATAR": "true",
    "GF_AWS_ALLOWED_AUTH_PROVIDERS": "default",
    "GF_AWS_ASSUME_ROLE_ENABLED": "false",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED": "false",
    "GF_NEWS_NEWS_FEED_ENABLED": "false",
    "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
    "GF_UNIFIED_ALERTING_ENABLED": "false",
    "GF_LIVE_MAX_CONNECTIONS": "0",
    "GF_LOG_MODE": "console",
    "GF_LOG_CONSOLE_FORMAT": "json",
}


def test_its_environment_is_exactly_this_and_its_secrets_are_references() -> None:
    found = varied()
    plain = found.environment("grafana")
    assert {name: plain[name] for name in plain if name not in grafana_files.paths()} == {
        **SAID,
        "AWS_REGION": "us-east-1",
        "CLICKHOUSE_HOST": "clickhouse.langfuse-dev.internal",
        "CLICKHOUSE_PORT": "8123",
        "CLICKHOUSE_SECURE": "false",
        "CLICKHOUSE_USER": "grafana",
    }
    secret = "aws:secretsmanager/secret:Secret"
    own = found.one(secret, "langfuse-dev-grafana").id
    reader = found.one(secret, "langfuse-dev-clickhouse-reader").id
    assert found.secrets("grafana") == {
        "GF_SECURITY_ADMIN_PASSWORD": f"{own}:password::",
        "GF_SECURITY_SECRET_KEY": f"{own}:secret-key::",
        "CLICKHOUSE_PASSWORD": f"{reader}:password::",
    }
    assert found.secrets("clickhouse")["CLICKHOUSE_GRAFANA_PASSWORD"] == f"{reader}:password::"


def test_every_setting_of_grafana_is_an_environment_variable_of_a_section_and_a_key() -> None:
    names = set(configuration("https://example.com/grafana"))
    assert names == set(SAID)
    assert all(re.fullmatch(r"GF_[A-Z]+(_[A-Z]+)+", name) for name in names)


def test_no_password_is_anywhere_but_in_a_secret() -> None:
    found = external()
    for each in found.registrations:
        if each.type == "random:index/randomPassword:RandomPassword" and "grafana" in each.name:
            hidden = [str(each.outputs["result"]), PASSWORD]
            assert not [
                other.name
                for other in found.registrations
                if other.type != "aws:secretsmanager/secretVersion:SecretVersion"
                and any(secret in json.dumps(other.inputs) for secret in hidden)
            ]


def test_each_agent_reads_the_secrets_of_its_own_container_and_no_others() -> None:
    found = varied()
    secret = "aws:secretsmanager/secret:Secret"
    ids = {each.name: each.id for each in found.of_type(secret)}
    for role, names in {
        "langfuse-dev-grafana-execution": {
            "langfuse-dev-grafana",
            "langfuse-dev-clickhouse-reader",
        },
        "langfuse-dev-clickhouse-execution": {
            "langfuse-dev-clickhouse-credentials",
            "langfuse-dev-clickhouse-reader",
        },
    }.items():
        (statement,) = [
            each
            for each in found.policy(role)
            if each["Action"] == ["secretsmanager:GetSecretValue"]
        ]
        assert set(statement["Resource"]) == {ids[name] for name in names}, role


def test_it_may_read_metrics_and_nothing_else_of_aws() -> None:
    assert varied().policy("langfuse-dev-grafana-task") == [
        {
            "Effect": "Allow",
            "Action": [
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetMetricData",
                "cloudwatch:GetMetricStatistics",
                "cloudwatch:ListMetrics",
            ],
            "Resource": ["*"],
        }
    ]


def test_three_servers_all_get_the_reader_and_keep_their_numbers() -> None:
    command = graph("prod", protected=True).container("clickhouse")["command"][0]
    assert "users.d/grafana.yaml" in command
    assert command.endswith("exec /entrypoint.sh")
    without = start_command(["a", "b", "c"])[-1]
    assert start_command(["a", "b", "c"], reader=True)[-1].startswith(
        without.removesuffix(" && exec /entrypoint.sh")
    ), "what it did before stays as it was"


def test_the_reader_reads_some_tables_and_nothing_it_asks_for_slows_langfuse_down() -> None:
    # https://clickhouse.com/docs/operations/settings/settings-users
    found = varied()
    config = json.loads(found.environment("clickhouse")["CLICKHOUSE_READER_YAML"])
    most = {
        "max_execution_time": 60,  # the data source gives up after 30 s and 5 more
        "max_memory_usage_for_user": CLICKHOUSE_MINIMUM_MEMORY_GIB * 2**30 / 4,
        "max_concurrent_queries_for_user": 50,  # three views of the dashboard
    }
    assert config["profiles"] == {
        "grafana": {
            "readonly": 2,  # with 1 the data source could set no limit of its own
            **most,
            # 0 is none at all
            "constraints": {name: {"min": 1, "max": bound} for name, bound in most.items()},
        }
    }
    hour = 3600
    assert config["quotas"] == {"grafana": {"interval": {"duration": hour, "execution_time": hour}}}
    grants = config["users"]["grafana"].pop("grants")["query"]
    assert grants == [
        "GRANT SELECT ON default.*",
        *(f"GRANT SELECT ON system.{table}" for table in SYSTEM_TABLES),
    ]
    assert config["users"] == {
        "grafana": {
            "password": {"@from_env": "CLICKHOUSE_GRAFANA_PASSWORD"},
            "networks": {"ip": "::/0"},  # ClickHouse's word for everywhere
            "profile": "grafana",
            "quota": "grafana",
        }
    }
    assert "CLICKHOUSE_GRAFANA_PASSWORD" in found.secrets("clickhouse")


# --- the files


def largest() -> Graph:
    return graph("prod", protected=True)


def test_all_task_definitions_stay_within_what_ecs_takes() -> None:
    for found in (varied(), largest(), external()):
        for task in found.of_type("aws:ecs/taskDefinition:TaskDefinition"):
            size = len(json.dumps(task.inputs).encode())
            assert size < 0.75 * DATA_BYTES, f"{task.name}: {size} bytes; ECS takes {DATA_BYTES}"


def test_the_command_writes_each_file_where_grafana_looks_for_it_and_starts_it(
    tmp_path: Path,
) -> None:
    found = varied().container("grafana")
    started = tmp_path / "run.sh"
    started.write_text(f"#!/bin/sh\nls > {tmp_path}/started\n")
    started.chmod(0o755)
    provisioning = tmp_path / "provisioning"
    command = found["command"][0].replace("/run.sh", str(started))
    variables = {each["name"]: each["value"] for each in found["environment"]}
    subprocess.run(
        [*found["entryPoint"], command.replace(FOLDER, str(provisioning))],
        check=True,
        env={"PATH": "/usr/bin:/bin", **variables},
    )
    assert (tmp_path / "started").exists()
    written = {
        str(file.relative_to(provisioning)): file.read_text(encoding="utf-8")
        for file in provisioning.rglob("*.*")
    }
    assert set(written) == {
        "dashboards/langfuse.json",
        "dashboards/langfuse.yaml",
        "datasources/langfuse.yaml",
    }
    assert json.loads(written["dashboards/langfuse.json"]) == dashboard_of(varied())
    for name in ("datasources", "dashboards"):
        original = (grafana_files.FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
        assert written[f"{name}/langfuse.yaml"] == original


def test_the_yaml_files_name_only_variables_that_the_container_has() -> None:
    found = varied()
    there = {*found.environment("grafana"), *found.secrets("grafana")}
    for name in ("datasources", "dashboards"):
        text = (grafana_files.FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
        assert set(re.findall(r"\$(\w+)", text)) <= there
    source = yaml.safe_load((grafana_files.FOLDER / "datasources.yaml").read_text("utf-8"))
    assert source["datasources"][0]["secureJsonData"] == {"password": "$CLICKHOUSE_PASSWORD"}, (
        "$__env{…} would be expanded a second time, and with it a `$` in the password"
    )


# --- the dashboard

SOURCE: Final[dict[str, Any]] = json.loads(
    (grafana_files.FOLDER / "dashboards/langfuse.json").read_text(encoding="utf-8")
)


def test_the_dashboard_is_saved_so_that_a_change_shows_as_few_lines() -> None:
    text = (grafana_files.FOLDER / "dashboards/langfuse.json").read_text(encoding="utf-8")
    assert text == json.dumps(SOURCE, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="grafana-foundation-sdk needs Python 3.11")
def test_the_dashboard_loads_in_grafanas_own_schema_and_nothing_is_lost() -> None:
    plugins, encoder, cloudwatch, dashboard = (
        pytest.importorskip(f"grafana_foundation_sdk.{name}")
        for name in ("cog.plugins", "cog.encoder", "models.cloudwatch", "models.dashboard")
    )
    plugins.register_default_plugins()
    model = dashboard.Dashboard.from_json(SOURCE)
    assert missing(SOURCE, json.loads(encoder.JSONEncoder().encode(model))) == []
    query = cloudwatch.CloudWatchMetricsQuery
    understood = 0
    for panel in model.panels:
        targets = cast("list[Any]", getattr(panel, "targets", None) or [])
        understood += sum(isinstance(target, query) for target in targets)
    asked = [each for each in queries_of(SOURCE) if each["datasource"]["uid"] == "cloudwatch"]
    assert understood == len(asked) > 20, "CloudWatch's queries are in the schema too"


def missing(source: Any, kept: Any, path: str = "") -> list[str]:
    """What of a JSON value is not in another one, or differs."""
    if isinstance(source, dict) and isinstance(kept, dict):
        pairs = cast("dict[str, Any]", source).items()
        other = cast("dict[str, Any]", kept)
        return [
            line for key, each in pairs for line in missing(each, other.get(key), f"{path}.{key}")
        ]
    if isinstance(source, list) and isinstance(kept, list):
        ours, theirs = cast("list[Any]", source), cast("list[Any]", kept)
        if len(ours) == len(theirs):
            numbered = enumerate(zip(ours, theirs, strict=True))
            return [line for n, pair in numbered for line in missing(*pair, f"{path}[{n}]")]
    return [] if source == kept else [path]


def test_every_panel_asks_a_data_source_that_is_provisioned() -> None:
    text = (grafana_files.FOLDER / "datasources.yaml").read_text(encoding="utf-8")
    known = [
        {"type": each["type"], "uid": each["uid"]} for each in yaml.safe_load(text)["datasources"]
    ]
    panels = [panel for panel in SOURCE["panels"] if panel["type"] != "row"]
    assert len(panels) > 20
    for panel in panels:
        assert panel["targets"], panel["title"]
        assert panel["datasource"] in known
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert target.get("rawSql") or target.get("metricName")
    ids = [panel["id"] for panel in SOURCE["panels"]]
    assert len(ids) == len(set(ids))


def test_what_a_stack_has_not_is_left_out_with_its_row() -> None:
    def rows(found: Graph) -> list[str]:
        return [each["title"] for each in dashboard_of(found)["panels"] if each["type"] == "row"]

    everything = [
        "Ingestion",
        "Models",
        "Ingress",
        "Web and worker",
        "Queues",
        "ClickHouse",
        "PostgreSQL",
        "Valkey",
    ]
    assert rows(varied()) == rows(largest()) == everything
    assert rows(external()) == everything[:6]
    named = json.dumps(dashboard_of(varied())), json.dumps(dashboard_of(largest()))
    assert ["AWS/ApiGateway" in each for each in named] == [True, False]
    assert ["AWS/ApplicationELB" in each for each in named] == [False, True]
    assert ["FreeStorageSpace" in each for each in named] == [True, False]
    assert ["ServerlessDatabaseCapacity" in each for each in named] == [False, True]


@pytest.mark.parametrize(
    "variable", [each for each in grafana_files.paths() if each.startswith("DASHBOARD_")]
)
def test_a_dashboard_takes_no_more_of_a_definition_than_it_needs(variable: str) -> None:
    text = grafana_files.text(variable, {})
    assert text == json.dumps(json.loads(text), separators=(",", ":"), sort_keys=True)


def test_each_file_has_a_variable() -> None:
    below = "/tmp/provisioning"  # noqa: S108 -- the container's own
    assert grafana_files.paths() == {
        "DATA_SOURCES": f"{below}/datasources/langfuse.yaml",
        "DASHBOARDS": f"{below}/dashboards/langfuse.yaml",
        "DASHBOARD_LANGFUSE": f"{below}/dashboards/langfuse.json",
    }


def test_nobody_sees_or_chooses_a_variable() -> None:
    assert {each["hide"] for each in SOURCE["templating"]["list"]} == {2}


@pytest.mark.parametrize("found", [varied, largest, external], ids=["api", "alb", "external"])
def test_every_variable_that_a_query_names_has_a_value_and_no_other_is_there(found: Any) -> None:
    dashboard = dashboard_of(found())
    values = values_of(dashboard)
    text = json.dumps([*queries_of(dashboard)])
    named = set(re.findall(r"\$\{?([a-z]\w*)", text))
    assert named == set(values)
    assert all(values.values())
    at = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in dashboard["panels"]]
    assert len(at) == len(set(at)), "two panels in one place"


def test_the_dashboards_values_are_the_stacks_own_resources() -> None:
    found = varied()
    assert values_of(dashboard_of(found)) == {
        "cluster": found.one("aws:ecs/cluster:Cluster").outputs["name"],
        "web": found.one(SERVICE, "langfuse-dev-web").outputs["name"],
        "worker": found.one(SERVICE, "langfuse-dev-worker").outputs["name"],
        "queues": "langfuse-dev",
        "api": found.one("aws:apigatewayv2/api:Api").id,
        "database_instance": found.one("aws:rds/instance:Instance").outputs["identifier"],
        "cache_nodes": ",".join(
            found.one("aws:elasticache/replicationGroup:ReplicationGroup").outputs["memberClusters"]
        ),
        "traces": "traces",
        "observations": "observations",
    }
    found = largest()
    nodes = found.one("aws:elasticache/replicationGroup:ReplicationGroup").outputs["memberClusters"]
    assert len(nodes) == 2
    values = values_of(dashboard_of(found))
    assert (
        values["load_balancer"]
        == found.one("aws:lb/loadBalancer:LoadBalancer").outputs["arnSuffix"]
    )
    assert (
        values["database_cluster"]
        == found.one("aws:rds/cluster:Cluster").outputs["clusterIdentifier"]
    )
    assert values["cache_nodes"] == ",".join(nodes)
    assert (values["events"], values["observations"]) == ("events_core", "events_core")


@pytest.mark.parametrize(
    ("release", "mode", "table"),
    [
        (LANGFUSE_3, None, "observations"),
        (LANGFUSE, None, "events_core"),
        (LANGFUSE, "dual", "observations"),
        (LANGFUSE, "legacy", "observations"),
    ],
)
def test_the_tables_follow_the_write_mode(release: str, mode: str | None, table: str) -> None:
    v4 = {"v4": {"writeMode": mode}} if mode else {}
    named = tables(load({"size": "dev", "release": release, **v4}))
    assert named["observations"] == table
    assert ("events" in named) is (table == "events_core") is not ("traces" in named)


# --- an external ClickHouse


def test_an_external_clickhouse_is_read_as_the_user_that_was_made_there() -> None:
    found = external()
    plain = found.environment("grafana")
    assert {name: plain[name] for name in plain if name.startswith("CLICKHOUSE_")} == {
        "CLICKHOUSE_HOST": "abc.clickhouse.cloud",
        "CLICKHOUSE_PORT": "8443",
        "CLICKHOUSE_SECURE": "true",
        "CLICKHOUSE_USER": "onlooker",
    }
    version = found.one(
        "aws:secretsmanager/secretVersion:SecretVersion",
        "langfuse-dev-clickhouse-reader-credentials",
    )
    assert json.loads(version.inputs["secretString"]) == {"password": PASSWORD}
    secret = found.secrets("grafana")["CLICKHOUSE_PASSWORD"]
    assert secret == f"{version.inputs['secretId']}:password::"


CLICKHOUSE: Final = {"clickhouse": EXTERNAL["clickhouse"], "clickhousePassword": "x"}
READER: Final = {"enabled": True, "clickhouseUser": "onlooker"}


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        ({"grafana": {"clickhouseUser": "onlooker"}}, ["grafana.clickhouseUser"]),
        ({"grafana": READER}, ["grafana.clickhouseUser"]),
        ({"grafanaClickhousePassword": "y"}, ["grafanaClickhousePassword"]),
        (
            {"grafana": {"enabled": True}, "grafanaClickhousePassword": "y"},
            ["grafanaClickhousePassword"],
        ),
        ({**CLICKHOUSE, "grafanaClickhousePassword": "y"}, ["grafanaClickhousePassword"]),
        ({**CLICKHOUSE, "grafana": {"clickhouseUser": "onlooker"}}, ["grafana.clickhouseUser"]),
        (
            {**CLICKHOUSE, "grafana": {"enabled": True}},
            ["grafana.clickhouseUser", "grafanaClickhousePassword"],
        ),
        ({**CLICKHOUSE, "grafana": READER}, ["grafanaClickhousePassword"]),
        (
            {
                **CLICKHOUSE,
                "grafana": {"enabled": True, "clickhouseUser": "reader"},
                "grafanaClickhousePassword": "y",
            },
            ["grafana.clickhouseUser"],
        ),
    ],
)
def test_a_user_and_a_password_are_asked_for_exactly_where_they_are_needed(
    config: dict[str, Any], keys: list[str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        load({"size": "dev", **config})
    problems = refused.value.problems
    assert [line.split(":")[1] for line in problems] == keys
    for line in problems:
        assert line.startswith("langfuse:")
        assert line.endswith(".")
        assert "\n" not in line
        assert '"y"' not in line


def test_the_sql_of_the_documentation_grants_what_the_dashboard_asks() -> None:
    page = (Path(__file__).parents[3] / "docs/grafana.md").read_text(encoding="utf-8")
    granted = set(re.findall(r"GRANT SELECT ON (system\.\w+)", page))
    asked = set(re.findall(r"FROM (system\.\w+)", json.dumps(SOURCE)))
    assert granted == asked
    own = json.loads(varied().environment("clickhouse")["CLICKHOUSE_READER_YAML"])
    own_grants = own["users"]["grafana"]["grants"]["query"]
    assert asked <= {grant.removeprefix("GRANT SELECT ON ") for grant in own_grants}


def test_a_query_of_the_reader_cannot_raise_its_own_limits() -> None:
    own = json.loads(varied().environment("clickhouse")["CLICKHOUSE_READER_YAML"])
    profile = own["profiles"]["grafana"]
    limits = {name: profile[name] for name in profile["constraints"]}
    assert set(limits) == {
        "max_execution_time",
        "max_memory_usage_for_user",
        "max_concurrent_queries_for_user",
    }
    assert profile["constraints"] == {
        name: {"min": 1, "max": most} for name, most in limits.items()
    }, "0 is no limit to ClickHouse"


def test_the_command_is_one_that_a_shell_can_read() -> None:
    *entry, command = grafana_files.start_command()
    assert entry == ["/bin/sh", "-euc"]
    assert shlex.split(command)[-2:] == ["exec", "/run.sh"]


def test_the_reader_sees_the_system_tables_of_the_dashboards_and_what_explains_them() -> None:
    text = (grafana_files.FOLDER / "dashboards/langfuse.json").read_text(encoding="utf-8")
    shown = set(re.findall(r"\bsystem\.(\w+)", text))
    assert shown == {"disks", "metrics", "part_log", "parts", "query_log"}
    explaining = {"asynchronous_metrics", "events", "merges", "mutations", "replicas"}
    assert {*SYSTEM_TABLES} == shown | explaining
