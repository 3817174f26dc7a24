"""`upgrade`: what it refuses, in which order it does what, and what it says of going back.

Proves the ways that are refused, the traps that are told, how the databases' answers are judged,
and that nothing is deployed or written into the stack file before a yes. Pulumi, registries and AWS
are scripts here; tests/engine/test_upgrade.py has the real engine, tests/queues the real script.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from typer.testing import CliRunner

from langfuse_aws.automation import plan as plan_module
from langfuse_aws.automation import terminal
from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.aws import worker_script
from langfuse_aws.automation.aws.snapshot_names import LABEL_TAG
from langfuse_aws.automation.engine.operation import CancelledError, OperationError
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.images.lookup import ImagesError
from langfuse_aws.automation.plan import Plan, Step, carry_out
from langfuse_aws.automation.snapshot import command as snapshot_command
from langfuse_aws.automation.upgrade import command as upgrade_command
from langfuse_aws.automation.upgrade import databases
from langfuse_aws.automation.upgrade.databases import GIB, Answers, Migration, read
from langfuse_aws.automation.upgrade.upgrade_path import Running, checked_release, traps
from langfuse_aws.contract.metrics import PUBLISHING_VARIABLE
from langfuse_aws.contract.release_traps import dotted, table
from langfuse_aws.graph.model import ResourceGraph
from langfuse_aws.settings.loading import load_without_secrets
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3, version_of
from tests.unit.automation.restore import test_clickhouse as clickhouse
from tests.unit.automation.restore import test_postgres as postgres
from tests.unit.automation.restore import test_replay as replaying
from tests.unit.automation.restore.test_restore import (
    REGION,
    Answer,
    World,
    always,
    resource,
)

NEXT: Final = dotted((version_of(LANGFUSE)[0], version_of(LANGFUSE)[1] + 1, 0))
(FIRST,) = {dotted(row.runs_first) for row in table() if row.runs_first}
STACK_FILE: Final = f"""\
config:
  aws:region: {REGION}
  langfuse:size: dev
  # Kept.
  langfuse:release: {LANGFUSE}
"""
ROOM: Final = {"used": 2 * GIB, "free": 15 * GIB, "total": 20 * GIB}


def graph(
    worker: str = LANGFUSE, migration: str | None = None, *, runs: str = "new"
) -> ResourceGraph:
    """The state of a stack whose worker's definition has this; its service `runs` one by ARN."""
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/langfuse-prod/langfuse"
    images = {"worker": worker, "migration": migration or worker, "web": worker}
    return ResourceGraph.of_state(
        {
            "resources": [
                resource(
                    "aws:ecs/taskDefinition:TaskDefinition",
                    f"langfuse-prod-{part}",
                    {
                        "arn": "new",
                        "tags": {"Image": f"{host}-{part}:{release}@sha256:{'0' * 64}"},
                    },
                )
                for part, release in images.items()
            ]
            + [
                resource(
                    "aws:ecs/service:Service", "langfuse-prod-worker", {"taskDefinition": runs}
                )
            ]
        }
    )


# --- the way


def way(old: str, new: str, migrated: str | None = None, **config: Any) -> Sequence[str]:
    settings = load_without_secrets({"size": "dev", "release": new, **config})
    running = Running.of("prod", "langfuse-prod", graph(old, migrated))
    return [f"{dotted(each.release)} {each.concerns}" for each in traps("prod", running, settings)]


@pytest.mark.parametrize(
    ("old", "new", "migrated"),
    [
        (LANGFUSE, LANGFUSE_3, None),
        (NEXT, LANGFUSE, None),
        (LANGFUSE_3, "3.225.3", None),
        ("4.1.0", "4.1.1", LANGFUSE),
    ],
)
def test_no_stack_goes_back_behind_what_may_have_migrated_it(
    old: str, new: str, migrated: str | None
) -> None:
    with pytest.raises(UserError) as caught:
        way(old, new, migrated)
    assert str(caught.value) == (
        f"stack prod: its databases have had migrations of Langfuse {migrated or old}, and an "
        "older one does not start on them. Go forward, or restore both databases first "
        f"(docs/upgrade.md, Never back); nothing goes back to {new} otherwise."
    )


def test_a_step_that_is_needed_is_not_skipped() -> None:
    with pytest.raises(UserError) as caught:
        way("3.200.0", LANGFUSE)
    assert str(caught.value).startswith(
        f"stack prod: runs Langfuse 3.200.0, and {FIRST} or later must run before 4.0.0. "
    )
    assert f"Now: python3 -m automation upgrade {FIRST} --stack prod. https://" in str(caught.value)
    assert way("3.200.0", LANGFUSE_3) == []


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, ["all", *["backfill"] * 3, "events_only", "events_only", "events_only"]),
        ({"v4": {"writeMode": "legacy"}}, ["all"]),
        ({"v4": {"historicBackfill": False}}, ["all", "events_only", "events_only", "events_only"]),
        ({"v4": {"writeMode": "dual"}}, ["all", *["backfill"] * 3]),
        ({"v4": {"writeMode": "dual", "historicBackfill": False}}, ["all"]),
        (
            {
                "v4": {"writeMode": "legacy"},
                "worker": {"environment": {PUBLISHING_VARIABLE: "true"}},
            },
            ["all", "queue metrics"],
        ),
        (
            {
                "v4": {"writeMode": "legacy"},
                "redis": {"mode": "external", "host": "cache.example.com"},
            },
            ["all", "external store"],
        ),
    ],
)
def test_traps_are_those_of_the_settings(config: Mapping[str, Any], told: list[str]) -> None:
    assert way(LANGFUSE_3, LANGFUSE, **config) == [f"4.0.0 {each}" for each in told]
    assert way(LANGFUSE, NEXT, **config) == [], "it is past them"


@pytest.mark.parametrize("release", ["4", "v4.17.0", "4.17", "latest", "4.17.0-rc.1"])
def test_a_release_that_is_not_exact_is_a_wrong_command_line(release: str) -> None:
    result = CliRunner().invoke(app, ["upgrade", release, "--stack", "prod"])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {release}: is not an exact release, as 4.17.0 is. ")
    assert checked_release("4.17.0") == (4, 17, 0)


# --- the databases


def faults(answers: Answers, *, backfill: bool = False) -> list[str]:
    return list(answers.faults(backfill=backfill))


def test_finished_migrations_and_a_roomy_disk_are_no_fault() -> None:
    said = [
        "Langfuse says something",
        'upgrade: {"migrations": []}',
        f"upgrade: {json.dumps(ROOM)}",
    ]
    answers = read(iter(said))
    assert faults(answers) == []
    assert faults(answers, backfill=True) == [], "15 GiB are free, and 4 are needed"
    assert list(answers.found()) == [
        "Background migrations: all are done.",
        "ClickHouse: 2.0 GiB of tables, 15.0 of 20.0 GiB free.",
    ]


def test_a_migration_that_runs_or_has_failed_is_a_fault() -> None:
    due = [
        {"name": "a", "failed": None, "taken": True},
        {"name": "b", "failed": "socket hang up", "taken": False},
    ]
    answers = read(
        iter([f"upgrade: {json.dumps({'migrations': due})}", f"upgrade: {json.dumps(ROOM)}"])
    )
    assert answers.migrations == [
        Migration("a", None, taken=True),
        Migration("b", "socket hang up", taken=False),
    ]
    assert faults(answers) == [
        "background migration a: is not done. Wait for it; Langfuse shows it by a click on its "
        "version.",
        "background migration b: has failed: socket hang up. Look into the worker's log, and have "
        "it run again: docs/upgrade.md, A background migration that has failed.",
    ]


def test_a_migration_that_no_worker_has_taken_up_is_not_waited_for() -> None:
    """A worker looks once, as it starts, and leaves what another one has: that one may have gone.

    Those that come later in the chain wait for the one that runs.
    """
    anew = (
        "is not done, and no worker runs it. Start the workers anew: aws ecs update-service "
        "--force-new-deployment (docs/upgrade.md, A background migration that has failed)."
    )
    waiting = [Migration("a", None, taken=False), Migration("b", None, taken=False)]
    assert faults(with_room(*waiting)) == [f"background migration {each}: {anew}" for each in "ab"]
    first, second = faults(with_room(Migration("a", None, taken=True), waiting[1]))
    assert first.startswith("background migration a: is not done. Wait for it")
    assert second.startswith("background migration b: is not done. Wait for it")


@pytest.mark.parametrize(
    ("used", "free", "backfill", "words"),
    [
        (10, 4, False, None),
        (
            10,
            3,
            False,
            "3.0 GiB are free, and merges need 4.0. Raise "
            "langfuse:clickhouse.volumeGib by 1 or more",
        ),
        (3, 6, True, None),
        (
            3,
            5,
            True,
            "5.0 GiB are free, and the backfill needs 6.0. Raise "
            "langfuse:clickhouse.volumeGib by 1 or more",
        ),
        (0, 3, True, "merges need"),
    ],
)
def test_the_disk_has_a_fifth_free_and_twice_what_is_used_for_the_backfill(
    used: int, free: int, backfill: bool, words: str | None
) -> None:
    answers = Answers([], used * GIB, free * GIB, 20 * GIB)
    found = faults(answers, backfill=backfill)
    assert len(found) == (words is not None)
    if words:
        assert (words if used else "the backfill needs 4.0") in found[0]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "the task that asks the databases has said nothing; its log may say why"),
        (
            ['upgrade: {"migrations": []}'],
            "the task that asks the databases has said nothing; its log may say why",
        ),
        (
            ['upgrade: {"migrations": []}', 'upgrade: {"part": "ClickHouse", "error": "denied"}'],
            "ClickHouse could not be asked: denied",
        ),
    ],
)
def test_what_was_not_answered_is_a_fault(said: list[str], words: str) -> None:
    assert faults(read(iter(said))) == [words]


def asking(**answers: Answer | list[Answer]) -> World:
    said = ["info: Langfuse says something", 'upgrade: {"migrations": []}']
    said.append(f"upgrade: {json.dumps(ROOM)}")
    events = {"GetLogEvents": {"events": [{"message": each} for each in said]}}
    return replaying.world({}, **{**events, **answers})


def test_a_task_of_the_worker_asks_inside_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_script.time, "sleep", always(None))
    world = asking()
    answers = databases.ask(world.deployed)
    assert (answers.migrations, answers.used, answers.errors) == ([], ROOM["used"], ())
    assert world.changes() == ["RunTask"]
    (task,) = world.params("RunTask")
    assert task["taskDefinition"] == replaying.DEFINITION
    (orders,) = task["overrides"]["containerOverrides"]
    assert (orders["name"], orders["command"][:2]) == ("worker", ["node", "-e"])
    assert len(json.dumps(task["overrides"])) <= replaying.replay.OVERRIDE_CHARACTERS


def test_a_task_that_does_not_end_well_or_soon_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_script.time, "sleep", always(None))
    with pytest.raises(UserError, match=r"exit code 1; ECS: "):
        databases.ask(asking(DescribeTasks=replaying.task(1)).deployed)
    monkeypatch.setattr(worker_script, "LONGEST_SECONDS", -60)
    with pytest.raises(UserError, match=r"the task is RUNNING\. It ends alone, or by aws ecs "):
        databases.ask(asking(DescribeTasks=replaying.task()).deployed)


# --- the command


def with_room(*migrations: Migration) -> Answers:
    """What the databases say with a roomy disk."""
    return Answers(migrations, ROOM["used"], ROOM["free"], ROOM["total"])


class FakeStack:
    """As much of LangfuseStack as the command uses."""

    def __init__(self, told: "Told", name: str, **options: Any) -> None:
        self.told, self.name, self.options = told, name, options
        self.start_preview, self.start_up = "preview", "up"

    def __enter__(self) -> "FakeStack":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def deployed(self) -> ResourceGraph:
        """The state."""
        return self.told.graph

    def configure(self, key: str, value: str) -> None:
        """Note it."""
        self.told.did.append(f"set {key} {value}")


class Told:
    """A stack `prod`, and what the command has done with it."""

    def __init__(self, tmp_path: Path, patch: pytest.MonkeyPatch, *snapshots: Any) -> None:
        (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
        self.file = tmp_path / "Pulumi.prod.yaml"
        self.file.write_text(STACK_FILE)
        self.folder = tmp_path
        self.graph = graph()
        self.did: list[str] = []
        self.answers = with_room()
        self.fails: dict[str, BaseException] = {}
        answers: dict[str, Answer | list[Answer]] = {
            "DescribeSnapshots": {"Snapshots": list(snapshots)},
            "DescribeDBSnapshots": {"DBSnapshots": []},
        }
        self.world = World(
            [*clickhouse.state(), postgres.database("old", kind=postgres.INSTANCE_TYPE)],
            {"langfuse:bootstrap": {"userEmail": "you@example.com"}},
            answers,
        )
        self.file.write_text(f"{STACK_FILE}  langfuse:bootstrap: {{userEmail: you@example.com}}\n")
        for name, stand_in in {
            "LangfuseStack": self._open,
            "open_stack": always(self.world.deployed),
            "TerminalDisplay": always(self),
            "lock_images": self._lock,
            "mirror_images": self._mirror,
            "smoke_deployed": self._smoke,
        }.items():
            patch.setattr(upgrade_command, name, stand_in)
        patch.setattr(databases, "ask", self._ask)
        patch.setattr(snapshot_command, "take", self._snapshot)

    def _open(self, name: str, **options: Any) -> FakeStack:
        return FakeStack(self, name, **options)

    def _ask(self, _: object) -> Answers:
        return self.answers

    def _lock(self, settings: Any, *_: object) -> None:
        self.do(f"lock {settings.release}")

    def _snapshot(self, _: object, label: str) -> None:
        self.do(f"snapshot {label}")

    def _smoke(self, *_: object) -> None:
        self.do("smoke")

    def _mirror(self, file: Any, *_: object) -> tuple[list[str], bool]:
        self.do(f"mirror {file.settings.release}")
        return [], False

    def do(self, what: str) -> None:
        """Note it, and fail if it is to."""
        self.did.append(what)
        if what in self.fails:
            raise self.fails[what]

    def preview(self, start: str, *, alone: bool) -> None:
        """Stand in for the display."""
        assert not alone
        self.do(start)

    def change(self, start: str) -> None:
        """Stand in for the display."""
        self.do(start)

    def done(self, result: object) -> None:
        """Stand in for the display."""

    def run(self, release: str, *options: str, typed: str | None = None) -> Any:
        """Run the command; with something typed there is a terminal."""
        arguments = ["upgrade", release, "--stack", "prod", "--dir", str(self.folder)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(terminal, "has_terminal", always(typed is not None))
            result = CliRunner().invoke(app, [*arguments, *options], input=typed)
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result


ALL: Final = [
    f"lock {NEXT}",
    f"snapshot before-{NEXT}",
    "preview",
    f"set release {NEXT}",
    "up",
    "smoke",
]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """A stack that runs the default release."""
    return Told(tmp_path, monkeypatch)


def test_everything_comes_in_its_order_and_says_the_way_back(told: Told) -> None:
    result = told.run(NEXT, typed="y\ny\n")
    assert (result.exit_code, told.did) == (0, ALL), result.output
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert f"Stack prod runs Langfuse {LANGFUSE}; its file names {LANGFUSE}." in lines
    assert "Background migrations: all are done." in lines
    assert (
        lines.count(
            f"Back from here: pulumi config set langfuse:release {LANGFUSE} --stack prod. Nothing "
            "that runs was touched."
        )
        == 1
    )
    assert any(line.startswith("Back from here: none but a restore of both") for line in lines)
    assert "Go on? [y/N]" in result.stdout
    assert f"Deploy Langfuse {NEXT} on stack prod? [y/N]" in result.stdout


def test_yes_asks_nothing(told: Told) -> None:
    result = told.run(NEXT, "--yes")
    assert (result.exit_code, told.did) == (0, ALL)
    assert "[y/N]" not in result.stdout


@pytest.mark.parametrize(("typed", "did"), [("n\n", []), ("y\nn\n", ALL[:3]), ("y\n\n", ALL[:3])])
def test_without_a_yes_nothing_is_deployed_and_the_file_is_as_it_was(
    told: Told, typed: str, did: list[str]
) -> None:
    before = told.file.read_text()
    result = told.run(NEXT, typed=typed)
    assert (result.exit_code, told.did) == (1, did)
    assert told.file.read_text() == before
    if did:
        assert "error: stopped before step 4." in result.stderr
        assert f"Langfuse {LANGFUSE} runs on" in result.stderr


def test_without_a_terminal_and_without_yes_nothing_is_done(told: Told) -> None:
    result = told.run(NEXT)
    assert (result.exit_code, told.did) == (1, [])
    assert "there is no terminal to ask at" in result.stderr


def test_dry_run_shows_the_plan_and_does_nothing(told: Told) -> None:
    result = told.run(NEXT, "--dry-run")
    assert (result.exit_code, result.stderr, told.did) == (0, "", [])
    assert f"  2. Snapshot every store, with the label before-{NEXT}." in result.stdout


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--yes",)])
def test_unfinished_migrations_stop_it_before_anything(
    told: Told, options: tuple[str, ...]
) -> None:
    told.answers = with_room(Migration("a", None, taken=True))
    result = told.run(NEXT, *options, typed="y\ny\n")
    assert (result.exit_code, told.did) == (1, [])
    first, last = result.stderr.splitlines()
    assert first.startswith("error: background migration a: is not done.")
    assert last == "error: Nothing was changed. --force goes on in spite of that."


def test_force_goes_on_and_says_in_spite_of_what(told: Told) -> None:
    told.answers = with_room(Migration("a", None, taken=True))
    result = told.run(NEXT, "--force", "--yes")
    assert (result.exit_code, told.did) == (0, ALL)
    assert "In spite of: background migration a: is not done." in result.stdout


def test_databases_that_could_not_be_asked_stop_it_too(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object) -> None:
        raise UserError("ECS did not start the task: no capacity.")

    monkeypatch.setattr(databases, "ask", refused)
    result = told.run(NEXT, "--yes")
    assert (result.exit_code, told.did) == (1, [])
    assert "the databases could not be asked: ECS did not start the task" in result.stderr


def test_a_mirror_is_filled_instead(told: Told) -> None:
    told.file.write_text(f"{told.file.read_text()}  langfuse:images: {{source: mirror}}\n")
    assert told.run(NEXT, "--yes").exit_code == 0
    assert told.did == [f"mirror {NEXT}", *ALL[1:]]


@pytest.mark.parametrize(
    ("step", "error", "code", "words"),
    [
        (ALL[0], ImagesError([UserError("there is no image")]), 1, "there is no image"),
        (ALL[1], UserError("2 of 3 snapshots are complete"), 1, "Step 2 of 6 failed: 2 of 3"),
        ("preview", OperationError("preview of stack prod failed"), 1, "Step 3 of 6 failed"),
        ("up", OperationError("up of stack prod failed"), 1, "If the migration has not begun"),
        ("up", CancelledError("up of stack prod: cancelled"), 130, "Step 5 of 6 failed"),
        ("smoke", UserError("smoke: worker is to blame."), 1, "worker is to blame"),
    ],
)
def test_a_step_that_fails_ends_it_and_a_second_run_goes_on(
    told: Told, step: str, error: BaseException, code: int, words: str
) -> None:
    told.fails[step] = error
    before = told.file.read_text()
    result = told.run(NEXT, "--yes")
    assert (result.exit_code, told.did) == (code, ALL[: ALL.index(step) + 1])
    assert words in result.stderr
    assert told.file.read_text() == before
    told.did.clear()
    del told.fails[step]
    assert told.run(NEXT, "--yes").exit_code == 0
    assert told.did == ALL


def test_without_known_keys_the_smoke_test_is_left_to_the_user(told: Told) -> None:
    told.file.write_text(STACK_FILE)
    result = told.run(NEXT, "--yes")
    assert (result.exit_code, told.did) == (0, ALL[:-1])
    assert "Afterwards: python3 -m automation smoke --url URL." in result.stdout


def test_a_stack_that_is_there_already_is_brought_to_its_end(told: Told) -> None:
    told.file.write_text(told.file.read_text().replace(LANGFUSE, NEXT))
    told.graph = graph(NEXT)
    result = told.run(NEXT, "--yes")
    assert (result.exit_code, told.did) == (0, ["up", "smoke"])
    assert "It is there already: what is left is deployed, and tested." in result.stdout


def test_a_file_that_names_another_release_is_set_though_the_stack_is_there(told: Told) -> None:
    """A colleague's checkout, or the way back after a failure: `up` would deploy what it names."""
    told.graph = graph(NEXT)
    result = told.run(NEXT, "--yes")
    assert (result.exit_code, told.did) == (
        0,
        ["preview", f"set release {NEXT}", "up", "smoke"],
    ), result.output


def test_an_update_that_failed_at_the_migration_is_not_there_already(told: Told) -> None:
    """The definition is made before the migration, and the service moves after it."""
    told.file.write_text(told.file.read_text().replace(LANGFUSE, NEXT))
    told.graph = graph(NEXT, runs="old")
    result = told.run(NEXT, "--yes")
    assert result.exit_code == 0, result.output
    assert "It is there already" not in result.stdout
    assert f"snapshot before-{NEXT}" in told.did


@pytest.mark.parametrize(("hours", "again"), [(1, False), (25, True)])
def test_snapshots_of_an_earlier_try_are_not_taken_again_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int, again: bool
) -> None:
    taken = datetime.now(timezone.utc) - timedelta(hours=hours)
    label = [{"Key": LABEL_TAG, "Value": f"before-{NEXT}"}]
    (disk,) = clickhouse.snapshot(StartTime=taken, Tags=label)["Snapshots"]
    told = Told(tmp_path, monkeypatch, disk)
    name = f"langfuse-prod-before-{NEXT.replace('.', '-')}"
    told.world.aws.answers["DescribeDBSnapshots"] = postgres.of_instance(
        DBInstanceIdentifier="langfuse-prod-postgres1a2b",
        DBSnapshotIdentifier="of-another-stack",
    )
    assert told.run(NEXT, "--yes").exit_code == 0
    assert ALL[1] in told.did, "PostgreSQL has none"
    told.did.clear()
    told.world.aws.answers["DescribeDBSnapshots"] = postgres.of_instance(
        DBInstanceIdentifier="langfuse-prod-postgres-1a2b",
        DBSnapshotIdentifier=name,
        SnapshotCreateTime=taken,
        TagList=label,
    )
    result = told.run(NEXT, "--yes")
    assert (ALL[1] in told.did) is again
    assert (f"PostgreSQL: {name} is there, and younger than a day." in result.stdout) is not again


def test_what_the_settings_refuse_is_told_before_anything(told: Told) -> None:
    result = told.run("5.0.0", "--yes")
    assert (result.exit_code, told.did) == (1, [])
    assert result.stderr.startswith(
        'error: Pulumi.prod.yaml:4: langfuse:release: "5.0.0": must be an exact '
    )
    mail = "{mode: ses, from: no-reply@example.com}"
    with_ses = f"{told.file.read_text()}  langfuse:smtp: {mail}\n"
    told.file.write_text(with_ses.replace(LANGFUSE, "3.177.0"))
    told.graph = graph("3.125.0")
    assert "3.176.0" in told.run("3.126.0", "--yes").stderr
    assert told.did == []


def test_the_plan_names_a_question_only_where_a_step_has_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[int] = []
    steps = [
        Step("A.", lambda: done.append(1), "", back="undo A."),
        Step("B.", lambda: done.append(2), "B failed.", question="B too?"),
    ]
    for name, stand_in in {"confirmed": always(False), "need_terminal": always(None)}.items():
        monkeypatch.setattr(plan_module, name, stand_in)
    monkeypatch.setattr(plan_module, "ask", always(None))
    with pytest.raises(typer.Exit):
        carry_out(Plan([], [], steps), yes=False)
    assert done == [1]
    shown = capsys.readouterr()
    assert "  1. A.\n     Back: undo A.\n  2. B.\n" in shown.out
    assert "  Back from here: undo A.\n" in shown.out
    assert shown.err == "error: stopped before step 2.\nB failed.\n"
    carry_out(Plan([], [], steps), yes=True)
    assert done == [1, 1, 2]
