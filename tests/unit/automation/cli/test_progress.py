"""What is drawn of an operation's events, with a clock of the test's own.

That an engine sends such events, and that a terminal shows the drawing, is not tried here.
"""

import io
import re

import pytest
from rich.console import Console, RenderableType

from langfuse_aws.automation.cli.progress import Progress, usual_duration
from langfuse_aws.automation.engine.events import ResourceEvent, State
from langfuse_aws.graph.model import Resource

STACK = "pulumi:pulumi:Stack"
SECONDS_PER_MINUTE = 60


class Clock:
    """Stands still unless it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def event(
    name: str,
    token: str,
    state: State = "started",
    parent: str = "stack",
    operation: str = "create",
) -> ResourceEvent:
    return ResourceEvent(
        seconds=0,
        state=state,
        operation=operation,
        urn=name,
        type=token,
        name=name,
        parent=parent,
        component=token.startswith(("langfuse:", "pulumi:pulumi")),
    )


def drawn(what: RenderableType) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=120, color_system=None).print(what)
    lines = (line.rstrip() for line in file.getvalue().splitlines())
    return [re.sub(r"^[⠀-⣿] ", "", line) for line in lines if line]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    found = Progress(clock)
    found.take(event("stack", STACK, parent=""))
    found.take(event("network", "langfuse:index:Network"))
    found.take(event("vpc", "aws:ec2/vpc:Vpc", parent="network"))
    return found


def test_before_the_first_resource_it_says_what_it_waits_for(clock: Clock) -> None:
    progress = Progress(clock)
    clock.now += 7
    assert drawn(progress) == ["waiting for the program …, 0:07"]


def test_the_summary_names_what_is_in_work_and_for_how_long_and_how_long_is_usual(
    progress: Progress, clock: Clock
) -> None:
    clock.now += 30
    progress.take(event("vpc", "aws:ec2/vpc:Vpc", "done", "network"))
    progress.take(event("data", "langfuse:index:DataPlane"))
    progress.take(event("redis", "langfuse:index:Redis", parent="data"))
    replication_group = "aws:elasticache/replicationGroup:ReplicationGroup"
    progress.take(event("valkey", replication_group, parent="redis"))
    clock.now += 5
    progress.take(event("keys", "random:index/randomBytes:RandomBytes", parent="data"))
    clock.now += 3 * SECONDS_PER_MINUTE
    assert drawn(progress) == [
        "1 resources so far, 3:35",
        "+ pulumi:pulumi:Stack stack  1 done",
        "├── + langfuse:index:Network network  1 done",
        "└── + langfuse:index:DataPlane data  0 done",
        "    ├── + random:index:RandomBytes keys  3:00",
        "    └── + langfuse:index:Redis redis  0 done",
        "        └── + aws:elasticache:ReplicationGroup valkey  3:05, usually 6 to 9 min",
    ]


def test_what_belongs_to_a_resource_is_counted_with_its_component(progress: Progress) -> None:
    progress.take(event("subnet", "aws:ec2/subnet:Subnet", parent="vpc"))
    assert drawn(progress)[1:] == [
        "+ pulumi:pulumi:Stack stack  0 done",
        "└── + langfuse:index:Network network  0 done",
        "    ├── + aws:ec2:Vpc vpc  0:00",
        "    └── + aws:ec2:Subnet subnet  0:00",
    ]


def test_of_many_the_three_that_take_longest_are_named(progress: Progress, clock: Clock) -> None:
    for number in range(4):
        clock.now += 1
        progress.take(event(f"subnet-{number}", "aws:ec2/subnet:Subnet", parent="network"))
    assert drawn(progress)[3:] == [
        "    ├── + aws:ec2:Vpc vpc  0:04",
        "    ├── + aws:ec2:Subnet subnet-0  0:03",
        "    ├── + aws:ec2:Subnet subnet-1  0:02",
        "    └── … and 2 more",
    ]


def test_a_second_step_with_a_resource_has_a_time_of_its_own(
    progress: Progress, clock: Clock
) -> None:
    database = "aws:rds/instance:Instance"
    for operation in ("create-replacement", "delete-replaced"):
        progress.take(event("db", database, "started", "network", operation))
        clock.now += 50
        shown = [line for line in drawn(progress) if " db " in line]
        usual = "3 to 6" if operation == "create-replacement" else "4 to 6"
        assert shown == [f"    └── ± aws:rds:Instance db  0:50, usually {usual} min"]
        progress.take(event("db", database, "done", "network", operation))


def test_a_destroy_tells_of_resources_before_their_components(clock: Clock) -> None:
    progress = Progress(clock)
    gateway = "aws:ec2/natGateway:NatGateway"
    progress.take(event("nat", gateway, "started", "network", "delete"))
    clock.now += 20
    assert drawn(progress) == [
        "0 resources so far, 0:20",
        "- aws:ec2:NatGateway nat  0:20, usually 1 min",
    ]
    progress.take(event("nat", gateway, "done", "network", "delete"))
    progress.take(event("network", "langfuse:index:Network", "done", "stack", "delete"))
    assert drawn(progress)[1:] == ["- langfuse:index:Network network  1 done"]


def test_a_total_is_told_only_if_it_is_known_and_is_the_one_that_comes(clock: Clock) -> None:
    def resource(urn: str, token: str, parent: str) -> Resource:
        return Resource(urn, token, parent, custom=not token.startswith(("langfuse", "pulumi")))

    vpc, subnet = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet"
    network = "langfuse:index:Network"
    expected = [
        resource("stack", STACK, ""),
        resource("network", network, "stack"),
        resource("vpc", vpc, "network"),
        *(resource(f"subnet-{number}", subnet, "vpc") for number in range(3)),
    ]
    progress = Progress(clock, expected)
    progress.take(event("stack", STACK, parent=""))
    progress.take(event("network", network))
    progress.take(event("vpc", vpc, "done", "network"))
    shown = drawn(progress)
    assert shown[0] == "1 of 6 resources, 0:00"
    assert shown[1:3] == [
        "+ pulumi:pulumi:Stack stack  1/4",
        "└── + langfuse:index:Network network  1/4",
    ]
    # What nobody expected counts, too.
    progress.take(event("more", subnet, "done", "vpc"))
    assert drawn(progress)[0] == "2 of 7 resources, 0:00"
    for urn in ("subnet-0", "subnet-1", "subnet-2"):
        progress.take(event(urn, subnet, "done", "vpc"))
    progress.take(event("network", network, "done"))
    progress.take(event("stack", STACK, "done", ""))
    assert drawn(progress) == [
        "7 of 7 resources, 0:00",
        "+ pulumi:pulumi:Stack stack  5/5",
        "└── + langfuse:index:Network network  5/5",
    ]


def test_the_tree_has_what_changed_below_its_parents_and_nothing_else(progress: Progress) -> None:
    steps: list[tuple[str, str, State, str]] = [
        ("vpc", "aws:ec2/vpc:Vpc", "done", "same"),
        ("subnet", "aws:ec2/subnet:Subnet", "done", "update"),
        ("route", "aws:ec2/route:Route", "failed", "create"),
        ("table", "aws:ec2/routeTable:RouteTable", "done", "read"),
    ]
    for name, token, state, operation in steps:
        parent = "vpc" if name == "subnet" else "network"
        progress.take(event(name, token, state, parent, operation))
    for name, token in (("network", "langfuse:index:Network"), ("stack", STACK)):
        parent = "stack" if name == "network" else ""
        progress.take(event(name, token, "done", parent, "same"))
    progress.take(event("quiet", "langfuse:index:Cluster", "done", "stack", "same"))
    assert drawn(progress.tree()) == [
        "  pulumi:pulumi:Stack stack",
        "└──   langfuse:index:Network network",
        "    ├──   aws:ec2:Vpc vpc",
        "    │   └── ~ aws:ec2:Subnet subnet",
        "    └── ✗ aws:ec2:Route route",
    ]


def test_the_tree_of_an_update_that_changed_nothing_is_empty(clock: Clock) -> None:
    progress = Progress(clock)
    progress.take(event("stack", STACK, "done", "", "same"))
    assert drawn(progress.tree()) == []


def test_usual_times_are_of_creating_and_deleting() -> None:
    assert usual_duration("update", "aws:rds/instance:Instance") == "", "that depends"
    assert usual_duration("create", "aws:rds/cluster:Cluster") == "usually 1 min"
