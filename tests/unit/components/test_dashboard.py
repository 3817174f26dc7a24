"""The dashboard: what it shows of which stack, and where.

It proves that every line is a metric of one of the stack's own resources, and that the body is
always the same text. How the console draws it, only the console shows.
"""

import json
import re
from typing import Any, Final

import pytest

from langfuse_aws.components.observability.dashboard import COLUMNS, console_url, dashboard_body
from langfuse_aws.components.shared import metrics
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import Metric
from langfuse_aws.offline.facts import ACCOUNT
from tests.unit.components.test_alarms import copied, large, mailing, real_values
from tests.unit.settings.test_external_stores import EXTERNAL, stack
from tests.unit.stack_graph import Graph, shipped, varied
from tests.unit.stacks_of_all import graphs

FREE_METRICS = 50
"""What a free dashboard may show. https://aws.amazon.com/cloudwatch/pricing/"""

STATISTICS = {"Average", "Maximum", "Minimum", "SampleCount", "Sum"}
"""Beside percentiles.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html"""

GRAPHS = {
    "dev": lambda: shipped("dev"),
    "staging": lambda: shipped("staging"),
    "prod": lambda: shipped("prod"),
    "small": varied,
    "large": large,
    "App Runner": lambda: graphs()["App Runner"],
}
every_graph = pytest.mark.parametrize("name", GRAPHS)


def widgets(graph: Graph) -> list[dict[str, Any]]:
    body = graph.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"]
    return json.loads(body)["widgets"]


def lines(graph: Graph) -> list[tuple[str, str, dict[str, str], dict[str, Any]]]:
    """Namespace, name, dimensions and options of every line."""
    return [
        (line[0], line[1], dict(zip(line[2:-1:2], line[3:-1:2], strict=True)), line[-1])
        for widget in widgets(graph)
        if widget["type"] == "metric"
        for line in widget["properties"]["metrics"]
    ]


@every_graph
def test_every_line_is_a_metric_of_a_resource_of_the_stack(name: str) -> None:
    graph = GRAPHS[name]()
    found = lines(graph)
    assert len(found) > 20
    for _, metric, dimensions, _ in found:
        for dimension, value in dimensions.items():
            assert value in real_values(graph, dimension), (metric, dimension)


@every_graph
def test_every_line_has_a_statistic_of_cloudwatch_and_a_label_of_its_own(name: str) -> None:
    for widget in widgets(GRAPHS[name]()):
        options = [line[-1] for line in widget["properties"].get("metrics", ())]
        for each in options:
            assert each["stat"] in STATISTICS or re.fullmatch(r"p\d{1,2}", each["stat"])
        labels = [each["label"] for each in options]
        assert all(labels), widget["properties"]["title"]
        assert len({*labels}) == len(labels), labels


@every_graph
def test_every_graph_begins_at_zero(name: str) -> None:
    drawn = [
        each["properties"] for each in widgets(GRAPHS[name]()) if "metrics" in each["properties"]
    ]
    axes = [each["yAxis"] for each in drawn if each["view"] == "timeSeries"]
    assert axes == [{"left": {"min": 0}}] * len(axes) != []


LABELS: Final[dict[str, str]] = {
    "5xx": "5xx",
    "5xxStatusResponses": "5xx",
    "ACUUtilization": "capacity, %",
    "Count": "requests",
    "DatabaseConnections": "PostgreSQL connections",
    "DaysToExpiry": "certificate, days",
    "EBSByteBalance%": "throughput credits, %",
    "EBSIOBalance%": "I/O credits, %",
    "FailedJobs": "failed jobs",
    "FreeStorageSpace": "free storage, bytes",
    "HTTPCode_ELB_5XX_Count": "5xx of the load balancer",
    "HTTPCode_Target_5XX_Count": "5xx of web",
    "NumberOfBackupJobsCompleted": "snapshots of volumes",
    "NumberOfBackupJobsFailed": "failed snapshots",
    "OldestJobAge": "oldest job of ingestion, s",
    "OtherOldestJobAge": "oldest job of other queues, s",
    "RequestCount": "requests",
    "RequestLatency": "95th percentile, ms",
    "Requests": "requests",
    "UnHealthyHostCount": "unhealthy targets",
    "WaitingJobs": "waiting jobs",
}
"""What is counted, by the metric's name. Latency is in s of a load balancer and in ms of others."""


def test_what_is_drawn_is_told_with_its_unit() -> None:
    drawn = {
        (metric, options["label"])
        for draw in GRAPHS.values()
        for _, metric, _, options in lines(draw())
    }
    assert {pair for pair in drawn if pair[0] in LABELS} == {*LABELS.items()}
    assert ("Latency", "95th percentile, ms") in drawn
    assert ("TargetResponseTime", "95th percentile, s") in drawn


READ: Final[dict[str, tuple[str, ...]]] = {
    "what happens is counted": (
        "Sum",
        "5xx", "5xxStatusResponses", "Count", "Evictions", "HTTPCode_ELB_5XX_Count",
        "HTTPCode_Target_5XX_Count", "NumberOfBackupJobsCompleted", "NumberOfBackupJobsExpired",
        "NumberOfBackupJobsFailed", "NumberOfCopyJobsCompleted", "NumberOfCopyJobsFailed",
        "RequestCount", "Requests",
    ),
    "what runs over does so at its highest, and what several send alike is no more than one": (
        "Maximum",
        "ACUUtilization", "ActiveInstances", "CPUSurplusCreditsCharged", "DatabaseConnections",
        "DatabaseMemoryUsagePercentage", "DiskUsedPercent", "FailedJobs", "MemoryUsed",
        "MemoryUtilization", "OldestJobAge", "OtherOldestJobAge", "UnHealthyHostCount",
        "WaitingJobs",
    ),
    "what runs out does so at its lowest": (
        "Minimum", "DaysToExpiry", "EBSByteBalance%", "EBSIOBalance%", "FreeStorageSpace",
    ),
    "tasks share their load; a check is 0 or 1; a size is told once a day": (
        "Average",
        "BucketSizeBytes", "CPUUtilization", "MemoryUtilization", "VolumeIOPSExceededCheck",
        "VolumeThroughputExceededCheck",
    ),
    "users notice the slowest requests, but not the one in twenty": (
        "p95", "Latency", "RequestLatency", "TargetResponseTime",
    ),
    "each task sends one sample a minute": ("SampleCount", "CPUUtilization", "MemoryUtilization"),
}  # fmt: skip
"""The statistic that metrics are read by, and which, by the reason."""


def test_a_metric_is_read_by_the_statistic_that_shows_what_is_wrong() -> None:
    known = {(name, statistic) for statistic, *names in READ.values() for name in names}
    constants = {
        (each.name, each.statistic): each.period
        for each in vars(metrics).values()
        if isinstance(each, Metric)
    }
    assert constants.keys() <= known
    assert set(constants.values()) <= {60, 300, 3600, 86_400}, "or CloudWatch keeps no such period"
    drawn = {
        (metric, options["stat"])
        for name in GRAPHS
        for namespace, metric, _, options in lines(GRAPHS[name]())
        if namespace.startswith("AWS/")
    }
    assert drawn <= known
    idle = known - drawn - constants.keys()
    assert idle == set()


def test_a_metric_of_a_subject_has_a_title_and_a_name_of_its_own() -> None:
    found = [each for each in vars(metrics).values() if isinstance(each, Metric)]
    for each in found:
        others = [other for other in found if other.subject == each.subject and other != each]
        assert each.title
        assert each.title not in [other.title for other in others], each
        assert each.name not in [other.name for other in others], each


@every_graph
def test_the_dashboard_is_a_free_one(name: str) -> None:
    assert len(lines(GRAPHS[name]())) <= FREE_METRICS


@every_graph
def test_it_reads_from_the_ingress_down_to_the_backups(name: str) -> None:
    titles = [
        widget["properties"]["title"]
        for widget in widgets(GRAPHS[name]())
        if widget["type"] == "metric"
    ]
    numbers = [int(title.split(" ")[0]) for title in titles]
    assert numbers == sorted(numbers)
    words = list(dict.fromkeys(title.split(" ", 1)[1].split(":")[0] for title in titles))
    parts = ["Ingress", "Web", "Queue", "Worker", "PostgreSQL", "Valkey", "S3", "ClickHouse"]
    parts += ["Backups", "Certificate"]
    if name in {"dev", "App Runner"}:  # no certificate, or AWS's own
        parts.remove("Certificate")
    assert words == parts


@every_graph
def test_no_two_widgets_lie_on_one_another(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets(GRAPHS[name]()):
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"]["title"]
        assert widget["x"] + widget["width"] <= COLUMNS
        taken |= cells
    rows = {y for _, y in taken}
    assert rows == {*range(len(rows))}, "no row is empty"


def test_the_states_of_all_alarms_are_on_top() -> None:
    graph = large()
    first = widgets(graph)[0]
    assert (first["type"], first["x"], first["y"]) == ("alarm", 0, 0)
    arns = {each.outputs["arn"] for each in mailing(graph)}
    assert set(first["properties"]["alarms"]) == arns
    assert len(arns) <= 100, "the console shows a hundred"


def test_without_alarms_there_are_only_graphs() -> None:
    assert {widget["type"] for widget in widgets(shipped("prod"))} == {"metric"}


def test_external_stores_have_no_line() -> None:
    namespaces = {line[0] for line in lines(stack(frozenset(EXTERNAL)))}
    assert namespaces == {"AWS/ApiGateway", "AWS/ECS", "AWS/S3", "Langfuse/Queues"}
    services = {line[2].get("ServiceName") for line in lines(stack(frozenset(EXTERNAL)))}
    assert len(services - {None}) == 2, "web and worker"
    of_redis = [line for line in lines(stack(frozenset(EXTERNAL))) if line[1] == "MemoryUsed"]
    assert len(of_redis) == 1, "what only the queue probe can tell of an external Redis"


def test_several_servers_have_a_line_each_with_a_number() -> None:
    disks = [line[3]["label"] for line in lines(large()) if line[1] == "DiskUsedPercent"]
    assert disks == ["disk used, % 1", "disk used, % 2", "disk used, % 3"]
    assert [line[3]["label"] for line in lines(varied()) if line[1] == "DiskUsedPercent"] == [
        "disk used, %"
    ]


def test_the_same_stack_has_the_same_body() -> None:
    service = {"ClusterName": "c", "ServiceName": "s"}
    turned = {"ServiceName": "s", "ClusterName": "c"}
    bodies = {
        dashboard_body("eu-west-1", "langfuse-dev", {"web": [each]}, [])
        for each in (service, turned)
    }
    assert len(bodies) == 1, "another order would be a change in every preview"
    (body,) = bodies
    assert body == json.dumps(json.loads(body), sort_keys=True)


def test_it_has_the_stacks_name_and_the_regions() -> None:
    found = varied().one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardName"]
    assert found == "langfuse-dev-us-east-1", "an account has each name once, over all regions"


@every_graph
def test_a_count_is_the_same_however_long_a_time_is_shown(name: str) -> None:
    body = json.loads(
        GRAPHS[name]().one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"]
    )
    assert body["periodOverride"] == "inherit", "else a longer period counts a task's samples more"
    periods = {options["label"]: options["period"] for *_, options in lines(GRAPHS[name]())}
    assert all(periods.values())
    assert periods["failed snapshots"] == 3600, "AWS Backup tells hourly"


def test_copies_have_lines_of_their_own() -> None:
    labels = {line[3]["label"] for line in lines(copied())}
    assert {"copies of volumes", "copies of PostgreSQL", "failed copies"} <= labels
    assert len(lines(copied())) <= FREE_METRICS


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("eu-west-1", "aws", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "aws-cn", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "aws-us-gov", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_each_partition_has_a_console_of_its_own(region: str, partition: str, host: str) -> None:
    url = console_url(Location(region, partition, ACCOUNT), "langfuse-dev")
    assert (
        url == f"https://{host}/cloudwatch/home?region={region}#dashboards/dashboard/langfuse-dev"
    )
