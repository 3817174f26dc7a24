"""`preview`, `up`, `refresh`, `destroy` and `outputs`: what they print, ask and do.

Operations are the library's own, with a script in place of the engine. Whether the engine says and
does these things is shown by tests/engine/test_library.py and test_deploy_engine.py.
"""

import errno
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from pulumi import automation as auto
from pulumi.automation import EngineEvent
from pydantic import TypeAdapter
from rich.console import Console
from typer.testing import CliRunner
from typer.testing import Result as Outcome

from langfuse_aws.automation import terminal
from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.cli import deploy, display, ndjson
from langfuse_aws.automation.engine.destruction import Destruction, ProtectedError
from langfuse_aws.automation.engine.events import (
    DiagnosticEvent,
    Event,
    ResourceEvent,
    SummaryEvent,
    read,
)
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.following import follow, on_signals
from langfuse_aws.automation.engine.operation import Command, Operation, OperationError
from langfuse_aws.automation.engine.redaction import Redaction
from langfuse_aws.automation.engine.results import Result
from langfuse_aws.automation.engine.stopping import SIGNALS, stopped_by_signals
from langfuse_aws.automation.engine.target import Target
from langfuse_aws.automation.engine.update_plan import Origin, UpdatePlan
from langfuse_aws.automation.stack import InvalidSettingsError, LangfuseStack, NoStackError
from langfuse_aws.graph.model import SECRET, Resource, ResourceGraph
from langfuse_aws.graph.preview import Preview, Step
from langfuse_aws.review.property_changes import planned

VPC = "urn:pulumi:dev::langfuse::langfuse:index:Network$aws:ec2/vpc:Vpc::langfuse-dev"
DATABASE = "urn:pulumi:dev::langfuse::aws:rds/instance:Instance::langfuse-dev-postgres"
TARGET = Target("dev", "eu-west-1", "123456789012", "s3://states")
ASKED_ABOUT = [
    "stack: dev",
    "region: eu-west-1",
    "account: 123456789012",
    "backend: s3://states",
]
IN_MEMORY = ["Nothing was made in AWS: this one is in memory.", "The addresses above do not exist."]
SAVED = "2026-11-29T01:02:03+00:00"
OUTPUTS = {"url": "https://langfuse.example.com", "log_group_names": ["web", "worker"]}
EVENT: TypeAdapter[Event] = TypeAdapter(Event)


# --- a stack whose engine is a script


def engine_event(**given: Any) -> EngineEvent:
    data = {"sequence": 1, "timestamp": 1, **given}
    return EngineEvent.from_json(data)  # pyright: ignore[reportUnknownMemberType]


def resource(kind: str, operation: str, urn: str = VPC) -> EngineEvent:
    token = urn.split("::")[2].split("$")[-1]
    state = {"type": token, "urn": urn, "custom": True, "id": "", "parent": "p"}
    state |= {"inputs": {}, "outputs": {}, "provider": ""}
    metadata: dict[str, Any] = {"op": operation, "urn": urn, "type": token, "new": state}
    metadata |= {"old": None, "provider": "", "keys": [], "logical": True, "diffs": []}
    return engine_event(**{kind: {"metadata": metadata, "status": 0, "steps": 1}})


def said(message: str, severity: str) -> EngineEvent:
    event = {"message": message, "color": "raw", "severity": severity}
    return engine_event(diagnosticEvent=event)


def summary(**changes: int) -> EngineEvent:
    told = {"MaybeCorrupt": False, "durationSeconds": 1, "resourceChanges": changes}
    return engine_event(summaryEvent={**told, "PolicyPacks": {}})


class Interrupted:
    """In place of the `pulumi` command: notes when it is interrupted."""

    def __init__(self) -> None:
        self.times = 0

    def another(self) -> "Interrupted":
        """Itself: there is one operation."""
        return self

    def interrupt(self) -> None:
        """Note it."""
        self.times += 1


class FakeLangfuseStack:
    """What the commands use of a LangfuseStack."""

    def __init__(self) -> None:
        self.opened: dict[str, Any] = {}
        self.begun: list[str] = []
        self.command = Interrupted()
        self.replaced_secrets: tuple[str, ...] = ()
        self.sleeps = False
        self.script: Sequence[EngineEvent] = [
            resource("resourcePreEvent", "create"),
            said("careful", "warning"),
            said("nobody asks", "debug"),
            resource("resOutputsEvent", "create"),
            resource("resOutputsEvent", "same", DATABASE),
            summary(create=1, same=1),
        ]
        self.failure: BaseException | None = None
        self.previewed = Preview(
            (Step("create", VPC, None, made(VPC), {}),), ResourceGraph(()), {"create": 1}, 2.04
        )
        self.result = Result({"create": 1, "same": 1}, OUTPUTS, 3.25)
        self.graph: ResourceGraph | None = None
        self.there = True
        self.saved_to: Path | None = None
        self.carried_out: UpdatePlan | None = None

    def open(self, name: str, **given: Any) -> "FakeLangfuseStack":
        """Stand in for the constructor."""
        self.opened = {"name": name, **given}
        return self

    def __enter__(self) -> "FakeLangfuseStack":
        return self

    def __exit__(self, *_: object) -> None:
        self.begun.append("closed")

    def _start(self, verb: str, value: Any, script: Sequence[EngineEvent]) -> Operation[Any]:
        self.begun.append(verb)

        def work(_command: Command, on_event: Callable[[EngineEvent], None]) -> Any:
            for each in script:
                on_event(each)
            if self.failure:
                raise self.failure
            return value

        command = cast("Command", self.command)
        return Operation(f"{verb} of stack dev", work, command, Redaction([]))

    def start_preview(self, save: Path | None = None) -> Operation[Preview]:
        """Preview."""
        self.saved_to = save
        return self._start("preview", self.previewed, self.script)

    def start_up(self, plan: UpdatePlan | None = None) -> Operation[Result]:
        """Deploy."""
        self.carried_out = plan
        return self._start("up", self.result, self.script)

    def start_refresh(self) -> Operation[Result]:
        """Refresh."""
        return self._start("refresh", self.result, self.script)

    def start_destroy(self, *, remove: bool) -> Operation[Result]:
        """Destroy."""
        return self._start(f"destroy, {remove=}", Result({"delete": 3}, {}, 4.0), [])

    def deployed(self) -> ResourceGraph:
        """Give the state."""
        if self.graph is None:
            raise NoStackError("stack dev: nothing is deployed: up first.")
        return self.graph

    def check(self) -> None:
        """Find nothing wrong."""

    def clients(self) -> Callable[..., Any]:
        """Nobody asks its AWS."""
        raise AssertionError

    def target(self) -> Target:
        """Give where it is."""
        return TARGET

    def read_plan(self, path: Path) -> UpdatePlan:
        """Give a plan with the steps of the preview."""
        origin = Origin("dev", "s3://states", "s", "p", "3.250.0")
        steps = planned(self.previewed.steps)
        return UpdatePlan(path, origin, SAVED, steps, self.previewed.changes, {})

    def exists(self) -> bool:
        """Whether the backend has it."""
        return self.there

    def backend(self) -> str:
        """Give the backend."""
        return "s3://states"

    def outputs(self) -> dict[str, Any]:
        """Give the outputs."""
        return OUTPUTS


def made(urn: str, **more: Any) -> Resource:
    return Resource(urn, urn.split("::")[2].split("$")[-1], **more)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeLangfuseStack:
    fake = FakeLangfuseStack()
    monkeypatch.setattr(deploy, "LangfuseStack", fake.open)
    return fake


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is there to answer."""
    monkeypatch.setattr(terminal, "has_terminal", lambda: True)


def run(*arguments: str, typed: str | None = None) -> Outcome:
    found = CliRunner().invoke(app, [arguments[0], "--stack", "dev", *arguments[1:]], input=typed)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def lines(outcome: Outcome) -> list[dict[str, Any]]:
    """The NDJSON, of which all but the last line are events."""
    found = [json.loads(line) for line in outcome.stdout.splitlines()]
    for each in found[:-1]:
        if each["event"] != "preview":
            EVENT.validate_python(each)
    return found


# --- what is printed


def test_without_a_terminal_each_finished_change_is_a_line(stack: FakeLangfuseStack) -> None:
    found = run("up", "--offline", "--yes")
    assert (found.exit_code, found.stderr) == (0, "")
    assert found.stdout.splitlines() == [
        "warning: careful",
        "+ aws:ec2:Vpc langfuse-dev",
        'log_group_names: ["web", "worker"]',
        "url: https://langfuse.example.com",
        "resources by kind of change: 1 create, 1 same; 3.2 s",
        *IN_MEMORY,
    ]
    assert stack.begun == ["up", "closed"]


def test_a_replacements_steps_are_told_apart_and_a_failure_is_shown(
    stack: FakeLangfuseStack,
) -> None:
    stack.script = [
        resource("resOutputsEvent", "create-replacement", DATABASE),
        resource("resOutputsEvent", "replace", DATABASE),
        resource("resOutputsEvent", "delete-replaced", DATABASE),
        resource("resOpFailedEvent", "update"),
    ]
    assert run("refresh").stdout.splitlines()[:3] == [
        "± aws:rds:Instance langfuse-dev-postgres (create-replacement)",
        "± aws:rds:Instance langfuse-dev-postgres (delete-replaced)",
        "✗ aws:ec2:Vpc langfuse-dev",
    ]


@pytest.mark.usefixtures("stack")
def test_only_offline_nothing_was_made_in_aws() -> None:
    assert run("up", "--offline", "--yes").stdout.splitlines()[-2:] == IN_MEMORY
    assert IN_MEMORY[0] not in run("up", "--yes").stdout
    assert "memory" not in run("up", "--offline", "--yes", "--json").stdout


def test_an_update_that_changes_nothing_says_so(stack: FakeLangfuseStack) -> None:
    stack.result = Result({"same": 188}, {}, 6.0)
    (*_, last, _, _) = run("up", "--offline", "--yes").stdout.splitlines()
    assert last == "nothing changed: 188 resources are as they were (0 changes); 6.0 s"


@pytest.mark.usefixtures("stack")
def test_a_terminal_keeps_a_tree_and_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Console(force_terminal=True, color_system=None, width=80, record=True)
    monkeypatch.setattr(display, "console", shown)
    run("up", "--offline", "--yes")
    kept = [line.rstrip() for line in shown.export_text().splitlines()]
    assert [line for line in kept if "resources so far" not in line and line][-7:] == [
        "+ aws:ec2:Vpc langfuse-dev",
        "Output           Value",
        'log_group_names  ["web", "worker"]',
        "url              https://langfuse.example.com",
        "resources by kind of change: 1 create, 1 same; 3.2 s",
        *IN_MEMORY,
    ]
    assert [line for line in kept if line.endswith("warning: careful")]
    finished = [line for line in kept if line.endswith("+ aws:ec2:Vpc langfuse-dev")]
    assert len(finished) == 1, "in the tree alone"


def test_json_is_an_event_a_line_and_the_result_last_and_nothing_else(
    stack: FakeLangfuseStack,
) -> None:
    stack.replaced_secrets = ("langfuse:redisPassword",)
    found = run("up", "--offline", "--yes", "--json")
    assert (found.exit_code, found.stderr) == (0, "")
    told = lines(found)
    assert [(each["event"], each.get("state")) for each in told] == [
        ("resource", "started"),
        ("diagnostic", None),
        ("resource", "done"),
        ("resource", "done"),
        ("summary", None),
        ("result", None),
    ]
    assert told[0] == {
        "seconds": told[0]["seconds"],
        "event": "resource",
        "state": "started",
        "operation": "create",
        "urn": VPC,
        "type": "aws:ec2/vpc:Vpc",
        "name": "langfuse-dev",
        "parent": "p",
        "component": False,
    }
    assert told[-1] == {
        "event": "result",
        "changes": {"create": 1, "same": 1},
        "outputs": OUTPUTS,
        "seconds": 3.25,
    }


def test_what_the_owner_alone_can_decrypt_is_named(stack: FakeLangfuseStack) -> None:
    stack.replaced_secrets = ("langfuse:redisPassword", "aws:secretKey")
    assert run("outputs", "--offline").stdout.splitlines()[0] == (
        "encrypted settings are left out or hold a placeholder here: langfuse:redisPassword, "
        "aws:secretKey"
    )


def test_outputs_are_lines_or_one_json_object(stack: FakeLangfuseStack) -> None:
    assert run("outputs").stdout.splitlines() == [
        'log_group_names: ["web", "worker"]',
        "url: https://langfuse.example.com",
    ]
    assert lines(run("outputs", "--json")) == [{"event": "result", "outputs": OUTPUTS}]
    assert stack.begun == ["closed", "closed"]


def step_of(operation: str, old: dict[str, Any], new: dict[str, Any], **changed: str) -> Step:
    return Step(
        operation, DATABASE, made(DATABASE, inputs=old), made(DATABASE, inputs=new), changed
    )


REPLACED = step_of(
    "replace",
    {"engine": "a", "password": SECRET},
    {"engine": "b", "password": SECRET, "tags": {"Stack": "dev"}},
    engine="update-replace",
    password="update",
    tags="add",
)


def test_a_preview_has_the_values_of_what_changes_and_no_secret(stack: FakeLangfuseStack) -> None:
    steps = (*stack.previewed.steps, REPLACED)
    stack.previewed = Preview(steps, ResourceGraph(()), {"create": 1, "replace": 1}, 2.04)
    assert run("preview").stdout.splitlines() == [
        "warning: careful",
        "+ aws:ec2:Vpc langfuse-dev",
        "± aws:rds:Instance langfuse-dev-postgres",
        "    engine: a → b (replaces)",
        "    password: [secret] → [secret]",
        '    tags: (none) → {"Stack": "dev"}',
        "resources by kind of change: 1 create, 1 replace; 2.0 s",
    ]
    *events, result = lines(run("preview", "--json"))
    assert [each["event"] for each in events] == [
        *("resource", "diagnostic", "resource", "resource", "summary")
    ]
    created, replaced = result.pop("steps")
    assert result == {
        "event": "result",
        "changes": {"create": 1, "replace": 1},
        "seconds": 2.04,
    }
    assert created == {"operation": "create", "urn": VPC, "changed": {}, "properties": []}
    assert replaced.pop("properties") == [
        {"path": "engine", "old": "a", "new": "b", "replaces": True},
        {"path": "password", "old": SECRET, "new": SECRET, "replaces": False},
        {"path": "tags", "old": None, "new": '{"Stack": "dev"}', "replaces": False},
    ]
    assert replaced == {"operation": "replace", "urn": DATABASE, "changed": REPLACED.changed}


@pytest.mark.parametrize(
    ("columns", "path"), [(60, "x"), (60, "x" * 50), (60, "x" * 90), (200, "x"), (80, "x")]
)
def test_values_are_cut_to_the_width_of_the_terminal_where_they_differ(
    stack: FakeLangfuseStack, monkeypatch: pytest.MonkeyPatch, columns: int, path: str
) -> None:
    shown = Console(force_terminal=True, color_system=None, width=columns, record=True)
    monkeypatch.setattr(display, "console", shown)
    old, new = (f"{'a' * 300}{each}{'z' * 300}" for each in ("OLD", "NEW"))
    steps = (
        step_of("update", {path: old}, {path: new}, **{path: "update-replace"}),
        step_of("update", {path: "12"}, {path: new}, **{path: "update"}),
    )
    stack.previewed = Preview(steps, ResourceGraph(()), {"update": 2}, 2.0)
    run("preview")
    kept = [line.rstrip() for line in shown.export_text().splitlines()]
    shown_first = next(line for line in kept if "aws:rds:Instance" in line)
    values = [line for line in kept if " → " in line]
    assert len(values) == 2
    assert all(columns - 3 <= len(line) <= columns for line in values), values
    assert "OLD" in values[0]
    assert "NEW" in values[0]
    assert values[0].endswith(" (replaces)")
    assert "12 → aaa" in values[1]
    assert max(len(line) for line in kept[kept.index(shown_first) :]) <= columns


def test_the_page_has_every_key_of_the_events() -> None:
    page = (REPOSITORY / "docs/automation.md").read_text(encoding="utf-8")
    for model in (ResourceEvent, DiagnosticEvent, SummaryEvent):
        kind = model.model_fields["event"].default
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{kind}` |")]
        keys = set(model.model_fields) - {"event"}
        assert not [key for key in keys if f"`{key}`" not in row], f"of {kind}"


# --- where the state is


def test_a_stack_is_opened_in_its_folder_and_offline_keeps_its_state_there(
    stack: FakeLangfuseStack, tmp_path: Path
) -> None:
    run("outputs")
    assert stack.opened == {
        "name": "dev",
        "project": REPOSITORY,
        "work_dir": None,
        "offline": False,
    }
    run("outputs", "--offline", "--dir", str(tmp_path))
    assert stack.opened == {
        "name": "dev",
        "project": tmp_path,
        "work_dir": tmp_path / ".state",
        "offline": True,
    }


# --- errors


def failed(*messages: str) -> auto.errors.CommandError:
    return auto.errors.CommandError(auto.CommandResult("", "\n".join(messages), 255))


def test_an_error_quotes_the_engine_on_stderr(stack: FakeLangfuseStack) -> None:
    stack.script = [said("the bucket is full\nof sand", "error"), said("so there", "error")]
    stack.failure = failed("exit status 255")
    found = run("up", "--offline", "--yes")
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.splitlines() == [
        "error: up of stack dev failed:",
        "the bucket is full",
        "of sand",
        "so there",
    ]


def test_an_error_of_one_line_is_one_line(stack: FakeLangfuseStack) -> None:
    message = 'Pulumi CLI version 3.250.0 does not satisfy the version range ">=3.999.0"'
    stack.failure = failed(f"error: {message}")
    assert run("preview").stderr == f"error: preview of stack dev failed: {message}\n"


def test_with_json_an_error_is_the_last_line_of_the_same_stream(stack: FakeLangfuseStack) -> None:
    stack.script = [said("no", "error"), said("never", "error")]
    stack.failure = failed("exit status 255")
    found = run("refresh", "--json")
    assert (found.exit_code, found.stderr) == (1, "")
    *events, last = lines(found)
    assert [each["severity"] for each in events] == ["error", "error"]
    assert last == {"event": "error", "message": "refresh of stack dev failed:\nno\nnever"}


@pytest.mark.parametrize(
    ("token", "name", "counted"),
    [
        ("pulumi:providers:aws", "default_7_51_1", False),
        ("pulumi:providers:aws", "second-region", True),
        ("aws:ec2/vpc:Vpc", "default", True),
    ],
)
def test_what_the_engine_makes_for_itself_is_no_resource_of_the_stack(
    token: str, name: str, counted: bool
) -> None:
    urn = f"urn:pulumi:dev::langfuse::{token}::{name}"
    for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
        assert (read(resource(kind, "create", urn), 0, str) is not None) is counted


def test_every_wrong_setting_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, **_: Any) -> LangfuseStack:
        raise InvalidSettingsError(name, ["langfuse:size: is not set.", "langfuse:x: is unknown."])

    monkeypatch.setattr(deploy, "LangfuseStack", refuse)
    found = run("preview")
    assert (found.exit_code, found.stderr.splitlines()) == (
        1,
        [
            "error: stack dev: langfuse:size: is not set.",
            "error: stack dev: langfuse:x: is unknown.",
        ],
    )


def test_a_missing_pulumi_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = run("outputs", "--json")
    assert (found.exit_code, found.stderr) == (1, "")
    assert lines(found) == [
        {
            "event": "error",
            "message": "pulumi: not found on PATH. Install it: "
            "https://www.pulumi.com/docs/install/.",
        }
    ]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".state").touch()
    found = run("outputs", "--offline", "--dir", str(tmp_path))
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr == f"error: {tmp_path}/.state: File exists.\n"


def test_a_reader_that_has_gone_is_not_told_why(
    stack: FakeLangfuseStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(ndjson.typer, "echo", closed)
    found = run("up", "--offline", "--yes", "--json")
    assert (found.exit_code, found.output) == (1, "")
    assert stack.command.times == 1


def test_a_stack_that_a_dead_process_holds_is_freed_as_its_backend_needs() -> None:
    def work(_command: Command, _on_event: object) -> None:
        raise auto.errors.ConcurrentUpdateError(auto.CommandResult("", "locked", 255))

    command = cast("Command", Interrupted())
    for unlock in ("delete /tmp/.state", "pulumi cancel"):
        held = Operation("up of stack dev", work, command, Redaction([]), unlock)
        with pytest.raises(OperationError, match=f"if it is dead: {unlock}.$"):
            held.result()


def test_what_the_engine_says_for_debugging_is_left_out() -> None:
    assert read(said("registering resource", "debug"), 0, str) is None
    assert read(said("registering resource", "info"), 0, str) is not None


# --- questions


@pytest.mark.usefixtures("asked")
def test_up_shows_a_preview_and_asks(stack: FakeLangfuseStack) -> None:
    found = run("up", typed="y\n")
    assert found.exit_code == 0
    shown, _, after = found.stdout.partition("Go on? [y/N]: ")
    assert shown.splitlines() == [
        "warning: careful",
        "+ aws:ec2:Vpc langfuse-dev",
        "resources by kind of change: 1 create; 2.0 s",
        *ASKED_ABOUT,
    ]
    assert "url: https://langfuse.example.com" in after
    assert stack.begun == ["preview", "up", "closed"]


@pytest.mark.usefixtures("asked")
def test_up_changes_nothing_unless_it_is_told_yes(stack: FakeLangfuseStack) -> None:
    found = run("up", typed="n\n")
    assert (found.exit_code, found.stderr) == (1, "error: nothing was changed.\n")
    assert stack.begun == ["preview", "closed"]


@pytest.mark.usefixtures("asked")
def test_up_does_not_ask_about_nothing(stack: FakeLangfuseStack) -> None:
    stack.previewed = Preview((), ResourceGraph(()), {"same": 188}, 2.0)
    assert run("up", typed="").exit_code == 0
    assert stack.begun == ["preview", "up", "closed"]


def test_up_that_asks_nobody_still_previews_what_is_in_aws(stack: FakeLangfuseStack) -> None:
    told = lines(run("up", "--yes", "--json"))
    assert stack.begun == ["preview", "up", "closed"]
    assert told[0] == {
        "event": "preview",
        "changes": {"create": 1},
        "steps": [{"operation": "create", "urn": VPC, "changed": {}, "properties": []}],
        "seconds": 2.04,
    }
    assert [each["event"] for each in told].count("resource") == 3, "those of the update alone"
    stack.failure = failed("refused")
    assert run("up", "--yes").exit_code == 1
    assert stack.begun[3:] == ["preview", "closed"], "what the preview refuses is not begun"


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_without_a_terminal_or_with_json_nothing_is_done_without_yes(
    command: str, stack: FakeLangfuseStack
) -> None:
    found = run(command)
    assert (found.exit_code, found.stderr) == (
        1,
        "error: nothing was changed: there is no terminal to ask at. --yes goes on without "
        "asking.\n",
    )
    (told,) = lines(run(command, "--json"))
    assert told == {
        "event": "error",
        "message": "nothing was changed: --json cannot ask. Add --yes.",
    }
    assert stack.begun == ["closed", "closed"]


def test_up_that_asks_nobody_makes_no_stack_unless_it_is_told_to(stack: FakeLangfuseStack) -> None:
    stack.there = False
    found = run("up", "--yes")
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == (
        "error: nothing was changed: the backend s3://states has no stack dev, and up --yes makes "
        "none. If it is in another backend: pulumi login URL, or PULUMI_BACKEND_URL. To have a new "
        "stack made here, with resources of its own beside those of any other: add --create.\n"
    )
    assert lines(run("up", "--yes", "--json"))[-1]["event"] == "error"
    assert stack.begun == ["closed", "closed"]
    found = run("up", "--yes", "--create")
    assert found.exit_code == 0
    assert found.stdout.splitlines()[0] == (
        "the backend s3://states has no stack dev: a new one will be made there, with resources of "
        "its own"
    )
    assert stack.begun[2:] == ["preview", "up", "closed"]
    stack.there = True
    assert "s3://states" not in run("up", "--yes", "--create").output


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(("typed", "begun"), [("y\n", ["preview", "up"]), ("n\n", ["preview"])])
def test_up_asks_whether_to_make_the_stack(
    typed: str, begun: list[str], stack: FakeLangfuseStack
) -> None:
    stack.there = False
    stack.previewed = Preview((), ResourceGraph(()), {}, 2.0)
    found = run("up", typed=typed)
    assert "the backend s3://states has no stack dev" in found.stdout
    assert "Make the stack dev, and go on? [y/N]: " in found.stdout
    assert stack.begun == [*begun, "closed"]


# --- plans


def test_a_preview_is_saved_where_it_is_told(stack: FakeLangfuseStack, tmp_path: Path) -> None:
    plan = tmp_path / "p.plan"
    assert run("preview").stdout.count("saved:") == 0
    assert stack.saved_to is None
    (*_, last) = run("preview", "--save", str(plan)).stdout.splitlines()
    assert last == f"saved: up --stack dev {plan} does this and nothing else"
    assert stack.saved_to == plan
    assert lines(run("preview", "--save", str(plan), "--json"))[-1]["event"] == "result"


def test_a_plan_that_cannot_be_written_or_is_not_there_is_a_wrong_command_line(
    stack: FakeLangfuseStack, tmp_path: Path
) -> None:
    found = run("preview", "--save", str(tmp_path / "none" / "p.plan"))
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == (
        f"error: --save {tmp_path}/none/p.plan: there is no folder {tmp_path}/none. Make it.\n"
    )
    assert run("preview", "--save", str(tmp_path)).exit_code == 2
    assert run("up", "--yes", str(tmp_path / "p.plan")).exit_code == 2
    assert stack.begun == ["closed"]


@pytest.mark.usefixtures("asked")
def test_up_of_a_plan_shows_it_and_asks_and_previews_nothing_else(
    stack: FakeLangfuseStack, tmp_path: Path
) -> None:
    plan = tmp_path / "p.plan"
    plan.touch()
    stack.previewed = Preview((REPLACED,), ResourceGraph(()), {"replace": 1}, 2.0)
    found = run("up", str(plan), typed="y\n")
    shown, _, after = found.stdout.partition("Go on? [y/N]: ")
    assert shown.splitlines() == [
        f"{plan}, saved {SAVED}:",
        "± aws:rds:Instance langfuse-dev-postgres",
        "    engine: a → b (replaces)",
        "    password: [secret] → [secret]",
        '    tags: (none) → {"Stack": "dev"}',
        "resources by kind of change: 1 replace",
        *ASKED_ABOUT,
    ]
    assert "url: https://langfuse.example.com" in after
    assert stack.begun == ["up", "closed"]
    assert stack.carried_out is not None
    assert run("up", str(plan), typed="n\n").exit_code == 1
    assert stack.begun[2:] == ["closed"]


def test_up_of_a_plan_tells_tools_what_it_has(stack: FakeLangfuseStack, tmp_path: Path) -> None:
    stack.previewed = Preview((REPLACED,), ResourceGraph(()), {"replace": 1}, 2.0)
    (tmp_path / "p.plan").touch()
    told = lines(run("up", str(tmp_path / "p.plan"), "--yes", "--json"))
    assert told[0]["event"] == "preview"
    assert told[0]["saved"] == SAVED
    assert told[0]["steps"][0]["properties"][0] == {
        "path": "engine",
        "old": "a",
        "new": "b",
        "replaces": True,
    }
    assert stack.begun == ["up", "closed"]


# --- destroy


def state(**protected: bool) -> ResourceGraph:
    kept = {"retain_on_delete": True}
    return ResourceGraph(
        (
            made(VPC),
            made(DATABASE, protect=protected.get("database", False)),
            made("urn:pulumi:dev::langfuse::random:index/randomPassword:RandomPassword::password"),
            made("urn:pulumi:dev::langfuse::aws:ebs/volume:Volume::clickhouse", **kept),
        )
    )


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("remove", [False, True])
def test_destroy_shows_what_is_lost_and_wants_the_name(
    stack: FakeLangfuseStack, remove: bool
) -> None:
    stack.graph = state()
    found = run("destroy", *(["--remove"] if remove else []), typed="dev\n")
    assert found.exit_code == 0
    assert found.stdout.splitlines()[:10] == [
        "stack dev: 4 resources will be destroyed.",
        "Lost with all of its data",
        "  aws:rds:Instance langfuse-dev-postgres",
        "Kept in AWS, where it is billed",
        "  aws:ebs:Volume clickhouse",
        *ASKED_ABOUT,
        "Type dev to destroy it: dev",
    ]
    assert stack.begun == [f"destroy, {remove=}", "closed"]


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("typed", ["yes\n", "\n"])
def test_destroy_is_not_begun_by_another_word(stack: FakeLangfuseStack, typed: str) -> None:
    stack.graph = state()
    found = run("destroy", typed=typed)
    assert (found.exit_code, found.stderr) == (
        1,
        "error: nothing was changed: that is not dev.\n",
    )
    assert stack.begun == ["closed"]


def test_a_protected_stack_is_refused_with_the_way_out(stack: FakeLangfuseStack) -> None:
    stack.graph = state(database=True)
    found = run("destroy", "--yes")
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr == (
        "error: stack dev: is protected, and nothing was destroyed: Pulumi may not delete 1 of its "
        "resources, such as langfuse-dev-postgres. To destroy it all the same, keep the snapshots "
        "you want, set langfuse:deletionProtection: false in Pulumi.dev.yaml, up, and destroy "
        "again (README.md, Destroy).\n"
    )
    assert stack.begun == ["closed"]


def test_the_library_too_destroys_nothing_of_a_protected_stack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "pulumi"
    exported = json.dumps(
        {
            "deployment": {
                "resources": [{"urn": VPC, "type": "t", "protect": True}],
            }
        }
    )
    script.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/said\n[ "$1" = version ] && echo 3.250.0\n'
        f"case \"$*\" in *export*) echo '{exported}';; esac\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with (
        LangfuseStack("dev", {"size": "dev"}) as real,
        pytest.raises(ProtectedError, match="stack dev: is protected"),
    ):
        real.destroy()
    assert "destroy" not in (tmp_path / "said").read_text()


def test_destroying_what_is_not_there_is_no_error(stack: FakeLangfuseStack) -> None:
    found = run("destroy", "--yes")
    assert (found.exit_code, found.stdout.splitlines()[0]) == (
        0,
        "the stack dev is not up: there is nothing to destroy",
    )
    assert lines(run("destroy", "--yes", "--json")) == [
        {"event": "result", "changes": {}, "outputs": {}, "seconds": 0.0}
    ]
    assert stack.begun == ["closed", "closed"]


def test_passwords_by_chance_are_not_counted_as_data() -> None:
    found = Destruction.of("dev", state())
    assert [each.name for each in found.lost] == ["langfuse-dev-postgres"]
    assert [each.name for each in found.kept] == ["clickhouse"]


# --- the end that comes from outside


@pytest.fixture
def with_terminal() -> Iterator[None]:
    """Whoever runs these tests has not had them ignore the end of the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("with_terminal")
def test_what_nohup_starts_outlives_its_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does: what it starts inherits it
    with stopped_by_signals(lambda: False, lambda: None), on_signals(lambda: None):
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert callable(signal.getsignal(signal.SIGTERM))
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.usefixtures("with_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_once_and_a_second_one_is_answered(
    number: int, stack: FakeLangfuseStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Semaphore(0)

    class Answered(Operation[Result]):
        def cancel(self) -> None:
            super().cancel()
            answered.release()

    def work(_command: Command, on_event: Callable[[EngineEvent], None]) -> Result:
        for kind in ("resourcePreEvent", "resOutputsEvent"):
            on_event(resource(kind, "create"))
            os.kill(os.getpid(), number)
            assert answered.acquire(timeout=5)
        raise failed("exit status 255")

    def start() -> Operation[Result]:
        return Answered("refresh of stack dev", work, cast("Command", stack.command), Redaction([]))

    monkeypatch.setattr(stack, "start_refresh", start)
    before = {each: signal.getsignal(each) for each in SIGNALS}
    found = run("refresh", "--json")
    assert found.exit_code == 130
    *events, last = lines(found)
    assert [each.get("message") for each in events] == [
        None,
        "cancelling: the engine finishes what it is doing with resources, then stops.",
        None,
        "still cancelling: the engine is not done with what it had begun.",
    ]
    assert last == {
        "event": "error",
        "message": "refresh of stack dev: cancelled; run it again to go on from here.",
    }
    assert stack.command.times == 1, "a second one would make the engine give up"
    assert {each: signal.getsignal(each) for each in SIGNALS} == before


def test_a_signal_before_the_operation_is_there_cancels_it(stack: FakeLangfuseStack) -> None:
    def start() -> Operation[Result]:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 0)  # lets Python run the handler
        return stack.start_up()

    follow(start, lambda _event: None)
    assert stack.command.times == 1


def test_an_engine_whose_events_nobody_takes_is_cancelled(stack: FakeLangfuseStack) -> None:
    def closed(_event: Event) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        follow(stack.start_up, closed)
    assert stack.command.times == 1
