"""The alarms of stacks that have different things, their topic and their runbook.

It proves which alarms there are, on which of the stack's own resources, at which thresholds, whom
they tell, and that each leads to a paragraph that exists. That AWS publishes what they look at is
the business of test_published_metrics.py, and when they go off that of test_idle_stack.py.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from development.alarm_tables import STACK, alarm_count, alarm_table
from langfuse_aws.components.clickhouse.backup import SUCCESS_PATTERN
from langfuse_aws.components.observability.alarm_row import OPERATORS
from langfuse_aws.components.observability.alarms import alarm_rows
from langfuse_aws.cost.inputs import sections
from langfuse_aws.offline.facts import ACCOUNT
from langfuse_aws.offline.mocks import Registration
from langfuse_aws.offline.rules import rules_of
from langfuse_aws.settings.capacity import postgres_connections
from langfuse_aws.settings.loading import SettingsError, load, load_without_secrets
from langfuse_aws.settings.model import LONGEST_RUNBOOK_URL, RUNBOOK_URL, Settings
from tests.unit.published_metrics import of_alarm
from tests.unit.stack_graph import Graph, build, shipped, varied
from tests.unit.stacks_of_all import STACKS, graphs

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
ROOT = Path(__file__).parents[3]
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

LARGE: dict[str, Any] = {
    "size": "prod",
    "domain": "langfuse.example.com",
    "clickhouse": {"replicas": 3},
    "alarms": {"email": "ops@example.com", "monthlyBudgetUsd": 900},
}
COPIED: dict[str, Any] = {"backups": {"copyRegion": "eu-west-1"}}

EVERYWHERE = {
    "certificate",
    "web-tasks",
    "web-cpu",
    "web-memory",
    "worker-tasks",
    "worker-cpu",
    "worker-memory",
    "worker-schedules",
    "dropped-rows",
    "clickhouse-tasks",
    "clickhouse-io-credits",
    "clickhouse-throughput-credits",
    "postgres-connections",
    "snapshot-failed",
    "snapshot-expired",
    "volume-snapshot-missing",
    "clickhouse-backup-missing",
}
OF_COPIES = {
    "copy-failed",
    "volume-copy-missing",
    "database-snapshot-missing",
    "database-copy-missing",
}
"""With a second region."""
OF_VOLUMES = {"clickhouse-disk", "clickhouse-volume-iops", "clickhouse-volume-throughput"}
OF_CACHES = {"redis-memory", "redis-evictions"}
OF_QUEUES = {"ingestion-lag", "other-lag", "dead-letters"}
"""They need queue probes; test_dashboard.py sees that a worker without them is not watched."""
SMALL_LABELS = (
    EVERYWHERE
    | OF_VOLUMES
    | OF_CACHES
    | {
        "api-5xx",
        "api-latency",
        "clickhouse-cpu-credits",
        "postgres-cpu",
        "postgres-cpu-credits",
        "postgres-storage",
    }
    | OF_QUEUES
)
"""One server and no replica; RDS and burstable instances; an HTTP API."""
LARGE_LABELS = (
    EVERYWHERE
    | {f"{label}-{number}" for label in OF_VOLUMES for number in (1, 2, 3)}
    | {f"{label}-{number}" for label in OF_CACHES for number in (1, 2)}
    | {
        "balancer-5xx",
        "web-5xx",
        "balancer-latency",
        "unhealthy-targets",
        "postgres-capacity",
    }
    | OF_QUEUES
)


def large() -> Graph:
    return build("prod", LARGE)


def alarms(graph: Graph) -> dict[str, Registration]:
    """The alarms by what follows the component's name."""
    return {each.name.partition("-alarms-")[2]: each for each in mailing(graph)}


def mailing(graph: Graph) -> list[Registration]:
    """The alarms that mail; that of the scaling on lag adds tasks, and belongs to the worker."""
    return [each for each in graph.of_type(ALARM) if "-alarms-" in each.name]


def test_a_small_stack_has_exactly_the_alarms_of_what_it_has() -> None:
    assert set(alarms(varied())) == SMALL_LABELS


def test_a_large_stack_has_exactly_the_alarms_of_what_it_has() -> None:
    assert set(alarms(large())) == LARGE_LABELS


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_a_stack_that_asks_for_no_mail_has_no_alarm_no_topic_and_no_key(stack: str) -> None:
    graph = shipped(stack)
    assert mailing(graph) == []
    assert graph.of_type("aws:sns/topic:Topic") == []
    assert graph.of_type("aws:kms/key:Key") == []


def test_external_stores_have_no_alarm() -> None:
    external = load(
        {
            "size": "dev",
            "clickhouse": {
                "mode": "external",
                "url": "https://abc.clickhouse.cloud:8443",
                "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
            },
            "clickhousePassword": "x",
            "postgres": {"mode": "external", "host": "db.example.com"},
            "postgresPassword": "x",
        }
    )
    labels = {row.label for row in alarm_rows(external, STACK)}
    assert not [label for label in labels if label.startswith(("postgres", "clickhouse-disk"))]
    assert "clickhouse-tasks" not in labels


@pytest.mark.parametrize("graph", [varied, large], ids=["small", "large"])
def test_every_alarm_mails_when_it_begins_and_when_it_is_over(graph: Any) -> None:
    found = graph()
    topic = found.one("aws:sns/topic:Topic")
    for label, alarm in alarms(found).items():
        assert alarm.inputs["alarmActions"] == [topic.outputs["arn"]], label
        assert alarm.inputs["okActions"] == [topic.outputs["arn"]], label
    subscription = found.one("aws:sns/topicSubscription:TopicSubscription").inputs
    assert (subscription["protocol"], subscription["endpoint"]) == ("email", "ops@example.com")
    assert subscription["topic"] == topic.outputs["arn"]


@cache
def copied() -> Graph:
    """A production stack whose snapshots go to a second region."""
    return build("prod", {**LARGE, **COPIED})


def test_copies_have_alarms_for_each_kind_of_what_is_copied() -> None:
    found = alarms(copied())
    assert set(found) - LARGE_LABELS == OF_COPIES
    looked_at = {
        label: alarm.inputs["dimensions"].get("ResourceType")
        for label, alarm in found.items()
        if alarm.inputs.get("namespace") == "AWS/Backup"
    }
    assert looked_at == {
        "snapshot-failed": None,
        "snapshot-expired": None,
        "copy-failed": None,
        "volume-snapshot-missing": "EBS",
        "volume-copy-missing": "EBS",
        "database-snapshot-missing": "Aurora",
        "database-copy-missing": "Aurora",
    }, "volumes that are well hide a database that is never copied"
    plans = {each.name.rpartition("-")[2] for each in copied().of_type("aws:backup/plan:Plan")}
    assert plans == {"volumes", "database"}


def test_an_instance_is_no_aurora_to_aws_backup() -> None:
    found = alarms(build("dev", {"size": "dev", "alarms": LARGE["alarms"], **COPIED}))
    assert found["database-copy-missing"].inputs["dimensions"]["ResourceType"] == "RDS"


def test_copies_that_fail_are_told_of_at_once() -> None:
    inputs = alarms(copied())["copy-failed"].inputs
    assert (inputs["metricName"], inputs["statistic"]) == ("NumberOfCopyJobsFailed", "Sum")
    assert (inputs["threshold"], inputs["comparisonOperator"]) == (0, OPERATORS[">"])
    assert inputs["period"] * inputs["evaluationPeriods"] == 3600


def test_a_throttled_volume_is_searched_for_whatever_instance_has_it() -> None:
    graph = large()
    for label, metric in (
        ("clickhouse-volume-iops", "VolumeIOPSExceededCheck"),
        ("clickhouse-volume-throughput", "VolumeThroughputExceededCheck"),
    ):
        queries = [alarms(graph)[f"{label}-{n}"].inputs["metricQueries"] for n in (1, 2, 3)]
        volumes = [each.id for each in graph.of_type("aws:ebs/volume:Volume")]
        assert sorted(query["expression"] for (query,) in queries) == sorted(
            f'SELECT AVG({metric}) FROM SCHEMA("AWS/EBS", InstanceId, VolumeId) '  # noqa: S608
            f"WHERE VolumeId = '{volume}'"
            for volume in volumes
        )


RESOURCES: Final[tuple[tuple[str, str, str], ...]] = (
    ("ApiId", "aws:apigatewayv2/api:Api", "id"),
    ("AutoScalingGroupName", "aws:autoscaling/group:Group", "name"),
    ("BackupVaultName", "aws:backup/vault:Vault", "name"),
    ("BucketName", "aws:s3/bucket:Bucket", "bucket"),
    ("CertificateArn", "aws:acm/certificate:Certificate", "arn"),
    ("ClusterName", "aws:ecs/cluster:Cluster", "name"),
    ("DBClusterIdentifier", "aws:rds/cluster:Cluster", "clusterIdentifier"),
    ("DBInstanceIdentifier", "aws:rds/instance:Instance", "identifier"),
    ("LoadBalancer", "aws:lb/loadBalancer:LoadBalancer", "arnSuffix"),
    ("ServiceID", "aws:apprunner/service:Service", "serviceId"),
    ("ServiceName", "aws:apprunner/service:Service", "serviceName"),
    ("ServiceName", "aws:ecs/service:Service", "name"),
    ("Stage", "aws:apigatewayv2/stage:Stage", "name"),
    ("TargetGroup", "aws:lb/targetGroup:TargetGroup", "arnSuffix"),
    ("VolumeId", "aws:ebs/volume:Volume", "id"),
)
"""Dimensions, and the types and outputs that their values come from."""


def real_values(graph: Graph, dimension: str) -> set[str]:
    """The values that a dimension can have in a stack."""
    if dimension == "StorageType":
        return {"StandardStorage"}
    if dimension == "ResourceType":
        return {"EBS"}
    if dimension == "Stack":
        # What its own probes tell.
        told = json.loads(graph.container("queue-probe")["environment"][0]["value"])
        return {told["dimensions"]["Stack"]}
    if dimension == "CacheClusterId":
        (group,) = graph.of_type("aws:elasticache/replicationGroup:ReplicationGroup")
        count = int(group.inputs["numCacheClusters"])
        return {f"{group.id}-00{number}" for number in range(1, count + 1)}
    return {
        each.id if output == "id" else each.outputs[output]
        for known, token, output in RESOURCES
        if known == dimension
        for each in graph.of_type(token)
    }


@pytest.mark.parametrize("graph", [varied, large], ids=["small", "large"])
def test_every_alarm_is_on_a_resource_of_the_stack(graph: Any) -> None:
    found = graph()
    for label, alarm in alarms(found).items():
        (read,) = of_alarm(label, alarm.inputs)
        for dimension, value in read.values.items():
            assert value in real_values(found, dimension), (label, dimension)


def test_several_volumes_and_nodes_have_an_alarm_each() -> None:
    found = alarms(large())
    for stem, dimension, count in (
        ("clickhouse-disk", "VolumeId", 3),
        ("redis-memory", "CacheClusterId", 2),
    ):
        values = {
            found[f"{stem}-{number}"].inputs["dimensions"][dimension]
            for number in range(1, count + 1)
        }
        assert len(values) == count, "not the same one several times"


@pytest.mark.parametrize(
    ("graph", "label", "statistic", "comparison", "threshold", "missing"),
    [
        (varied, "api-5xx", "Sum", ">", 10, "notBreaching"),
        (large, "web-tasks", "SampleCount", "<", 2, "breaching"),
        (large, "worker-tasks", "SampleCount", "<", 2, "breaching"),
        (large, "clickhouse-tasks", "SampleCount", "<", 3, "breaching"),
        (varied, "clickhouse-tasks", "SampleCount", "<", 1, "breaching"),
        (varied, "web-cpu", "Average", ">", 85, "notBreaching"),
        (varied, "clickhouse-disk", "Maximum", ">", 80, "breaching"),
        (varied, "redis-memory", "Maximum", ">", 75, "notBreaching"),
        (varied, "redis-evictions", "Sum", ">", 0, "notBreaching"),
        (varied, "postgres-storage", "Minimum", "<", 2 * 1024**3, "notBreaching"),
        (large, "postgres-capacity", "Maximum", ">=", 95, "notBreaching"),
        (varied, "certificate", "Minimum", "<", 30, "ignore"),
        (varied, "clickhouse-backup-missing", "Sum", "<", 1, "breaching"),
        (varied, "volume-snapshot-missing", "Sum", "<", 1, "breaching"),
        (large, "ingestion-lag", "Maximum", ">=", 300, "breaching"),
        (large, "other-lag", "Maximum", ">=", 3600, "notBreaching"),
    ],
)
def test_an_alarm_has_its_threshold(
    graph: Any, label: str, statistic: str, comparison: str, threshold: float, missing: str
) -> None:
    inputs = alarms(graph())[label].inputs
    assert inputs["statistic"] == statistic
    assert inputs["comparisonOperator"] == OPERATORS[comparison]
    assert inputs["threshold"] == threshold
    assert inputs["treatMissingData"] == missing


HOUR, DAY = 3600, 86400
WHEN: dict[str, tuple[str, float, int, int, int]] = {
    # SDKs send a failed batch again, so that ten errors in two of three values lose nothing.
    **dict.fromkeys(("api-5xx", "balancer-5xx", "web-5xx"), (">", 10, 300, 2, 3)),
    # API Gateway tells milliseconds and a load balancer seconds; an HTTP API gives up after 30 s:
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
    "api-latency": (">", 5000, 300, 3, 3),
    "balancer-latency": (">", 5, 300, 3, 3),
    # Basic metrics of ECS have a sample a minute and task; a start takes up to five minutes.
    "unhealthy-targets": (">", 0, 60, 5, 5),
    "web-tasks": ("<", 1, 60, 5, 5),
    "worker-tasks": ("<", 1, 60, 5, 5),
    "clickhouse-tasks": ("<", 1, 60, 5, 5),
    # ACM publishes DaysToExpiry twice a day, and renews 45 days ahead of the end:
    # https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html
    "certificate": ("<", 30, DAY, 1, 1),
    # A quarter of an hour: autoscaling has had its chance by then.
    **dict.fromkeys(("web-cpu", "worker-cpu"), (">", 85, 300, 3, 3)),
    **dict.fromkeys(("web-memory", "worker-memory"), (">", 90, 300, 3, 3)),
    # Langfuse schedules a blob storage export every 20 minutes, before 3.170.0 every hour.
    "worker-schedules": ("<", 1, HOUR, 2, 2),
    # A batch is dropped after three attempts, a second apart, and nothing else tells of it.
    "dropped-rows": (">", 0, 300, 1, 1),
    # Autoscaling ends the lag of a spike in less; others' jobs may wait for minutes.
    "ingestion-lag": (">=", 300, 60, 10, 10),
    "other-lag": (">=", 3600, 300, 3, 3),
    "dead-letters": (">", 0, 300, 1, 1),
    # EBS begins no change before the last one is complete, which may take hours: a fifth is left.
    # https://docs.aws.amazon.com/ebs/latest/userguide/modify-volume-requirements.html
    "clickhouse-disk": (">", 80, 300, 3, 3),
    # 1 while EBS throttles, and 0 otherwise; an average over half is most of five minutes.
    **dict.fromkeys(
        ("clickhouse-volume-iops", "clickhouse-volume-throughput"), (">", 0.5, 300, 3, 3)
    ),
    # Percent of what is left; at 0 EC2 gives the baseline only.
    **dict.fromkeys(
        ("clickhouse-io-credits", "clickhouse-throughput-credits"), ("<", 20, 300, 3, 3)
    ),
    # Each credit above the earned ones is paid for: an hour of them is no start any more.
    **dict.fromkeys(("clickhouse-cpu-credits", "postgres-cpu-credits"), (">", 0, 300, 12, 12)),
    "postgres-cpu": (">=", 90, 300, 3, 3),
    "postgres-capacity": (">=", 95, 300, 3, 3),
    # RDS grows a volume by itself when less than 10 % of 20 GiB are free for five minutes:
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
    "postgres-storage": ("<", 2 * 1024**3, 300, 6, 6),
    # 60 % of max_connections, which is memory / 9,531,392 bytes: 112 with 1 GiB.
    "postgres-connections": (">", 67, 300, 3, 3),
    # With noeviction Valkey refuses writes at 100 %, and evicts nothing.
    "redis-memory": (">", 75, 300, 3, 3),
    "redis-evictions": (">", 0, 300, 1, 1),
    **dict.fromkeys(("snapshot-failed", "snapshot-expired", "copy-failed"), (">", 0, HOUR, 1, 1)),
    # A day, and as long as the first one of all may be late.
    "volume-snapshot-missing": ("<", 1, HOUR, 26, 26),
    "database-snapshot-missing": ("<", 1, HOUR, 26, 26),
    "clickhouse-backup-missing": ("<", 1, HOUR, 26, 26),
    "volume-copy-missing": ("<", 1, HOUR, 36, 36),
    "database-copy-missing": ("<", 1, HOUR, 36, 36),
    # App Runner's own alarms: the same bounds as on Fargate.
    "app-runner-5xx": (">", 10, 300, 2, 3),
    "app-runner-latency": (">", 5000, 300, 3, 3),
    "app-runner-cpu": (">", 85, 300, 3, 3),
    "app-runner-memory": (">", 90, 300, 3, 3),
}
"""When an alarm goes off, written by hand: comparison, threshold, seconds of a value, how many of
how many values. It is read from no table that the program has."""


def test_an_alarm_goes_off_when_this_table_says() -> None:
    rows = {row.label: row for row in alarm_rows(load({"size": "dev"}), STACK)}
    rows |= {row.label: row for row in alarm_rows(load(LARGE), STACK) if row.label not in rows}
    assert rows.keys() == WHEN.keys()
    for label, row in rows.items():
        found = (row.comparison, row.threshold, row.period, row.breaching_periods, row.periods)
        assert found == WHEN[label], label


@pytest.mark.parametrize("graph", [varied, large], ids=["small", "large"])
def test_cloudwatch_is_told_how_many_of_how_many_values_count(graph: Any) -> None:
    for label, alarm in alarms(graph()).items():
        _, _, period, breaching, periods = WHEN[re.sub(r"-[0-9]$", "", label)]
        inputs = alarm.inputs
        assert (inputs["datapointsToAlarm"], inputs["evaluationPeriods"]) == (breaching, periods)
        queries: list[dict[str, Any]] = inputs.get("metricQueries", [])
        tellers = [inputs, *queries, *(query.get("metric") or {} for query in queries)]
        assert {each["period"] for each in tellers if "period" in each} == {period}, label


@pytest.mark.parametrize("name", ["web", "worker"])
def test_running_tasks_are_counted_by_the_samples_of_one_minute(name: str) -> None:
    inputs = alarms(large())[f"{name}-tasks"].inputs
    assert (inputs["namespace"], inputs["metricName"]) == ("AWS/ECS", "CPUUtilization")
    assert inputs["period"] == 60, "over five minutes a task has five samples"
    assert inputs["datapointsToAlarm"] == inputs["evaluationPeriods"] == 5


def test_clickhouses_tasks_are_counted_by_their_memory() -> None:
    graph = varied()
    container = graph.container("clickhouse")
    assert not container["cpu"], "CPU is a percentage of what a task reserves"
    assert container["memoryReservation"] > 0
    assert alarms(graph)["clickhouse-tasks"].inputs["metricName"] == "MemoryUtilization"


def test_a_few_slow_requests_at_night_are_no_alarm() -> None:
    for graph, label, threshold in (
        (varied, "api-latency", 5000),
        (large, "balancer-latency", 5),
    ):
        inputs = alarms(graph())[label].inputs
        assert inputs["extendedStatistic"] == "p95"
        assert inputs["evaluateLowSampleCountPercentiles"] == "ignore"
        assert inputs["threshold"] == threshold, "milliseconds there, seconds here"


def test_a_backup_that_is_missing_for_a_day_and_two_hours_is_an_alarm() -> None:
    for label in ("volume-snapshot-missing", "clickhouse-backup-missing"):
        inputs = alarms(varied())[label].inputs
        assert inputs["period"] * inputs["evaluationPeriods"] == 26 * 3600
        assert inputs["datapointsToAlarm"] == inputs["evaluationPeriods"]


@pytest.mark.parametrize("shape", [{"size": "dev"}, LARGE])
def test_no_alarm_looks_back_further_than_cloudwatch_does(shape: dict[str, Any]) -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    for row in alarm_rows(load(shape), STACK):
        assert row.period * row.periods <= (604_800 if row.period >= 3600 else 86_400), row.label
        assert 0 < row.breaching_periods <= row.periods, row.label


def test_dead_letters_alarm_when_they_grow() -> None:
    queries = alarms(large())["dead-letters"].inputs["metricQueries"]
    by_id = {query["id"]: query for query in queries}
    assert by_id["value"]["metric"]["stat"] == "Maximum", "every probe tells the whole number"
    assert not by_id["value"].get("returnData")
    assert (by_id["growth"]["expression"], by_id["growth"]["returnData"]) == ("DIFF(value)", True)


def test_the_backup_that_is_counted_is_the_one_the_alarm_asks_for() -> None:
    for graph in (varied(), large()):
        counting = next(
            each
            for each in graph.of_type("aws:cloudwatch/logMetricFilter:LogMetricFilter")
            if each.name.endswith("-clickhouse-backup")
        )
        counted = counting.inputs["metricTransformation"]
        asked = alarms(graph)["clickhouse-backup-missing"].inputs
        assert (asked["namespace"], asked["metricName"]) == (counted["namespace"], counted["name"])
        log = graph.one("aws:cloudwatch/logGroup:LogGroup", counting.name)
        assert counting.inputs["logGroupName"] == log.outputs["name"]
    names = {
        alarms(graph)["clickhouse-backup-missing"].inputs["metricName"]
        for graph in (varied(), large())
    }
    assert len(names) == 2, "it has no dimensions, so two stacks of an account differ by its name"


def test_what_workers_run_by_schedule_is_counted_without_queue_metrics() -> None:
    """A worker that consumes no queue: Langfuse 3 says so nowhere else, and 4 by its health."""
    graph = large()
    counting = graph.one("aws:cloudwatch/logMetricFilter:LogMetricFilter", "langfuse-prod-worker")
    assert counting.inputs["pattern"] == '"Executing Blob Storage Integration Job"'
    log = graph.one("aws:cloudwatch/logGroup:LogGroup", counting.name)
    assert counting.inputs["logGroupName"] == log.outputs["name"]
    counted = counting.inputs["metricTransformation"]
    asked = alarms(graph)["worker-schedules"].inputs
    assert (asked["namespace"], asked["metricName"]) == (counted["namespace"], counted["name"])
    assert (counted["value"], "defaultValue" in counted) == ("1", False), "0 would end the warm-up"
    assert (asked["period"], asked["evaluationPeriods"], asked["threshold"]) == (3600, 2, 1)
    assert asked["treatMissingData"] == "breaching"
    on_cpu = {"worker": {"scaleOn": "cpu"}}
    quiet = build("dev", {"size": "dev", "alarms": LARGE["alarms"], **COPIED, **on_cpu})
    assert not OF_QUEUES & set(alarms(quiet))
    assert "worker-schedules" in alarms(quiet), "it needs no probe"


@pytest.mark.parametrize(
    "own",
    [
        {"LANGFUSE_LOG_LEVEL": "error"},
        {"QUEUE_CONSUMER_BLOB_STORAGE_INTEGRATION_QUEUE_IS_ENABLED": "false"},
    ],
)
def test_a_worker_that_does_not_say_what_it_runs_has_no_alarm_on_it(own: dict[str, str]) -> None:
    """It would alarm for ever."""
    config = {**LARGE, "worker": {"environment": own}}
    assert alarm_count(load(config)) == len(LARGE_LABELS) - 1


REFUSED: Final = [
    "Max attempts reached for observations record. Dropping record.",  # 3.125.0
    "ClickhouseWriter: Max attempts reached, dropped 12 events_full record(s)",  # 3.225.4, 4.16.0
]
"""What is logged as rows are given up (worker/src/services/ClickhouseWriter/index.ts)."""
UNMADE: Final = [
    "Failed to create event record for project p and observation o",
    "Failed to write event record for s",
]
"""And as none is made of a span (worker/src/queues/otelIngestionQueue.ts, 3.225.4 and 4.16.0). In
the write mode `legacy` another row is."""


@pytest.mark.parametrize(
    ("mode", "said"),
    [("legacy", REFUSED), ("dual", REFUSED + UNMADE), (None, REFUSED + UNMADE)],
)
def test_rows_that_the_worker_gives_up_are_counted_whatever_the_queues_say(
    mode: str | None, said: list[str]
) -> None:
    """Their jobs are done by then: no queue has them, and none of them is in the failed set."""
    own = {"worker": {"scaleOn": "cpu"}, "v4": {"writeMode": mode}}
    graph = build("prod", {**LARGE, **own})
    counting = graph.one(
        "aws:cloudwatch/logMetricFilter:LogMetricFilter", "langfuse-prod-worker-dropped"
    )
    phrases = re.findall(r'"([^"]+)"', counting.inputs["pattern"])
    # All of them must be there, but for those with a question mark: any of these.
    mark = "?" if len(phrases) > 1 else ""
    assert " ".join(f'{mark}"{each}"' for each in phrases) == counting.inputs["pattern"]
    found = [each for each in REFUSED + UNMADE if any(phrase in each for phrase in phrases)]
    assert found == said
    log = graph.one("aws:cloudwatch/logGroup:LogGroup", "langfuse-prod-worker")
    assert counting.inputs["logGroupName"] == log.outputs["name"]
    counted = counting.inputs["metricTransformation"]
    asked = alarms(graph)["dropped-rows"].inputs
    assert (asked["namespace"], asked["metricName"]) == (counted["namespace"], counted["name"])
    assert (counted["value"], "defaultValue" in counted) == ("1", False), "no value costs nothing"
    assert asked["treatMissingData"] == "notBreaching"


@pytest.mark.parametrize("level", ["fatal", "trace"])
def test_a_worker_that_logs_nothing_has_no_alarm_on_its_log(level: str) -> None:
    """Winston knows neither level, and lets nothing through."""
    own = {"worker": {"environment": {"LANGFUSE_LOG_LEVEL": level}}}
    graph = build("prod", {**LARGE, **own})
    assert set(alarms(graph)) == LARGE_LABELS - {"worker-schedules", "dropped-rows"}
    assert alarm_count(load({**LARGE, **own})) == len(LARGE_LABELS) - 2


def test_a_worker_that_logs_errors_only_has_every_other_alarm() -> None:
    graph = build("prod", {**LARGE, "worker": {"environment": {"LANGFUSE_LOG_LEVEL": "error"}}})
    assert set(alarms(graph)) == LARGE_LABELS - {"worker-schedules"}


def test_only_the_servers_own_word_counts_as_a_backup() -> None:
    script = (ROOT / "components/clickhouse/backup.sh").read_text(encoding="utf-8")
    wanted, unwanted = re.fullmatch(r'"(\w+)" -"([\w ]+)"', SUCCESS_PATTERN).groups()  # pyright: ignore[reportOptionalMemberAccess]
    said = [line.strip() for line in script.splitlines() if re.search(r"\b(echo|fail) ", line)]
    assert f'" {wanted}' in script, "what `run` waits for"
    failure = f"the server {unwanted} $2"
    assert any(failure in line for line in said), "the only other line that has the word"


def statements(policy: str) -> dict[str, dict[str, Any]]:
    return {each["Sid"]: each for each in json.loads(policy)["Statement"]}


def test_the_topic_is_encrypted_with_a_key_that_cloudwatch_may_use() -> None:
    graph = varied()
    key = graph.one("aws:kms/key:Key")
    assert graph.one("aws:sns/topic:Topic").inputs["kmsMasterKeyId"] == key.outputs["arn"], (
        "CloudWatch may not use alias/aws/sns"
    )
    found = statements(key.inputs["policy"])
    assert set(found) == {"Account", "Alarms"}
    assert found["Account"]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    service = found["Alarms"]
    assert service["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert service["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert service["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert key.inputs["enableKeyRotation"] is True


def test_only_this_accounts_alarms_may_publish_and_nobody_in_clear() -> None:
    graph = varied()
    topic = graph.one("aws:sns/topic:Topic").outputs["arn"]
    policy = graph.one("aws:sns/topicPolicy:TopicPolicy").inputs
    assert policy["arn"] == topic
    found = statements(policy["policy"])
    assert [each for each in found if found[each]["Effect"] == "Allow"] == ["Alarms"]
    assert found["Alarms"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert found["Alarms"]["Action"] == "sns:Publish"
    assert found["Alarms"]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:*"},
    }
    deny = found["DenyPlainHttp"]
    assert (deny["Effect"], deny["Principal"]) == ("Deny", "*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {each["Resource"] for each in found.values()} == {topic}


def test_nothing_of_the_alarms_is_kept_from_being_taken_away() -> None:
    graph = large()
    for each in graph.registrations:
        if "-alarms" in each.name:
            assert not graph.options_of(each).protect, each.name
    assert not [each.name for each in graph.of_type("pulumi:index:Stash") if "alarms" in each.name]


def shapes() -> list[Settings]:
    return [load({"size": "dev"}), load(LARGE)]


def headings() -> set[str]:
    """The runbook's headings."""
    section = OPERATIONS.split("\n## Alarms\n")[1].split("\n## ")[0]
    return set(re.findall(r"^### (.+)$", section, re.MULTILINE))


def test_every_alarm_has_a_paragraph_and_every_paragraph_an_alarm() -> None:
    named = {row.runbook for settings in shapes() for row in alarm_rows(settings, STACK)}
    assert named == headings()


@pytest.mark.parametrize("graph", [varied, large], ids=["small", "large"])
def test_a_mail_says_in_a_sentence_what_is_wrong_and_where_to_read_on(graph: Any) -> None:
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings()}
    for label, alarm in alarms(graph()).items():
        said = re.fullmatch(
            r"([A-Z].+[.]) (https://\S+)#([\w-]+)", alarm.inputs["alarmDescription"]
        )
        assert said, label
        assert said[2] == RUNBOOK_URL
        assert said[3] in anchors, label


def test_the_runbook_may_be_a_page_of_ones_own_in_every_alarm() -> None:
    page = f"https://wiki.example.com/{'x' * (LONGEST_RUNBOOK_URL - 25)}"
    assert len(page) == LONGEST_RUNBOOK_URL
    told = {**LARGE["alarms"], "runbookUrl": page}
    found = alarms(build("prod", {**LARGE, "alarms": told}))
    for label, alarm in found.items():
        description = alarm.inputs["alarmDescription"]
        assert f" {page}#" in description, label
        assert len(description) <= 1024, label


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("docs/operations.md", "is not the address of a page"),
        ("https://wiki.example.com/a#b", "is not the address of a page"),
        ("https://wiki.example.com/a b", "is not the address of a page"),
        ("https://wiki.example.com/ü", "is not the address of a page"),
        ("https://wiki.example.com/" + "x" * 700, "has 725 characters"),
    ],
)
def test_what_is_no_page_is_refused(page: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"size": "dev", "alarms": {"email": "a@example.com", "runbookUrl": page}})
    (line,) = caught.value.problems
    assert line.startswith("langfuse:alarms.runbookUrl: ")
    assert words in line


def test_the_table_has_every_alarm_once() -> None:
    listed = re.findall(r"^\| `([\w-]+)` \|", alarm_table(), re.MULTILINE)
    labels = {row.label for settings in shapes() for row in alarm_rows(settings, STACK)}
    assert sorted(listed) == sorted(labels)


def test_the_bill_counts_the_alarms_that_are_made() -> None:
    small: dict[str, Any] = {"size": "dev", "domain": "langfuse.example.com"}
    assert alarm_count(load(small)) == len(mailing(varied()))
    small["worker"] = {"scaleOn": "cpu"}
    assert alarm_count(load(small)) == len(SMALL_LABELS - OF_QUEUES)
    assert alarm_count(load(LARGE)) == len(mailing(large()))


@pytest.mark.parametrize(
    ("least", "most", "label"),
    [(9, 9.5, "postgres-capacity"), (9.5, 10, "postgres-cpu"), (10, 10, "postgres-cpu")],
)
def test_capacity_is_watched_where_an_idle_cluster_has_less_than_the_bound(
    least: float, most: float, label: str
) -> None:
    aurora = {"mode": "auroraServerless", "minAcu": least, "maxAcu": most}
    labels = {row.label for row in alarm_rows(load({"size": "dev", "postgres": aurora}), STACK)}
    assert labels & {"postgres-capacity", "postgres-cpu"} == {label}


def connections(**postgres: Any) -> float | None:
    rows = alarm_rows(load({"size": "dev", "postgres": postgres}), STACK)
    found = [row.threshold for row in rows if row.label == "postgres-connections"]
    return found[0] if found else None


def test_the_alarm_on_connections_follows_the_databases_memory() -> None:
    assert postgres_connections(1) == 112, "AWS's formula for 1 GiB"
    assert postgres_connections(64) == 5000, "and its cap"
    assert postgres_connections(112 * 9_531_392 / 2**30) == 112, "its bytes a connection, exactly"
    assert connections(mode="instance", instanceClass="db.t4g.micro") == 67
    assert connections(mode="instance", instanceClass="db.r7g.large") == 1081
    assert connections(mode="auroraServerless", minAcu=1, maxAcu=2) == 270
    assert connections(mode="auroraServerless", minAcu=1, maxAcu=64) == 3000
    assert connections(mode="auroraServerless", minAcu=0.5, maxAcu=64) == 1200, (
        "a least capacity of 0.5 ACU caps the connections at 2000"
    )
    assert connections(mode="instance", instanceClass="db.x9z.large") is None, "memory not known"


def test_an_instance_that_is_not_burstable_has_no_alarm_on_credits() -> None:
    settings = load(
        {"size": "dev", "clickhouse": {"instanceType": "r7g.large"}}
        | {"postgres": {"mode": "instance", "instanceClass": "db.r7g.large"}}
    )
    labels = {row.label for row in alarm_rows(settings, STACK)}
    assert not labels & {"clickhouse-cpu-credits", "postgres-cpu-credits"}


def test_queues_are_probed_unless_a_worker_scales_on_cpu_alone() -> None:
    assert load({"size": "dev"}).probes_queues
    assert not load({"size": "dev", "worker": {"scaleOn": "cpu"}}).probes_queues


def test_a_budget_mails_at_eighty_percent_and_when_a_month_is_forecast_above_it() -> None:
    inputs = varied().one("aws:budgets/budget:Budget").inputs
    assert (inputs["budgetType"], inputs["timeUnit"], inputs["limitUnit"]) == (
        "COST",
        "MONTHLY",
        "USD",
    ), "alarms.monthlyBudgetUsd"
    keys = ("notificationType", "threshold", "thresholdType", "comparisonOperator")
    assert [tuple(mail[key] for key in keys) for mail in inputs["notifications"]] == [
        ("ACTUAL", 80, "PERCENTAGE", "GREATER_THAN"),
        ("FORECASTED", 100, "PERCENTAGE", "GREATER_THAN"),
    ], "an ABSOLUTE_VALUE would be dollars"


IN_WORDS: Final = {
    "balancer-latency": "5 s", "api-latency": "5 s", "app-runner-latency": "5 s",
    "web-tasks": "web.minTasks", "worker-tasks": "worker.minTasks",
    "ingestion-lag": "5 min", "other-lag": "1 h",
    "clickhouse-tasks": "clickhouse.replicas",
    "clickhouse-volume-iops": "half of the minutes",
    "clickhouse-volume-throughput": "half of the minutes",
    "postgres-storage": "2 GiB",
    "postgres-connections": "60 % of max_connections",
}  # fmt: skip
"""The bound of an alarm where a number says too little, or settings decide it."""


def test_a_query_of_an_alarm_has_an_id_that_cloudwatch_takes() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
    ids: set[str] = {
        query["id"]
        for name in STACKS
        for alarm in graphs()[name].of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
        for query in sections(alarm.inputs, "metricQueries")
    }
    assert "value" in ids
    assert {each for each in ids if not re.fullmatch("[a-z][a-zA-Z0-9_]*", each)} == set()


def test_an_alarm_on_what_comes_daily_says_what_grace_its_hours_have() -> None:
    why = {
        (row.label.rpartition("-")[0].rpartition("-")[2], row.periods): row.why
        for _, config in STACKS.values()
        for row in alarm_rows(load_without_secrets(config), STACK)
        if row.label.endswith(("copy-missing", "snapshot-missing"))
    }
    assert set(why) == {("snapshot", 26), ("copy", 36)}, "hours, of which a day has 24"
    assert "two hours of grace" in why["snapshot", 26]
    assert "twelve hours of grace" in why["copy", 36]


def test_what_settings_decide_or_a_bare_number_does_not_tell_is_told_in_words() -> None:
    """As `status`, the runbook and docs/alarms.md show it: not in bytes, nor in milliseconds."""
    bounds: dict[str, set[float]] = {}
    words: dict[str, set[str]] = {}
    for _, config in STACKS.values():
        for row in alarm_rows(load_without_secrets(config), STACK):
            bounds.setdefault(row.label, set()).add(row.threshold)
            words.setdefault(row.label, set()).add(row.bound)
    assert {label: told for label, (told,) in words.items() if told} == IN_WORDS
    decided = {label for label, found in bounds.items() if len(found) > 1}
    assert decided - {*IN_WORDS} == set()


def test_the_page_says_how_often_a_volume_grows_as_the_rules_have_it() -> None:
    """Who believes in a wait of hours looks on while the disk fills."""
    (bound,) = [
        each.condition
        for each in rules_of("aws:ebs/volume:Volume", "refuses")
        if each.by == "modified_too_often"
    ]
    assert bound == "more than four times in 24 hours"
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    for heading in ("### ClickHouse disk\n", "## Growing the ClickHouse volume\n"):
        text = page.partition(heading)[2].partition("\n#")[0]
        assert ("four times in 24 hours" in text, "six hours" in text) == (True, False), heading
