"""The script of `replay` between a real Redis, a real BullMQ, and a bucket over HTTP.

It runs as the task runs it: the very command, in a folder laid out as the worker's image. It proves
that a BullMQ worker gets the jobs, that they are of the form that Langfuse's consumers take, which
objects they are for, and in which order. `langfuse_shared.js` stands in for Langfuse's package, by
the names in its source. What Langfuse then writes to ClickHouse is not tried here.
"""

import json
import os
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import pytest

from development.node_packages import NODE
from langfuse_aws.automation.restore.replay import Window, orders
from tests.queues.bucket import Bucket
from tests.queues.conftest import SECONDS, Redis

OTEL: Final = "secondary-otel-ingestion-queue"
INGESTION: Final = "secondary-ingestion-queue"
FOLDER: Final = "events/otel/p1/2026/11/20"
SPANS: Final = '[{"scopeSpans": [{"scope": {"name": "%s"}, "spans": []}]}]'


@dataclass
class World:
    """The folder of the image, Redis and the bucket."""

    image: Path
    redis: Redis
    bucket: Bucket

    def replay(
        self,
        since: str = "10:00:00",
        until: str = "12:00:00",
        project: str | None = None,
        *,
        dry_run: bool = False,
        **environment: str,
    ) -> "Result":
        """Run the task's command to its end."""
        day = "2026-11-20T{}+00:00"
        moments = [datetime.fromisoformat(day.format(each)) for each in (since, until)]
        now = datetime(2026, 11, 28, tzinfo=timezone.utc)
        order = orders(Window.of(moments[0], moments[1], project, now=now), dry_run=dry_run)
        variables = {each["name"]: each["value"] for each in order["environment"]}
        program, *arguments = order["command"]
        assert program == "node"
        done = subprocess.run(
            [str(NODE), *arguments],
            cwd=self.image,
            env=self.environment({**variables, **environment}),
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        return Result(done.returncode, done.stdout.splitlines(), done.stderr)

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """The container's variables, and what Node.js needs of this machine."""
        base = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}
        return {**base, **self.redis.environment, **self.bucket.environment, **more}

    @contextmanager
    def consuming(self, failing: str = "") -> Generator[list[dict[str, Any]]]:
        """Take jobs until the end of the block; the list has them all afterwards."""
        taken: list[dict[str, Any]] = []
        process = subprocess.Popen(
            [str(NODE), "consumer.js"],
            cwd=self.image,
            env=self.environment({"FAILING": failing}),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield taken
        finally:
            process.terminate()
            lines, _ = process.communicate(timeout=SECONDS)
            taken += [json.loads(line) for line in lines.splitlines()]


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    code: int
    lines: Sequence[str]
    errors: str

    @property
    def said(self) -> list[str]:
        """The script's own lines."""
        return [line.removeprefix("replay: ") for line in self.lines]


@pytest.fixture
def world(image: Path, redis: Redis, bucket: Bucket) -> World:
    """Put the three together."""
    return World(image, redis, bucket)


def files(taken: Sequence[dict[str, Any]]) -> list[str]:
    """Which objects the jobs are for."""
    data = [each["data"]["payload"]["data"] for each in taken]
    return [each.get("bucketPrefix", "") + each["fileKey"] for each in data]


def test_each_otlp_batch_of_the_time_becomes_a_job_in_the_order_in_which_they_came(
    world: World,
) -> None:
    early, late = f"{FOLDER}/09/59/a.json", f"{FOLDER}/12/00/z.json"
    inside = {
        f"{FOLDER}/10/00/c.json": "10:00:00",
        f"{FOLDER}/10/30/a.json": "10:31:00",
        f"{FOLDER}/10/30/b.json": "10:30:30",
        "events/otel/p2/2026/11/20/11/59/d.json": "12:00:00",
    }
    for key, time in {early: "09:59:59", **inside, late: "12:00:01"}.items():
        world.bucket.put(key, time)
    world.bucket.put("events/otel/p1/readme.json", "11:00:00")
    with world.consuming() as taken:
        result = world.replay()
    assert (result.code, result.errors) == (0, "")
    assert [(each["queue"], each["name"], each["wrong"]) for each in taken] == [
        (OTEL, "otel-ingestion-job", None)
    ] * 4
    assert files(taken) == sorted(inside, key=lambda key: inside[key])
    assert [each["data"]["payload"]["authCheck"]["scope"]["projectId"] for each in taken] == [
        *["p1"] * 3,
        "p2",
    ]
    assert result.said == [
        "project p1, OTLP batches: 3",
        "project p2, OTLP batches: 1",
        "4 jobs",
        "4 of 4 jobs, to 2026-11-20T12:00:00Z",
        "the worker has taken them all",
    ]
    assert world.bucket.refused == [], "it did more than read"


def test_a_batch_is_found_whatever_the_clock_of_web_said(world: World) -> None:
    keys = [f"events/otel/p1/2026/11/{day}/{hour}/a.json" for day, hour in ((19, "22"), (21, "01"))]
    keys = [key.replace("/a.json", "/00/a.json") for key in keys]
    for key in keys:
        world.bucket.put(key, "11:00:00")
    with world.consuming() as taken:
        assert world.replay().code == 0
    assert sorted(files(taken)) == keys


def test_an_entity_of_the_batch_api_is_one_job_that_reads_all_of_its_objects(
    world: World,
) -> None:
    world.bucket.put("events/p1/trace/t1/e1.json", "08:00:00")
    world.bucket.put("events/p1/trace/t1/e2.json", "10:10:00")
    world.bucket.put("events/p1/trace/t1/e3.json", "11:10:00")
    world.bucket.put("events/p1/trace/t2/e4.json", "08:00:00")
    world.bucket.put("events/p1/observation/a/b/e5.json", "10:20:00")
    world.bucket.put("events/p1/score/s1/e6.json", "10:30:00")
    world.bucket.put("events/p1/dataset_run_item/d1/e7.json", "10:40:00")
    world.bucket.put("events/p1/sdk_log/l1/e8.json", "10:50:00")
    world.bucket.put("events/evals/p1/traces/t1/observations/o1.json", "10:50:00")
    with world.consuming() as taken:
        result = world.replay()
    assert result.code == 0, result
    assert {(each["queue"], each["name"], each["wrong"]) for each in taken} == {
        (INGESTION, "ingestion-job", None)
    }
    data = [each["data"]["payload"]["data"] for each in taken]
    assert [(each["type"], each["eventBodyId"]) for each in data] == [
        ("observation-create", "a/b"),
        ("score-create", "s1"),
        ("dataset-run-item-create", "d1"),
        ("trace-create", "t1"),
    ]
    assert files(taken)[0] == "events/p1/observation/a/b/e5"
    assert data[-1]["bucketPrefix"] == "events/p1/trace/t1/"


def test_where_only_events_are_written_batch_traces_are_left_out_and_scores_are_not(
    world: World,
) -> None:
    for kind in ("trace", "observation", "score", "dataset_run_item"):
        world.bucket.put(f"events/p1/{kind}/x/e.json", "11:00:00")
    with world.consuming() as taken:
        assert world.replay(LANGFUSE_MIGRATION_V4_WRITE_MODE="events_only").code == 0
    assert sorted(each["data"]["payload"]["data"]["type"] for each in taken) == [
        "dataset-run-item-create",
        "score-create",
    ]


def test_langfuses_own_traces_keep_their_mark(world: World) -> None:
    world.bucket.put(f"{FOLDER}/10/00/a.json", "10:00:00", SPANS % "langfuse-internal-trace-writer")
    world.bucket.put(f"{FOLDER}/10/01/b.json", "10:01:00", SPANS % "langfuse-sdk")
    with world.consuming() as taken:
        assert world.replay().code == 0
    marks = [each["data"]["payload"].get("isLangfuseInternal") for each in taken]
    assert marks == [True, None]
    assert taken[0]["data"]["payload"]["ingestionVersion"] == "4"


def test_one_project_is_loaded_alone(world: World) -> None:
    for project in ("p1", "p2"):
        world.bucket.put(f"events/otel/{project}/2026/11/20/11/00/a.json", "11:00:00")
        world.bucket.put(f"events/{project}/score/s/e.json", "11:00:00")
    with world.consuming() as taken:
        assert world.replay(project="p2").code == 0
    assert {each["data"]["payload"]["authCheck"]["scope"]["projectId"] for each in taken} == {"p2"}
    assert len(taken) == 2


def test_a_dry_run_counts_and_makes_no_job(world: World) -> None:
    world.bucket.put(f"{FOLDER}/11/00/a.json", "11:00:00")
    world.bucket.put("events/p1/score/s/e.json", "11:00:00")
    result = world.replay(dry_run=True)
    assert result.code == 0
    assert result.said == ["project p1, OTLP batches: 1", "project p1, scores: 1", "2 jobs"]
    assert world.redis.keys("*:wait") == []


def test_nothing_in_that_time_is_no_error(world: World) -> None:
    result = world.replay()
    assert (result.code, result.said) == (0, ["0 jobs"])


def test_a_release_without_a_second_queue_for_otlp_gets_them_in_its_only_one(world: World) -> None:
    world.bucket.put(f"{FOLDER}/11/00/a.json", "11:00:00")
    with world.consuming() as taken:
        assert world.replay(WITHOUT_SECOND_OTEL_QUEUE="true").code == 0
    assert [each["queue"] for each in taken] == ["otel-ingestion-queue"]


def test_an_object_that_is_no_batch_is_left_out_and_the_others_are_loaded(world: World) -> None:
    world.bucket.put(f"{FOLDER}/11/00/a.json", "11:00:00", "{not json")
    world.bucket.put(f"{FOLDER}/11/01/b.json", "11:01:00", '{"an": "object"}')
    world.bucket.put(f"{FOLDER}/11/02/c.json", "11:02:00")
    with world.consuming() as taken:
        result = world.replay()
    assert result.code == 0
    assert files(taken) == [f"{FOLDER}/11/02/c.json"]
    left = [line.partition(": ")[0] for line in result.said if line.startswith("left out")]
    assert sorted(left) == [f"left out {FOLDER}/11/00/a.json", f"left out {FOLDER}/11/01/b.json"]


def test_jobs_that_fail_for_good_fail_the_command(world: World) -> None:
    for project in ("p1", "p2"):
        world.bucket.put(f"events/otel/{project}/2026/11/20/11/00/a.json", "11:00:00")
    with world.consuming(failing="p2") as taken:
        result = world.replay()
    assert len(taken) == 2
    assert result.code == 1
    assert result.said[-1] == (
        "error: 1 jobs failed for good; the worker's log says why. To go on: --since "
        "2026-11-20T11:00:00Z"
    )


def test_a_worker_that_takes_nothing_gets_600_jobs_at_the_most_and_is_told_of(
    world: World,
) -> None:
    for number in range(650):
        minute, second = divmod(number, 60)
        world.bucket.put(f"events/p1/score/s{number:03}/e.json", f"11:{minute:02}:{second:02}")
    world.bucket.page = 1000
    result = world.replay(REPLAY_STALLED_SECONDS="1")
    assert result.code == 1
    # The sixth hundred goes in while 500 wait, and no other while 600 do.
    assert result.said[-1] == (
        "error: the worker takes no jobs; 600 wait. To go on: --since 2026-11-20T11:09:59Z"
    )
    jobs = [key for key in world.redis.keys(f"bull:{INGESTION}:*") if key[-1].isdigit()]
    assert len(jobs) == 600


def test_more_than_the_task_can_hold_is_refused_with_the_remedy(world: World) -> None:
    for number in range(4):
        world.bucket.put(f"events/p1/score/s{number}/e.json", "11:00:00")
    result = world.replay(REPLAY_MOST="3")
    assert result.code == 1
    assert result.said == [
        "error: more than 3 jobs: take a shorter time. To go on: --since 2026-11-20T10:00:00Z"
    ]
    assert world.redis.keys("*:wait") == []
