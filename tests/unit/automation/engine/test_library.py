"""`LangfuseStack` before and around the engine: settings, files, the command, events, secrets.

A script stands in for `pulumi`. What the engine itself does is shown by tests/engine/test_library.
"""

import io
import json
import logging
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import automation as auto
from pulumi.automation import EngineEvent

from langfuse_aws.automation.engine.events import (
    DiagnosticEvent,
    Event,
    ResourceEvent,
    SummaryEvent,
    counted,
    read,
)
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.operation import (
    CancelledError,
    Command,
    OnEvent,
    Operation,
    OperationError,
)
from langfuse_aws.automation.engine.redaction import Redaction
from langfuse_aws.automation.engine.results import Result
from langfuse_aws.automation.engine.workspace import offline_place, place
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.stack import InvalidSettingsError, LangfuseStack, NoStackError
from langfuse_aws.graph.model import SECRET
from langfuse_aws.graph.preview import Preview
from langfuse_aws.settings import provider_keys
from langfuse_aws.settings.secret_keys import SECRET_KEYS
from langfuse_aws.settings.versions import LANGFUSE

HUSH = 'pa"ss4711'
URN = "urn:pulumi:dev::langfuse::langfuse:index:Network$aws:ec2/vpc:Vpc::langfuse-dev"


# --- the settings, before anything else


def problems(settings: dict[str, Any], **secrets: str) -> list[str]:
    with pytest.raises(InvalidSettingsError) as caught:
        LangfuseStack("team-a", settings, secrets=secrets, offline=True)
    assert str(caught.value).startswith("stack team-a: ")
    return caught.value.problems


def test_every_mistake_in_the_settings_is_told_at_once_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    settings = {"size": "dev", "release": "latest", "wroker": 1, "aws:region": "eu-west-1"}
    with pytest.raises(InvalidSettingsError) as caught:
        LangfuseStack("a", settings, work_dir=tmp_path / "new", offline=True)
    release, worker = sorted(caught.value.problems)
    assert 'langfuse:release: "latest": must be an exact Langfuse release' in release
    assert "langfuse:wroker: " in worker
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["", "acme/", "team a", "-a", "a" * 101, "a\nb", "ä"])
@pytest.mark.parametrize("offline", [True, False])
def test_what_is_no_name_of_a_stack_is_refused_and_nothing_is_written(
    name: str, offline: bool, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="is no name of a stack: it has letters, digits"):
        LangfuseStack(name, {"size": "dev"}, work_dir=tmp_path / "new", offline=offline)
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("pulumi")
def test_where_no_plan_can_be_written_is_told_before_anything_runs(tmp_path: Path) -> None:
    with LangfuseStack("a", {"size": "dev", "aws:region": "eu-west-1"}, offline=True) as stack:
        with pytest.raises(UserError, match=r"none/a\.plan: there is no folder .*none\. Make it\."):
            stack.start_preview(save=tmp_path / "none/a.plan")
        with pytest.raises(UserError, match=r": is a folder\. Name a file in it\."):
            stack.start_preview(save=tmp_path)


@pytest.mark.usefixtures("pulumi")
def test_a_stack_whose_settings_were_removed_with_it_says_so(tmp_path: Path) -> None:
    settings = {"size": "dev", "aws:region": "eu-west-1"}
    with LangfuseStack("a", settings, work_dir=tmp_path, offline=True) as stack:
        (tmp_path / "work" / "Pulumi.a.yaml").unlink()  # as pulumi stack rm does
        for ask in (stack.preview, stack.up):
            with pytest.raises(UserError, match="stack a: its settings are gone: destroy removes"):
                ask()


def test_a_stack_with_settings_has_no_file_to_configure(tmp_path: Path) -> None:
    words = "has settings, and no stack file to set release in"
    stack = LangfuseStack("dev", {"size": "dev"}, work_dir=tmp_path)
    with pytest.raises(UserError, match=words):
        stack.configure("release", LANGFUSE)


@pytest.mark.usefixtures("pulumi")
def test_a_folder_may_be_a_text_and_relative_to_where_the_caller_runs(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"size": "dev", "aws:region": "eu-west-1"}
    stack = LangfuseStack("dev", settings, project="project", work_dir="states", offline=True)
    assert loaded(tmp_path / "states/work/Pulumi.yaml")["main"] == str(project)
    with pytest.raises(UserError, match="not-there: "):
        stack.read_plan("not-there")
    with pytest.raises(UserError, match=r"not-there/Pulumi\.dev\.yaml"):
        LangfuseStack("dev", stack_file="not-there/Pulumi.dev.yaml", project="project")


def test_a_secret_among_the_settings_is_refused_and_not_shown() -> None:
    (line,) = problems({"size": "dev", "postgresPassword": HUSH})
    assert line == "langfuse:postgresPassword: is a secret: give it in secrets, not in settings."


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("namespace", ["langfuse:", "langfuse:config:", "Langfuse:", "lanfguse:"])
def test_a_secret_with_a_namespace_is_refused_too_and_nothing_is_written(
    namespace: str, key: str, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    with pytest.raises(InvalidSettingsError) as caught:
        LangfuseStack("a", {"size": "dev", f"{namespace}{key}": HUSH}, work_dir=folder)
    (line,) = caught.value.problems
    full = f"{namespace}{key}".replace("langfuse:config:", "langfuse:")
    assert line == f"{full}: is a secret: give it in secrets, not in settings."
    assert not folder.exists()


@pytest.mark.parametrize(
    "key", ["authSecrets.google", "langfuse:authSecrets.google", 'langfuse:secretEnvironment["A"]']
)
def test_a_part_of_a_secret_is_refused_and_not_shown(key: str) -> None:
    (line,) = problems({"size": "dev", key: HUSH})
    assert "is a secret: give it in secrets" in line
    assert HUSH not in line


@pytest.mark.parametrize("key", ["aws:secretKey", "aws:token"])
def test_a_secret_of_the_provider_is_refused_among_the_settings_and_taken_among_the_secrets(
    key: str,
) -> None:
    assert problems({"size": "dev", key: HUSH}) == [
        f"{key}: is a secret: give it in secrets, not in settings."
    ]
    settings = {"size": "dev", "aws:region": "eu-west-1"}
    with LangfuseStack("a", settings, secrets={key: HUSH}, offline=True) as stack:
        assert stack.redaction.text(HUSH) == SECRET


@pytest.mark.parametrize("namespace", ["langfuse:", "langfuse:config:"])
def test_a_key_with_its_namespace_is_checked_as_without(namespace: str) -> None:
    given = {"size": "dev", "release": "v3", "wroker": 1, "clickhouse": {"volumeGib": -1}}
    with_namespace = {f"{namespace}{key}": value for key, value in given.items()}
    assert problems(with_namespace) == problems(given)
    assert len(problems(given)) == 3


def test_a_key_that_is_given_twice_is_refused() -> None:
    (line,) = problems({"size": "dev", "langfuse:size": "prod"})
    assert line == "langfuse:size: is given with its namespace and without: give it once."


def test_tags_are_checked_as_the_program_checks_them() -> None:
    tags = {"aws:reserved": "x"}
    found = problems({"size": "dev", "aws:defaultTags": {"tags": tags}})
    assert found == list(provider_keys.tag_problems({"tags": tags}))
    assert found


def test_a_key_with_its_namespace_is_written_once(tmp_path: Path) -> None:
    given = {"langfuse:size": "dev", "langfuse:config:release": LANGFUSE, "aws:region": "eu-west-1"}
    LangfuseStack("a", given, work_dir=tmp_path)
    assert loaded(tmp_path / "Pulumi.a.yaml")["config"] == {
        "langfuse:size": "dev",
        "langfuse:release": LANGFUSE,
        "aws:region": "eu-west-1",
    }


GOOGLE = {"auth": {"providers": {"google": {"clientId": "id"}}}}


@pytest.mark.parametrize("namespace", ["", "langfuse:", "langfuse:config:"])
def test_secrets_that_are_objects_are_given_as_mappings_or_as_json(
    namespace: str, pulumi: Path, tmp_path: Path
) -> None:
    objects = {
        "secretEnvironment": {"LANGFUSE_EE_LICENSE_KEY": HUSH},
        "authSecrets": {"google": "g"},
    }
    behave(pulumi, f"echo >> {pulumi}/given; cat >> {pulumi}/given\n")
    as_json = {key: json.dumps(value) for key, value in objects.items()}
    for form in (objects, as_json):
        given: Any = {f"{namespace}{key}": value for key, value in form.items()}
        settings = {"size": "dev", **GOOGLE}
        with LangfuseStack("a", settings, secrets=given, work_dir=tmp_path) as stack:
            assert stack.redaction.text(f"{HUSH} google") == f"{SECRET} google"
            stack._ready(Command())  # pyright: ignore[reportPrivateUsage]
        lines = (pulumi / "given").read_text().splitlines()
        assert [json.loads(each) for each in lines if each[:1] == "{"] == [*objects.values()]
        set_to = [
            each.split()[4]
            for each in (pulumi / "arguments").read_text().splitlines()
            if " config set --secret " in each
        ]
        assert set_to == [f"langfuse:{key}" for key in objects]
        for name in ("given", "arguments"):
            (pulumi / name).unlink()
        assert HUSH not in (tmp_path / "Pulumi.a.yaml").read_text()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"postgresPassword": 4711}, "langfuse:postgresPassword: must be text."),
        ({"postgresPassword": None}, "langfuse:postgresPassword: must be text."),
        ({"postgresPassword": {"a": HUSH}}, "langfuse:postgresPassword: must be text."),
        (
            {"secretEnvironment": {"A": 4711}},
            "langfuse:secretEnvironment: must be a mapping of text to text, or that as JSON.",
        ),
        (
            {"authSecrets": [HUSH]},
            "langfuse:authSecrets: must be a mapping of text to text, or that as JSON.",
        ),
        (
            {"secretEnvironment": "{}", "langfuse:secretEnvironment": {}},
            "langfuse:secretEnvironment: is given with its namespace and without: give it once.",
        ),
    ],
)
def test_a_secret_of_another_form_is_refused_and_not_shown(given: Any, line: str) -> None:
    for settings in ({"size": "dev"}, None):
        with pytest.raises(InvalidSettingsError) as caught:
            LangfuseStack("dev", settings, secrets=given, offline=True)
        assert caught.value.problems == [line]


def test_what_is_no_secret_key_is_refused_among_the_secrets() -> None:
    (line,) = problems({"size": "dev"}, size=HUSH)
    assert line.startswith("langfuse:size: is not a secret key. Secret keys are secretEnvironment,")


def test_settings_and_secrets_are_checked_together() -> None:
    external = {"mode": "external", "host": "db.example.com"}
    (line,) = problems({"size": "dev", "postgres": external})
    assert line.startswith("langfuse:postgresPassword: is not set")


DEEP = "[" * 100_000 + "]" * 100_000


def endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"web": DEEP}, ["langfuse:web: ", "must be a section with keys of its own"]),
        ({"aws:assumeRoles": DEEP, "logs": 1}, ["langfuse:logs: 1: must be a section"]),
        ({"aws:defaultTags": DEEP, "logs": 1}, ["langfuse:logs: 1: must be a section"]),
        ({"web": endless()}, ["langfuse:web: ", "parts within parts without end"]),
        ({"domain": b"langfuse.example.com"}, ["langfuse:domain: ", "type bytes", "Give text"]),
        ({"aws:region": Decimal(1)}, ["aws:region: ", "type Decimal", "Give text"]),
        ({"\ud800x": 1}, ["langfuse:\\ud800x: ", "half of a surrogate pair"]),
        (
            {"bootstrap": {"userEmail": "a@example.com", "project": "\ud800"}},
            ["langfuse:bootstrap.project: ", "half of a surrogate pair"],
        ),
        ({3: 4}, ["langfuse:3: 4: unknown key"]),
    ],
)
def test_what_no_stack_file_can_hold_is_one_line(
    settings: dict[Any, Any], words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        LangfuseStack("dev", {"size": "dev", **settings}, work_dir=tmp_path / "work")
    (problem,) = caught.value.problems
    assert all(word in problem for word in words), problem
    assert not (tmp_path / "work").exists()


def test_a_mapping_or_a_text_of_another_class_is_written_as_yaml_has_it(
    project: Path, tmp_path: Path
) -> None:
    class Text(str):
        __slots__ = ()

    settings: dict[str, Any] = {"size": Text("dev"), "logs": OrderedDict(retentionDays=7)}
    LangfuseStack("dev", settings, work_dir=tmp_path / "work", project=project)
    written = loaded(tmp_path / "work/Pulumi.dev.yaml")["config"]
    assert written == {"langfuse:size": "dev", "langfuse:logs": {"retentionDays": 7}}


@pytest.mark.parametrize("key", ["langfuse:config:hours", "langfuse:hours", "hours"])
def test_hours_and_a_region_are_known_by_each_of_their_names(project: Path, key: str) -> None:
    (project / "Pulumi.dev.yaml").write_text(
        f"config: {{'langfuse:size': dev, '{key}': {{}}, 'aws:config:region': eu-west-3}}\n"
    )
    stack = LangfuseStack("dev", project=project)
    assert stack.sleeps
    assert stack.clients()("sns").meta.region_name == "eu-west-3"


def test_settings_and_a_stack_file_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="stack a: settings and stack_file exclude each other"):
        LangfuseStack("a", {"size": "dev"}, stack_file=tmp_path / "Pulumi.a.yaml")


# --- the files that pulumi reads


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    text = "name: langfuse\nruntime: python\nbackend: {url: 's3://states'}\n"
    (folder / "Pulumi.yaml").write_text(text)
    (folder / "Pulumi.dev.yaml").write_text("config: {'langfuse:size': dev}\n")
    return folder


def loaded(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def test_a_stack_file_of_the_project_is_used_where_it_is(project: Path, tmp_path: Path) -> None:
    found = place("dev", tmp_path, project, None, None)
    assert found.folder == project
    assert found.secrets_provider is None
    first, *rest = found.environment["PATH"].split(os.pathsep)
    assert first == str(Path(sys.executable).parent)
    assert rest == os.environ["PATH"].split(os.pathsep)
    assert not (tmp_path / "Pulumi.yaml").exists()


def test_a_program_elsewhere_imports_that_of_the_clone_after_what_its_user_names(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/a:/b")
    for found in (
        place("dev", tmp_path, project, None, None),
        offline_place("dev", tmp_path, project, None, None),
    ):
        assert found.environment["PYTHONPATH"] == f"/a:/b:{REPOSITORY}"
    monkeypatch.delenv("PYTHONPATH")
    assert place("dev", tmp_path, project, None, None).environment["PYTHONPATH"] == str(REPOSITORY)


def test_a_stack_file_elsewhere_is_left_there_and_the_program_stays_the_same(
    project: Path, tmp_path: Path
) -> None:
    """In a folder behind a link as well, as macOS has every temporary one behind /var."""
    elsewhere, folder = tmp_path / "teams/a", tmp_path / "work"
    elsewhere.mkdir(parents=True)
    (tmp_path / "private/var").mkdir(parents=True)
    folder.symlink_to(tmp_path / "private/var")
    (elsewhere / "Pulumi.a.yaml").write_text("config: {'langfuse:size': dev}\n")
    found = place("a", folder, project, elsewhere / "Pulumi.a.yaml", None)
    assert found.folder == folder
    written = loaded(folder / "Pulumi.yaml")
    # Where the engine runs, it is in the folder that the link leads to.
    assert os.path.normpath(folder.resolve() / written["stackConfigDir"]) == str(elsewhere)
    assert written["main"] == str(project)
    assert written["backend"] == {"url": "s3://states"}, "the state is where the project's is"
    assert [path.name for path in folder.iterdir()] == ["Pulumi.yaml"]


@pytest.mark.parametrize(
    ("name", "file", "words"),
    [
        ("a", "Pulumi.b.yaml", "the file of stack a must be called Pulumi.a.yaml"),
        (
            "prod",
            None,
            "--stack prod: {} has Pulumi.dev.yaml, and no Pulumi.prod.yaml",
        ),
    ],
)
def test_a_stack_file_that_is_not_there_or_not_the_stacks_is_one_line(
    name: str, file: str | None, words: str, project: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words.format(project)) as caught:
        place(name, tmp_path, project, tmp_path / file if file else None, None)
    assert "\n" not in str(caught.value)


def test_settings_are_written_anew_and_what_encrypts_the_secrets_is_kept(
    project: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "Pulumi.a.yaml"
    earlier = {"encryptionsalt": "v1:salt", "config": {"langfuse:size": "prod"}}
    copy.write_text(yaml.safe_dump(earlier))
    config = {"langfuse:size": "dev", "aws:region": "eu-west-1"}
    assert place("a", tmp_path, project, None, config).folder == tmp_path
    assert loaded(copy) == {"encryptionsalt": "v1:salt", "config": config}
    assert loaded(tmp_path / "Pulumi.yaml")["main"] == str(project)


# --- the command


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `pulumi` that notes its arguments, and does what a file beside it says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "pulumi"
    script.write_text(
        '#!/bin/sh\n[ "$1" = version ] && { echo 3.250.0; exit; }\n'
        f'echo "$*" >> {folder}/arguments\n. {folder}/behaviour\n'
    )
    script.chmod(0o755)
    (folder / "behaviour").write_text("cat\n")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def behave(pulumi: Path, script: str) -> None:
    (pulumi / "behaviour").write_text(script)


def test_a_value_is_given_on_standard_input_where_other_users_cannot_see_it(
    pulumi: Path, tmp_path: Path
) -> None:
    done = Command().run(["config", "set"], str(tmp_path), {}, given=HUSH)
    assert done.stdout == HUSH
    assert (pulumi / "arguments").read_text() == "--non-interactive config set\n"


def test_output_reaches_the_callbacks_and_a_failure_is_pulumis_own(
    pulumi: Path, tmp_path: Path
) -> None:
    behave(pulumi, "echo one; echo two; echo three >&2; exit 255\n")
    lines: list[str] = []
    with pytest.raises(auto.errors.CommandError, match="three"):
        Command().run(["up"], str(tmp_path), {}, lines.append, lines.append)
    assert lines == ["one", "two", "three"]
    behave(pulumi, "echo \"error: no stack named 'a' found\" >&2; exit 255\n")
    with pytest.raises(auto.errors.StackNotFoundError):
        Command().run(["stack"], str(tmp_path), {})


def test_a_pulumi_of_another_major_version_is_one_line(pulumi: Path) -> None:
    script = pulumi / "pulumi"
    script.write_text(script.read_text().replace("3.250.0", "4.0.0"))
    with pytest.raises(UserError, match=r"pulumi: .* is 4\.0\.0; 3\.250\.0 or newer"):
        Command()


# --- a stack that the backend has not

NOT_THERE = (
    'case "$*" in *--show-name*) [ -e {there} ] || '
    "{{ echo \"error: no stack named 'dev' found\" >&2; exit 255; }};; esac\n"
)
ANSWERS = (
    'echo "$PULUMI_BACKEND_URL $*" >> {log}\n'
    'case "$*" in *"preview "*|*"up "*) exit 255;; *--secret*) cat >> {log};;\n'
    '*"stack export"*) echo \'{{"deployment": {{}}}}\';; esac\n'
)
"""The engine itself fails: what comes before it is looked at."""
SALTED = "config:\n  aws:region: eu-west-1\n  langfuse:size: dev\nencryptionsalt: v1:of-its-owner\n"


@pytest.fixture
def without_stack(pulumi: Path, project: Path) -> Path:
    """A project whose stack dev is in no backend; the log of what pulumi is asked where."""
    (project / "Pulumi.dev.yaml").write_text(SALTED)
    words = {"log": pulumi / "log", "there": pulumi / "there"}
    behave(pulumi, (ANSWERS + NOT_THERE).format(**words))
    return words["log"]


def test_a_preview_of_a_stack_that_is_not_there_makes_it_nowhere_but_in_a_temporary_folder(
    without_stack: Path, project: Path
) -> None:
    with LangfuseStack("dev", project=project, backend="s3://states") as stack:
        operation = stack.start_preview()
        (said,) = [event for event in operation if isinstance(event, DiagnosticEvent)]
        with pytest.raises(OperationError):
            operation.result()
    assert said.severity == "warning"
    assert said.message.startswith("stack dev: this backend has no such stack.")
    asked = [line.partition(" ") for line in without_stack.read_text().splitlines()]
    of_the_user = [arguments for url, _, arguments in asked if url == "s3://states"]
    assert [each.split()[1:] for each in of_the_user] == [
        ["stack", "--stack", "dev", "--show-name"]
    ]
    elsewhere = {url for url, _, _ in asked if url != "s3://states"}
    (url,) = elsewhere
    assert url.startswith("file://")
    assert not Path(url.removeprefix("file://")).exists()
    assert (project / "Pulumi.dev.yaml").read_text() == SALTED


def test_a_preview_writes_no_secret_into_the_stack_file(
    without_stack: Path, pulumi: Path, project: Path
) -> None:
    (pulumi / "there").touch()
    secrets = {"secretEnvironment": '{"ADMIN_API_KEY": "x"}'}
    with LangfuseStack("dev", project=project, secrets=secrets) as stack:
        with pytest.raises(OperationError):
            stack.preview()
        asked = without_stack.read_text().splitlines()
        (secret,) = [line for line in asked if "config set" in line]
        (preview,) = [line for line in asked if " preview " in line]
        for line in (secret, preview):
            copy = Path(line.partition("--config-file ")[2].split()[0])
            assert copy.parent != project
            assert not copy.exists()
        with pytest.raises(OperationError):
            stack.up()
        (_, secret) = [
            line for line in without_stack.read_text().splitlines() if "config set" in line
        ]
        assert "--config-file" not in secret, "up writes it"
    assert (project / "Pulumi.dev.yaml").read_text() == SALTED


def test_an_up_makes_the_stack(without_stack: Path, pulumi: Path, project: Path) -> None:
    with LangfuseStack("dev", project=project) as stack:
        assert not stack.exists()
        with pytest.raises(OperationError):
            stack.up()
        (pulumi / "there").touch()
        assert stack.exists()
    assert " stack init dev " in without_stack.read_text()


def test_repositories_are_not_made_for_a_stack_that_is_not_there(
    without_stack: Path, project: Path
) -> None:
    with LangfuseStack("dev", project=project) as stack, pytest.raises(NoStackError):
        stack.start_image_repositories().result()
    assert "stack init" not in without_stack.read_text()


# --- operations


def said(**given: Any) -> EngineEvent:
    """An event of the engine."""
    data = {"sequence": 1, "timestamp": 1, **given}
    return EngineEvent.from_json(data)  # pyright: ignore[reportUnknownMemberType]


def diagnostic(message: str, severity: str = "error", **more: str) -> EngineEvent:
    message_event = {"message": message, "color": "raw", "severity": severity, **more}
    return said(diagnosticEvent=message_event)


def start(work: Any, *secrets: str) -> Operation[Any]:
    return Operation("up of stack a", work, Command(), Redaction(secrets))


@pytest.mark.usefixtures("pulumi")
def test_events_come_while_the_work_goes_on_and_the_result_follows() -> None:
    def work(_command: Command, on_event: OnEvent) -> int:
        on_event(diagnostic("<{%fg 1%}>careful<{%reset%}>\n", "warning"))
        on_event(said(stdoutEvent={"message": "nobody reads this", "color": "raw"}))
        on_event(said(summaryEvent=summary({"create": 3})))
        return 42

    operation = start(work)
    warning, counts = list(operation)
    assert isinstance(warning, DiagnosticEvent)
    assert (warning.severity, warning.message, warning.urn) == ("warning", "careful", "")
    assert isinstance(counts, SummaryEvent)
    assert counts.changes == {"create": 3}
    assert 0 <= warning.seconds <= counts.seconds < 5
    assert operation.result() == 42


def summary(changes: Mapping[str, int]) -> dict[str, Any]:
    return {
        "MaybeCorrupt": False,
        "durationSeconds": 1,
        "resourceChanges": changes,
        "PolicyPacks": {},
    }


def failing(stderr: str) -> auto.errors.CommandError:
    return auto.errors.CommandError(auto.CommandResult("", stderr, 255))


@pytest.mark.usefixtures("pulumi")
def test_a_failure_quotes_the_engine_without_secrets() -> None:
    def work(_command: Command, on_event: OnEvent) -> None:
        for number in range(10):
            on_event(diagnostic(f"error {number}: {HUSH}"))
        raise failing("exit status 255")

    operation = start(work, HUSH)
    with pytest.raises(OperationError) as caught:
        operation.result()
    first, *lines, last = str(caught.value).splitlines()
    assert first == "up of stack a failed:"
    assert lines == [f"error {number}: {SECRET}" for number in range(8)]
    assert last == "… and 2 more errors."
    assert len(caught.value.errors) == 10
    assert not [event for event in operation if HUSH in event.model_dump_json()]


@pytest.mark.usefixtures("pulumi")
def test_that_the_program_has_ended_is_said_only_where_it_said_no_more() -> None:
    ended = "an unhandled error occurred: Program exited with non-zero exit code: 1"

    def work(_command: Command, on_event: OnEvent) -> None:
        for message in said_before:
            on_event(diagnostic(message))
        on_event(diagnostic(ended))
        raise failing("exit status 255")

    said_before = ["ZeroDivisionError: ours"]
    with pytest.raises(OperationError) as caught:
        start(work).result()
    assert caught.value.errors == tuple(said_before)
    said_before = []
    with pytest.raises(OperationError) as caught:
        start(work).result()
    assert caught.value.errors == (ended,)


@pytest.mark.usefixtures("pulumi")
def test_a_failure_before_the_engine_says_anything_quotes_the_command() -> None:
    def work(_command: Command, _on_event: OnEvent) -> None:
        raise failing(f"error: PULUMI_ACCESS_TOKEN must be set, not {HUSH}")

    with pytest.raises(OperationError) as caught:
        start(work, HUSH).result()
    assert str(caught.value) == (
        f"up of stack a failed:\nerror: PULUMI_ACCESS_TOKEN must be set, not {SECRET}"
    )


@pytest.mark.usefixtures("pulumi")
def test_a_folder_without_a_program_is_told_what_makes_one() -> None:
    def work(_command: Command, _on_event: OnEvent) -> None:
        raise failing("error: unable to find main python program `__main__.py` in `/a`")

    with pytest.raises(OperationError) as caught:
        start(work).result()
    assert str(caught.value) == (
        "up of stack a failed:\nerror: unable to find main python program `__main__.py` in `/a`. "
        "Name the folder that has it with --dir; python3 -m automation new makes one."
    )


@pytest.mark.usefixtures("pulumi")
def test_a_stack_that_another_update_holds_is_said_to_be_so() -> None:
    def work(_command: Command, _on_event: OnEvent) -> None:
        raise auto.errors.ConcurrentUpdateError(auto.CommandResult("", "locked", 255))

    with pytest.raises(OperationError, match="up of stack a: another update holds the stack"):
        start(work).result()


@pytest.mark.usefixtures("pulumi")
def test_our_own_faults_keep_their_tracebacks() -> None:
    def work(_command: Command, _on_event: OnEvent) -> None:
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError):
        start(work).result()


@pytest.mark.usefixtures("pulumi")
def test_who_asks_for_the_events_again_is_not_kept_waiting() -> None:
    def work(_command: Command, on_event: OnEvent) -> None:
        on_event(diagnostic("once", "info"))

    operation = start(work)
    assert len(list(operation)) == 1
    again: list[Event] = []
    asking = threading.Thread(target=lambda: again.extend(operation), daemon=True)
    asking.start()
    asking.join(5)
    assert not asking.is_alive()
    assert again == []


def wait_for_an_interrupt(pulumi: Path, tmp_path: Path) -> None:
    """Have `pulumi` end what it is doing first, as the engine does."""
    # Not by the shell's trap, which does nothing where the tests were started with & by a script.
    script = (
        "import pathlib, signal, sys\n"
        "def finish(*_):\n"
        "    print('finishing')\n"
        f"    pathlib.Path('{tmp_path}/finished').touch()\n"
        "    sys.exit(255)\n"
        "signal.signal(signal.SIGINT, finish)\n"
        f"pathlib.Path('{tmp_path}/begun').touch()\n"
        "signal.pause()\n"
    )
    (pulumi / "waiting.py").write_text(script)
    waiting = f"exec {sys.executable} -S -E {pulumi}/waiting.py\n"
    behave(pulumi, f'[ "$2" = stack ] || {waiting}')


@pytest.mark.parametrize("fails", [True, False])
def test_nothing_runs_any_more_when_the_block_has_ended(
    pulumi: Path, tmp_path: Path, fails: bool
) -> None:
    wait_for_an_interrupt(pulumi, tmp_path)
    operations: list[Operation[Result]] = []

    def run() -> None:
        settings = {"size": "dev", "aws:region": "eu-west-1"}
        with LangfuseStack("a", settings, offline=True) as stack:
            operations.append(stack.start_refresh())
            while not (tmp_path / "begun").exists():
                time.sleep(0.001)
            if fails:
                raise ZeroDivisionError("of the caller")
            threading.Timer(0.2, operations[0].cancel).start()

    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        run()
    assert (tmp_path / "finished").exists()
    with pytest.raises(CancelledError, match="refresh of stack a: cancelled"):
        operations[0].result()


def test_cancelling_interrupts_what_runs_and_lets_nothing_else_begin(
    pulumi: Path, tmp_path: Path
) -> None:
    wait_for_an_interrupt(pulumi, tmp_path)
    ended: list[str] = []

    def work(command: Command, on_event: OnEvent) -> None:
        on_event(diagnostic("at work", "info"))
        try:
            command.run(["up"], str(tmp_path), {}, on_output=ended.append)
        finally:
            command.run(["stack", "output"], str(tmp_path), {})

    operation = start(work)
    next(iter(operation))
    while not (tmp_path / "begun").exists():
        time.sleep(0.001)
    operation.cancel()
    with pytest.raises(CancelledError, match="up of stack a: cancelled; run it again to go on"):
        operation.result()
    assert ended == ["finishing"]
    assert "stack output" not in (pulumi / "arguments").read_text()


# --- secrets


def test_secrets_are_taken_out_of_text_also_where_json_escapes_them() -> None:
    redaction = Redaction(["hush", "hush-hush", HUSH, "abc", ""])
    assert redaction.text(f"a {HUSH} b hush-hush c hush") == f"a {SECRET} b {SECRET} c {SECRET}"
    assert redaction.text(json.dumps({"password": HUSH})) == f'{{"password": "{SECRET}"}}'
    assert redaction.text("abc") == "abc", "so short a value is in ordinary words"


@pytest.mark.usefixtures("pulumi")
def test_secrets_inside_of_a_secret_that_is_json_are_known_too() -> None:
    stack = LangfuseStack(
        "a",
        {"size": "dev"},
        secrets={"secretEnvironment": json.dumps({"ADMIN_API_KEY": HUSH})},
    )
    with stack:
        assert stack.redaction.text(f"key {HUSH}") == f"key {SECRET}"


def test_a_log_with_the_filter_has_no_secret_not_even_in_a_traceback() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(Redaction([HUSH]))
    logger = logging.Logger("test_library")
    logger.addHandler(handler)
    try:
        raise ValueError(HUSH)
    except ValueError:
        logger.exception("it was %s", HUSH)
    assert f"it was {SECRET}" in written.getvalue()
    assert f"ValueError: {SECRET}" in written.getvalue()
    assert HUSH not in written.getvalue()


# --- what the engine says


def step(operation: str, custom: bool = True) -> dict[str, Any]:
    state = {"type": "aws:ec2/vpc:Vpc", "urn": URN, "custom": custom, "id": "", "parent": "p"}
    state |= {"inputs": {}, "outputs": {}, "provider": ""}
    metadata = {"op": operation, "urn": URN, "type": state["type"], "new": state, "old": None}
    return {"metadata": {**metadata, "provider": "", "keys": [], "logical": True, "diffs": []}}


@pytest.mark.parametrize(
    ("given", "state"),
    [("resourcePreEvent", "started"), ("resOutputsEvent", "done"), ("resOpFailedEvent", "failed")],
)
def test_a_resources_events_say_what_becomes_of_it(given: str, state: str) -> None:
    event = read(said(**{given: {**step("create"), "status": 0, "steps": 1}}), 1.5, str)
    assert event == ResourceEvent(
        seconds=1.5,
        state=state,  # pyright: ignore[reportArgumentType]
        operation="create",
        urn=URN,
        type="aws:ec2/vpc:Vpc",
        name="langfuse-dev",
        parent="p",
        component=False,
    )
    component = read(said(resourcePreEvent=step("same", custom=False)), 0, str)
    assert isinstance(component, ResourceEvent)
    assert component.component


def test_events_are_told_apart_in_json_by_their_kind() -> None:
    event: Event = SummaryEvent(seconds=2, changes={"same": 1})
    assert json.loads(event.model_dump_json()) == {
        "seconds": 2.0,
        "event": "summary",
        "changes": {"same": 1},
    }


def test_only_a_summary_counts() -> None:
    assert counted(said(summaryEvent=summary({"same": 2, "update": 1}))) == {"same": 2, "update": 1}
    assert counted(diagnostic("x")) == {}


def test_a_preview_is_read_as_steps_and_as_the_resources_that_will_be() -> None:
    def entry(**inputs: Any) -> dict[str, Any]:
        return {"urn": URN, "type": "aws:ec2/vpc:Vpc", "custom": True, "inputs": inputs}

    changed = {"cidrBlock": {"kind": "update-replace", "inputDiff": True}}
    printed = {
        "changeSummary": {"replace": 1, "same": 1},
        "steps": [
            {"op": "same", "urn": "s", "oldState": entry(), "newState": {**entry(), "urn": "s"}},
            {
                "op": "replace",
                "urn": URN,
                "oldState": entry(cidrBlock="a"),
                "newState": entry(cidrBlock="b"),
                "detailedDiff": changed,
            },
            {"op": "create-replacement", "urn": URN, "newState": entry(cidrBlock="b")},
            {"op": "delete", "urn": "gone", "oldState": {**entry(), "urn": "gone"}},
        ],
    }
    preview = Preview.of(printed, 1.0)
    replace, delete = preview.steps
    assert (replace.operation, replace.changed) == ("replace", {"cidrBlock": "update-replace"})
    assert replace.old is not None
    assert replace.new is not None
    assert (replace.old.inputs, replace.new.inputs) == ({"cidrBlock": "a"}, {"cidrBlock": "b"})
    assert (delete.operation, delete.urn, delete.new) == ("delete", "gone", None)
    assert [each.urn for each in preview.graph.resources] == ["s", URN]
    assert preview.changes == {"replace": 1, "same": 1}


def test_a_result_counts_what_is_other_than_before() -> None:
    assert Result({"same": 5, "create": 2, "delete": 1, "read": 1}, {}, 1.0).changed == 3
