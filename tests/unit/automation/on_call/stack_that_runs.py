"""A stack of the program's own, as its state has it, and an AWS in which all of it is well.

The clients are real, so botocore checks what they are asked and what they answer by AWS's models;
only the network is not there. Unlike `test_restore.Aws` it may be asked by several threads.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, cast

import boto3
from pulumi import automation as auto

from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.on_call.running_stack import RunningStack
from tests.unit.automation.restore.test_restore import AwsError, FakePulumiStack
from tests.unit.stack_graph import Graph, shipped, shipped_config

REGION: Final = "us-east-1"
ACCOUNT: Final = "123456789012"
DIGEST: Final = f"sha256:{'ab12cd34ef56' + '0' * 52}"
OTHER_DIGEST: Final = f"sha256:{'99' * 32}"
NOW: Final = datetime.now(timezone.utc).replace(microsecond=0)

Answer = dict[str, Any] | AwsError | Callable[[dict[str, Any]], Any]


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def state_of(graph: Graph) -> list[dict[str, Any]]:
    """The entries of the state after an update."""
    return [
        {
            "type": each.type,
            "urn": graph.urns[each.type, each.name],
            "id": each.id,
            "custom": each.custom,
            "inputs": each.inputs,
            "outputs": {**each.inputs, **each.outputs},
        }
        for each in graph.registrations
    ]


@dataclass
class Aws:
    """Answers by the operation's name, and remembers what it was asked."""

    answers: dict[str, Answer]
    asked: list[tuple[str, dict[str, Any]]] = field(
        default_factory=list[tuple[str, dict[str, Any]]]
    )
    clients: list[str] = field(default_factory=list[str])

    def client(self, service: str) -> Any:
        """The client of a service, which asks the newest Aws."""
        _Now.aws = self
        self.clients.append(service)
        return _client(service)


class _Now:
    aws: Aws
    params = threading.local()


@cache
def _client(service: str) -> Any:
    session: Any = boto3.Session(region_name=REGION)
    client = session.client(service)
    client.meta.events.register_first("provide-client-params", _note)
    client.meta.events.register_first("before-call", _answer)
    return client


def _note(params: dict[str, Any], model: Any, **_: Any) -> None:
    _Now.params.now = params
    _Now.aws.asked.append((model.name, params))


def _answer(model: Any, **_: Any) -> Any:
    answers = _Now.aws.answers
    assert model.name in answers, f"nobody expected {model.name}"
    answer = answers[model.name]
    given: Any = answer(_Now.params.now) if callable(answer) else answer
    if isinstance(given, AwsError):
        return SimpleNamespace(status_code=400), given.parsed
    return SimpleNamespace(status_code=200), {**given}


@dataclass
class OnCall:
    """A stack that runs, its AWS, and the same as the commands get it."""

    graph: Graph
    aws: Aws
    pulumi: FakePulumiStack
    name: str = "prod"

    @property
    def deployed(self) -> Deployed:
        """What `open_stack` gives."""
        pulumi = cast(auto.Stack, self.pulumi)
        return Deployed(self.name, f"langfuse-{self.name}", pulumi, self.aws.client, REGION)

    @property
    def stack(self) -> RunningStack:
        """What the readings get."""
        return RunningStack.of(self.deployed)

    def calls(self, operation: str) -> list[dict[str, Any]]:
        """What an operation was asked with."""
        return [params for name, params in self.aws.asked if name == operation]


def on_call(**answers: Answer) -> OnCall:
    """The shipped prod, which is well but for these answers of AWS."""
    return on_call_of(shipped("prod"), shipped_config("prod"), "prod", answers)


def on_call_of(
    graph: Graph, config: Mapping[str, Any], name: str, answers: Mapping[str, Answer] = {}
) -> OnCall:
    """Another stack."""
    keys = {f"langfuse:{key}": value for key, value in config.items()}
    pulumi = FakePulumiStack(state_of(graph), keys, [])
    return OnCall(graph, Aws({**well(graph), **answers}), pulumi, name)


def images_of(graph: Graph) -> dict[str, tuple[str, str]]:
    """By task definition's ARN, its essential container and its image."""
    found: dict[str, tuple[str, str]] = {}
    for each in graph.of_type("aws:ecs/taskDefinition:TaskDefinition"):
        every = json.loads(each.inputs["containerDefinitions"])
        (container,) = [container for container in every if container["essential"]]
        found[each.outputs["arn"]] = container["name"], container["image"]
    return found


def services_of(graph: Graph) -> dict[str, dict[str, Any]]:
    """By name, the services as DescribeServices has them, all steady."""
    return {
        each.outputs["name"]: {
            "serviceName": each.outputs["name"],
            "status": "ACTIVE",
            "desiredCount": 2,
            "runningCount": 2,
            "pendingCount": 0,
            "taskDefinition": each.inputs["taskDefinition"],
            "deployments": [{"status": "PRIMARY"}],
            "events": [
                {"message": f"(service {each.name}) has reached a steady state.", "id": "1"}
            ],
        }
        for each in graph.of_type("aws:ecs/service:Service")
    }


def task(definition: str, container: str, image: str, **more: Any) -> dict[str, Any]:
    """A task that runs."""
    number = more.pop("number", 1)
    own = more.pop("own", {})
    return {
        "taskArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/langfuse-prod/{number:032x}",
        "taskDefinitionArn": definition,
        "lastStatus": "RUNNING",
        "healthStatus": "HEALTHY",
        "startedAt": ago(days=3),
        "containers": [
            {
                "name": container,
                "image": image,
                "imageDigest": DIGEST,
                "runtimeId": "0f1e2d-1",
                "lastStatus": "RUNNING",
                **own,
            }
        ],
        **more,
    }


def well(graph: Graph) -> dict[str, Answer]:
    """What an AWS says in which nothing is wrong."""
    services, images = services_of(graph), images_of(graph)

    def describe_services(params: dict[str, Any]) -> dict[str, Any]:
        return {"services": [services[each] for each in params["services"]], "failures": []}

    def list_tasks(params: dict[str, Any]) -> dict[str, Any]:
        running = params["desiredStatus"] == "RUNNING"
        return {"taskArns": [f"{params['serviceName']}/{n}" for n in (1, 2)] if running else []}

    def describe_tasks(params: dict[str, Any]) -> dict[str, Any]:
        tasks: list[dict[str, Any]] = []
        for number, arn in enumerate(params["tasks"], start=1):
            definition = services[arn.split("/")[0]]["taskDefinition"]
            tasks.append(task(definition, *images[definition], number=number))
        return {"tasks": tasks, "failures": []}

    def get_metric_data(params: dict[str, Any]) -> dict[str, Any]:
        return {
            "MetricDataResults": [
                {"Id": each["Id"], "Values": [3.0, 3.0, 3.0], "Timestamps": [NOW] * 3}
                for each in params["MetricDataQueries"]
            ]
        }

    def points(params: dict[str, Any]) -> dict[str, Any]:
        taken = {"Status": "COMPLETED", "ResourceArn": params["ByResourceArn"]}
        dates = [ago(hours=20), ago(hours=1)]
        return {"RecoveryPoints": [{**taken, "CreationDate": date} for date in dates]}

    def objects(params: dict[str, Any]) -> dict[str, Any]:
        if params["Prefix"] == "clickhouse/":
            return {"CommonPrefixes": [{"Prefix": "clickhouse/2026-W48/"}]}
        folder = "clickhouse/2026-W48/full-20261123T020000Z/"
        if params["Prefix"].endswith(".backup"):
            return {"Contents": [{"Key": f"{folder}.backup", "LastModified": ago(hours=10)}]}
        return {"CommonPrefixes": [{"Prefix": folder}]}

    def cache_snapshots(params: dict[str, Any]) -> dict[str, Any]:
        # Of a node: with cluster mode off a snapshot has no ReplicationGroupId to be found by.
        if "CacheClusterId" not in params:
            return {"Snapshots": []}
        nodes = [{"SnapshotCreateTime": ago(hours=8)}]
        return {"Snapshots": [{"SnapshotStatus": "available", "NodeSnapshots": nodes}]}

    def describe_alarms(params: dict[str, Any]) -> dict[str, Any]:
        quiet = {"StateValue": "OK", "StateUpdatedTimestamp": ago(days=9), "ActionsEnabled": True}
        return {"MetricAlarms": [{**quiet, "AlarmName": each} for each in params["AlarmNames"]]}

    return {
        "GetCallerIdentity": {"Account": ACCOUNT, "Arn": "arn", "UserId": "me"},
        "DescribeServices": describe_services,
        "ListTasks": list_tasks,
        "DescribeTasks": describe_tasks,
        "ListServiceDeployments": {"serviceDeployments": [deployment()]},
        "GetMetricData": get_metric_data,
        "DescribeAlarms": describe_alarms,
        "ListRecoveryPointsByBackupVault": points,
        "ListObjectsV2": objects,
        "DescribeDBClusters": {
            "DBClusters": [
                {
                    "Status": "available",
                    "LatestRestorableTime": ago(minutes=4),
                    "BackupRetentionPeriod": 14,
                }
            ]
        },
        "DescribeDBInstances": {
            "DBInstances": [
                {"DBInstanceStatus": "available", "LatestRestorableTime": ago(minutes=4)}
            ]
        },
        "DescribeSnapshots": cache_snapshots,
        "DescribeCertificate": {"Certificate": certificate()},
    }


def deployment(status: str = "SUCCESSFUL", **more: Any) -> dict[str, Any]:
    """A deployment of a service, of three days ago."""
    return {"status": status, "createdAt": ago(days=3), "finishedAt": ago(days=3), **more}


def certificate(**changed: Any) -> dict[str, Any]:
    """A certificate that is good for 100 days."""
    return {
        "DomainName": "langfuse.example.com",
        "Status": "ISSUED",
        "Type": "AMAZON_ISSUED",
        "NotAfter": ago(days=-100, hours=-1),
        **changed,
    }
