"""The script of the queue probe on a real Redis with TLS and a password, and queues of real BullMQ.

It runs as the container runs it: the very command, in a folder laid out as the worker's image, with
its variables. It proves what it counts, what CloudWatch makes of its lines, and what it does when
Redis is not there. Not that CloudWatch takes them from a log of ECS.
"""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from development.node_packages import NODE
from langfuse_aws.components.langfuse_worker.queue_probe import (
    FLAGS,
    SCRIPT,
    VARIABLE,
    script_options,
)
from langfuse_aws.contract import queues
from tests.queues.conftest import PASSWORD, SECONDS
from tests.queues.embedded_metrics import metrics_of
from tests.queues.tls_redis import HOST, Certificates, TlsRedis, Way

OTEL, SECOND_OTEL, BATCH, SECOND_BATCH = queues.INGESTION
EVALUATION: Final = "evaluation-execution-queue"
EXPORT: Final = "batch-export-queue"
OF_4: Final = "v4-legacy-api-usage-queue"
STACK: Final = "langfuse-dev"
PERIOD: Final = 0.5
"""Seconds between two looks of these tests."""
SLACK: Final = 5.0
"""Seconds by which an age may differ: it grows while a test goes on."""


class Probe:
    """A probe that runs, and what it has printed."""

    def __init__(self, image: Path, environment: Mapping[str, str], *, memory: bool) -> None:
        configuration = script_options(STACK, tells_memory=memory, seconds=PERIOD)
        self.process = subprocess.Popen(
            [str(NODE), *FLAGS, "-e", SCRIPT.read_text("utf-8")],
            cwd=image,
            env={"PATH": os.environ["PATH"], VARIABLE: json.dumps(configuration), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._news = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=each, daemon=True)
            for each in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any, into: list[str]) -> None:
        for line in stream:
            with self._news:
                into.append(line.rstrip("\n"))
                self._news.notify_all()

    def wait(self, what: str, happened: Callable[[], bool]) -> None:
        """Wait until something has been printed."""
        with self._news:
            if not self._news.wait_for(happened, SECONDS):
                raise AssertionError(f"not {what}: {self.lines[-1:]} {self.errors}")

    def next(self, count: int = 1) -> dict[str, Any]:
        """Give the values of the line that comes after so many more."""
        wanted = len(self.lines) + count
        self.wait("another line", lambda: len(self.lines) >= wanted)
        return json.loads(self.lines[-1])

    def complaint(self, number: int = 1) -> str:
        """Give what it has complained of."""
        self.wait("a complaint", lambda: len(self.errors) >= number)
        return self.errors[number - 1]

    def stop(self) -> int:
        """Stop it as ECS does; gives its exit code."""
        self.process.terminate()
        code = self.process.wait(SECONDS)
        for reader in self._readers:
            reader.join(SECONDS)
        return code


class World:
    """A Redis, and what is needed to fill and to watch it."""

    def __init__(self, image: Path, redis: TlsRedis, folder: Path) -> None:
        self.image, self.redis, self.folder = image, redis, folder

    def fill(self, *orders: Mapping[str, Any], **environment: str) -> None:
        """Put jobs into queues."""
        subprocess.run(
            [str(NODE), "fill.js", json.dumps(orders)],
            cwd=self.image,
            env={"PATH": os.environ["PATH"], **self.redis.environment, **environment},
            check=True,
            timeout=10 * SECONDS,
        )

    @contextmanager
    def probe(self, *, memory: bool = False, **environment: str) -> Generator[Probe]:
        """Run a probe until the end of the block."""
        probe = Probe(self.image, {**self.redis.environment, **environment}, memory=memory)
        try:
            yield probe
        finally:
            probe.process.kill()
            probe.process.wait()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make them once."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def stopped(image: Path, certificates: Certificates, tmp_path: Path) -> World:
    """Have a Redis that does not run yet."""
    return World(image, TlsRedis(tmp_path, certificates), tmp_path)


@pytest.fixture
def world(stopped: World) -> Generator[World]:
    """Have a Redis that runs."""
    with stopped.redis.running():
        yield stopped


def test_queues_that_do_not_exist_yet_are_empty(world: World) -> None:
    with world.probe() as probe:
        values = probe.next()
    assert {
        name: value for name, value in values.items() if name not in ("_aws", "MemoryUsed")
    } == {
        "Stack": STACK,
        "WaitingJobs": 0,
        "OldestJobAge": 0,
        "FailedJobs": 0,
        "OtherWaitingJobs": 0,
        "OtherOldestJobAge": 0,
    }
    assert values["MemoryUsed"] > 500_000


def test_cloudwatch_makes_four_metrics_of_a_line_with_the_stack_as_their_dimension(
    world: World,
) -> None:
    world.fill({"queue": OTEL, "count": 3})
    with world.probe() as probe:
        probe.next()
    (line,) = probe.lines
    dimensions = (("Stack", STACK),)
    made = metrics_of(line)
    assert set(made) == {
        ("Langfuse/Queues", name, dimensions)
        for name in ("WaitingJobs", "OldestJobAge", "FailedJobs", "OtherOldestJobAge")
    }, "each of them is charged for"
    assert made["Langfuse/Queues", "WaitingJobs", dimensions] == 3
    definitions = json.loads(line)["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    assert [each["StorageResolution"] for each in definitions] == [1, 1, 1, 1], (
        "no alarm could look at it every ten seconds"
    )


def test_memory_is_a_metric_where_nobody_else_tells_it(world: World) -> None:
    with world.probe(memory=True) as probe:
        probe.next()
    made = metrics_of(probe.lines[0])
    assert made["Langfuse/Queues", "MemoryUsed", (("Stack", STACK),)] > 500_000


def test_jobs_of_all_queues_of_ingestion_are_one_number_and_those_of_others_another(
    world: World,
) -> None:
    world.fill(
        {"queue": OTEL, "count": 5, "ago": 90_000},
        {"queue": SECOND_OTEL, "count": 4, "ago": 20_000},
        {"queue": BATCH, "count": 3, "ago": 10_000},
        {"queue": SECOND_BATCH, "count": 2, "ago": 10_000},
        {"queue": EVALUATION, "count": 7, "ago": 600_000},
        {"queue": EXPORT, "count": 6, "ago": 60_000},
        {"queue": OF_4, "count": 1, "ago": 60_000},
    )
    with world.probe() as probe:
        values = probe.next()
    assert (values["WaitingJobs"], values["OtherWaitingJobs"]) == (14, 14)
    assert values["OldestJobAge"] == pytest.approx(90 + SLACK / 2, abs=SLACK)
    assert values["OtherOldestJobAge"] == pytest.approx(600 + SLACK / 2, abs=SLACK)


def test_every_queue_of_3_and_of_4_is_looked_at(world: World) -> None:
    world.fill(*({"queue": name} for name in (*queues.INGESTION, *queues.OTHERS)))
    with world.probe() as probe:
        values = probe.next()
    assert values["WaitingJobs"] == len(queues.INGESTION)
    assert values["OtherWaitingJobs"] == len(queues.OTHERS)


def test_a_delayed_job_waits_from_the_end_of_its_delay(world: World) -> None:
    world.fill(
        {"queue": BATCH, "count": 4, "ago": 45_000, "delay": 5_000},
        {"queue": SECOND_BATCH, "count": 9, "delay": 600_000},
    )
    with world.probe() as probe:
        values = probe.next()
    assert values["WaitingJobs"] == 4, "no worker has moved them to those that wait"
    assert values["OldestJobAge"] == pytest.approx(40 + SLACK / 2, abs=SLACK)


def test_what_a_worker_had_moved_from_the_delayed_counts_from_the_end_of_its_delay_too(
    world: World,
) -> None:
    world.fill({"queue": BATCH, "count": 1, "ago": 3_700_000, "delay": 3_600_000})
    with world.probe() as probe:
        assert 100 <= probe.next()["OldestJobAge"] <= 100 + SLACK
        # As BullMQ's promoteDelayedJobs does.
        world.redis.tell("ZREM", f"bull:{BATCH}:delayed", "1")
        world.redis.tell("HSET", f"bull:{BATCH}:1", "delay", "0")
        world.redis.tell("LPUSH", f"bull:{BATCH}:wait", "1")
        values = probe.next(2)
    assert values["WaitingJobs"] == 1
    assert 100 <= values["OldestJobAge"] <= 100 + 2 * SLACK


def test_jobs_with_a_priority_and_those_of_a_paused_queue_wait_as_well(world: World) -> None:
    world.fill(
        {"queue": OTEL, "count": 2, "ago": 50_000, "priority": 5},
        {"queue": EXPORT, "count": 3, "ago": 70_000, "then": "paused"},
    )
    with world.probe() as probe:
        values = probe.next()
    assert (values["WaitingJobs"], values["OtherWaitingJobs"]) == (2, 3)
    assert values["OldestJobAge"] > 49
    assert values["OtherOldestJobAge"] > 69


def test_jobs_of_ingestion_that_failed_for_good_are_counted_and_do_not_wait(world: World) -> None:
    world.fill(
        {"queue": OTEL, "count": 3, "then": "failed"},
        {"queue": SECOND_BATCH, "count": 2, "then": "failed"},
        {"queue": EVALUATION, "count": 4, "then": "failed"},
    )
    with world.probe() as probe:
        values = probe.next()
    assert values["FailedJobs"] == 5, "evaluators fail by their users' doing"
    assert (values["WaitingJobs"], values["OldestJobAge"], values["OtherWaitingJobs"]) == (0, 0, 0)


def test_shards_are_found_by_asking_also_behind_one_that_is_not_there(world: World) -> None:
    world.fill(
        {"queue": f"{OTEL}-1", "count": 2},
        {"queue": f"{OTEL}-7", "count": 3, "ago": 80_000},
        {"queue": f"{BATCH}-30", "count": 4},
        {"queue": f"{EVALUATION}-2", "count": 5, "ago": 90_000},
    )
    with world.probe() as probe:
        values = probe.next()
    assert (values["WaitingJobs"], values["OtherWaitingJobs"]) == (9, 5)
    assert values["OldestJobAge"] > 79
    assert values["OtherOldestJobAge"] > 89


def test_a_prefix_of_the_users_own_is_looked_below_and_nowhere_else(world: World) -> None:
    world.fill({"queue": OTEL, "count": 4}, REDIS_KEY_PREFIX="mine")
    world.fill({"queue": OTEL, "count": 9})
    with world.probe(REDIS_KEY_PREFIX="mine") as probe:
        assert probe.next()["WaitingJobs"] == 4
    with world.probe(REDIS_KEY_PREFIX="") as probe:
        assert probe.next()["WaitingJobs"] == 9, "Langfuse takes an empty variable for none"


def test_a_hundred_thousand_jobs_are_counted(world: World) -> None:
    world.fill({"queue": OTEL, "count": 100_000, "ago": 120_000})
    with world.probe() as probe:
        values = probe.next(3)
    assert values["WaitingJobs"] == 100_000
    assert values["OldestJobAge"] > 119
    assert probe.errors == []


def test_it_needs_no_right_to_write(world: World) -> None:
    world.fill({"queue": OTEL, "count": 2})
    rights = "-@all +@read +eval_ro +info +@connection"
    world.redis.tell("ACL", "SETUSER", "reader", "on", f">{PASSWORD}", "~*", *rights.split())
    with world.probe(REDIS_USERNAME="reader") as probe:
        assert probe.next()["WaitingJobs"] == 2
    assert probe.errors == []


def test_lines_come_at_even_times_so_that_several_probes_are_in_one_period(world: World) -> None:
    with world.probe() as probe:
        probe.next(4)
    times = [json.loads(line)["_aws"]["Timestamp"] for line in probe.lines[1:]]
    beyond = [time % (PERIOD * 1000) for time in times]
    assert all(late < PERIOD * 500 for late in beyond), times


def test_a_wrong_password_is_said_once_and_is_not_shown(world: World) -> None:
    wrong = "not-the-password-4712"
    with world.probe(REDIS_AUTH=wrong) as probe:
        complaint = probe.complaint()
        # Time for five more looks.
        with pytest.raises(subprocess.TimeoutExpired):
            probe.process.wait(5 * PERIOD)
    assert "WRONGPASS" in complaint
    assert probe.lines == []
    assert len(probe.errors) == 1
    assert wrong not in "".join(probe.errors)


def test_a_certificate_of_nobody_that_it_trusts_is_refused(world: World) -> None:
    with world.probe(REDIS_TLS_CA_PATH="") as probe:
        assert "certificate" in probe.complaint()
    assert probe.lines == []


def test_a_certificate_for_another_host_is_refused(world: World) -> None:
    with world.probe(REDIS_HOST="127.0.0.1") as probe:
        assert "does not match" in probe.complaint()
    assert probe.lines == []


def test_a_redis_that_is_killed_is_said_once_and_read_again_when_it_is_back(
    stopped: World,
) -> None:
    with stopped.probe() as probe:
        assert "ECONNREFUSED" in probe.complaint()
        with stopped.redis.running():
            probe.next(2)
        probe.complaint(3)
        lines = len(probe.lines)
        with pytest.raises(subprocess.TimeoutExpired):
            probe.process.wait(5 * PERIOD)
        assert len(probe.lines) == lines, "a number of a queue that nobody has seen"
        with stopped.redis.running():
            probe.next(2)
    heads = [error.split(":")[1].strip() for error in probe.errors]
    assert heads == ["cannot read the queues", "reads the queues again"] * 2


def test_after_a_failover_it_reads_the_new_primary(world: World, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = World(world.image, TlsRedis(tmp_path / "other", world.redis.certificates), tmp_path)
    world.fill({"queue": OTEL, "count": 2})
    with ExitStack() as block:
        block.enter_context(other.redis.running())
        way = block.enter_context(Way(world.redis.port).open())
        probe = block.enter_context(world.probe(REDIS_PORT=str(way.port)))
        assert probe.next()["WaitingJobs"] == 2
        # The old primary lives on as a replica, with the probe's connection open.
        way.target = other.redis.port
        world.redis.tell("REPLICAOF", HOST, str(other.redis.port))
        assert "replica" in probe.complaint()
        other.fill({"queue": OTEL, "count": 5})
        probe.complaint(2)
        assert probe.next(2)["WaitingJobs"] == 5
    assert len(probe.errors) == 2


def test_a_primary_that_is_gone_without_a_word_is_left(world: World) -> None:
    with ExitStack() as block:
        way = block.enter_context(Way(world.redis.port).open())
        probe = block.enter_context(world.probe(REDIS_PORT=str(way.port)))
        probe.next()
        way.silent = True
        assert "timed out" in probe.complaint()
        way.silent = False
        probe.complaint(2)
        probe.next(2)
    assert len(probe.errors) == 2


@pytest.mark.parametrize("silent", [False, True], ids=["reading", "waiting for an answer"])
def test_it_ends_when_it_is_told_to(world: World, silent: bool) -> None:
    with ExitStack() as block:
        way = block.enter_context(Way(world.redis.port).open())
        probe = block.enter_context(world.probe(REDIS_PORT=str(way.port)))
        probe.next()
        way.silent = silent
        assert probe.stop() == 0
    assert probe.errors == []
