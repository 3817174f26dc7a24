"""A stack file is checked before an engine starts, by every command, in the same words."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.diff import command as diff_command
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.stack_file import (
    InvalidSettingsError,
    check_stack_file,
    read_stack_file,
)
from langfuse_aws.automation.stack import LangfuseStack

SEALED = {"secure": "v1:of-its-owner"}
HUSH = "hush4711"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text(f"name: langfuse\nruntime: python\nmain: {REPOSITORY}\n")
    return tmp_path


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `pulumi` that only says its version, and notes what else it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "pulumi"
    script.write_text(
        '#!/bin/sh\n[ "$1" = version ] && { echo 3.272.0; exit; }\n'
        f'echo "$*" >> {folder}/asked\nexit 255\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "asked"


def write(project: Path, config: dict[str, Any], **more: Any) -> Path:
    path = project / "Pulumi.dev.yaml"
    path.write_text(yaml.safe_dump({"config": config, **more}))
    return path


def problems(project: Path, config: dict[str, Any], **more: Any) -> list[str]:
    """What is wrong, by the library and by preflight's reader, which must agree."""
    path = write(project, {"langfuse:size": "dev", "aws:region": "eu-west-1", **config}, **more)
    found: list[list[str]] = []
    for check in (
        lambda: check_stack_file("dev", path, project),
        lambda: read_stack_file("dev", project),
    ):
        try:
            check()
        except InvalidSettingsError as error:
            found.append(list(error.problems))
        else:
            found.append([])
    assert found[0] == found[1]
    return found[0]


MISTAKES = {
    "aws:region": "eu-wst-1",
    "langfuse:wroker": 1,
    "langfuse:postgresPassword": HUSH,
    "langfuse:postgres": {"mode": "external", "host": "db.example.com"},
}


@pytest.mark.parametrize(
    "command",
    [
        "preview --dir {}",
        "preview --offline --dir {}",
        "up --yes --dir {}",
        "up --yes --create --json --dir {}",
        "up --yes --offline --dir {}",
        "graph --dir {}",
        "preflight --dir {}",
        "images lock --dir {}",
        "images mirror --dir {}",
    ],
)
def test_every_command_tells_every_mistake_in_the_same_words_and_starts_no_engine(
    command: str, project: Path, no_engine: Path
) -> None:
    write(project, {"langfuse:size": "dev", **MISTAKES})
    done = CliRunner().invoke(app, [*command.format(project).split(), "--stack", "dev"])
    assert done.exit_code == (2 if "preflight" in command else 1), done.output
    if "--json" in command:
        told = json.loads(done.stdout)["message"].splitlines()
    else:
        told = [line.removeprefix("error: ") for line in done.stderr.splitlines()]
    assert [line.split(": ")[:2] for line in told] == [
        ["Pulumi.dev.yaml:2", "aws:region"],
        ["Pulumi.dev.yaml:6", "langfuse:postgresPassword"],
        ["Pulumi.dev.yaml:8", "langfuse:wroker"],
    ]
    assert HUSH not in done.output
    assert not no_engine.exists()


def test_what_the_library_runs_is_checked_before_too(project: Path, no_engine: Path) -> None:
    file = write(project, {"langfuse:size": "dev", **MISTAKES})
    with LangfuseStack("dev", stack_file=file, offline=True) as stack:
        for act in (stack.planned, stack.up):
            with pytest.raises(InvalidSettingsError) as caught:
                act()
            assert len(caught.value.problems) == 3
    assert not no_engine.exists()


def test_a_stack_with_mistakes_can_be_destroyed_and_asked(project: Path, no_engine: Path) -> None:
    write(project, {"langfuse:size": "dev", **MISTAKES})
    for command in ("outputs", "destroy --yes", "refresh"):
        done = CliRunner().invoke(app, [*command.split(), "--stack", "dev", "--dir", str(project)])
        assert "wroker" not in done.output
    assert no_engine.exists()


def test_diff_tells_the_mistakes_of_every_stack(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, {"langfuse:size": "dev", **MISTAKES})
    (project / "Pulumi.b.yaml").write_text(
        "config: {'langfuse:size': huge, 'aws:region': eu-west-1}\n"
    )
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -qm a"):
        subprocess.run(["git", *command.split()], cwd=project, check=True)
    compared: list[str] = []
    monkeypatch.setattr(diff_command, "compare", compared.append)
    done = CliRunner().invoke(app, ["diff", "--base", "HEAD", "--dir", str(project)])
    assert (done.exit_code, compared) == (1, [])
    told = [line.split(": ")[:3] for line in done.stderr.splitlines()]
    assert told == [
        ["error", "Pulumi.b.yaml:1", "langfuse:size"],
        ["error", "Pulumi.dev.yaml:2", "aws:region"],
        ["error", "Pulumi.dev.yaml:6", "langfuse:postgresPassword"],
        ["error", "Pulumi.dev.yaml:8", "langfuse:wroker"],
    ]


@pytest.mark.parametrize(
    "config",
    [
        {
            "langfuse:postgres": {"mode": "external", "host": "db.example.com"},
            "langfuse:postgresPassword": SEALED,
        },
        {
            "langfuse:auth": {"providers": {"google": {"clientId": "id"}}},
            "langfuse:authSecrets": SEALED,
        },
        {
            "langfuse:auth": {"providers": {"google": {"clientId": "id"}}},
            "langfuse:authSecrets": {"google": SEALED},
        },
        {
            "langfuse:smtp": {"mode": "smtp", "from": "a@example.com"},
            "langfuse:smtpUrl": SEALED,
        },
        {"langfuse:auth": {"disablePassword": True}, "langfuse:secretEnvironment": SEALED},
        {"langfuse:config:deletionProtection": True},
        {"aws:secretKey": SEALED, "aws:defaultTags": {"tags": {"a": "b"}}},
    ],
)
def test_what_only_its_owner_can_decrypt_is_taken_for_right(
    project: Path, config: dict[str, Any]
) -> None:
    assert problems(project, config) == []


def test_a_secret_that_nothing_needs_is_told_though_it_is_encrypted(project: Path) -> None:
    (line,) = problems(project, {"langfuse:redisPassword": SEALED})
    assert line.startswith("langfuse:redisPassword: exists only for redis.mode external.")


def test_numbers_and_truths_are_read_as_the_program_gets_them(project: Path) -> None:
    (line,) = problems(project, {"langfuse:release": 4.16})
    assert line.startswith('langfuse:release: "4.16": must be an exact Langfuse release')


@pytest.mark.parametrize("key", ["aws:secretKey", "aws:token"])
def test_a_secret_of_the_provider_in_the_clear_is_told_and_not_shown(
    project: Path, key: str
) -> None:
    (line,) = problems(project, {key: HUSH})
    assert line == (
        f"{key}: is stored in the clear, and must be a secret. Set it with pulumi config set "
        f"--secret {key} VALUE."
    )
    assert problems(project, {key: SEALED}) == []
    assert problems(project, {key: HUSH}, environment=["acme/aws"]) == [line]


@pytest.mark.parametrize(
    ("written", "meant"), [("langfus", "langfuse"), ("Langfuse", "langfuse"), ("AWS", "aws")]
)
def test_a_misspelt_namespace_is_not_passed_over(project: Path, written: str, meant: str) -> None:
    key = f"{written}:forbiddenAccountIds"
    line = (
        f"{key}: {written} is no namespace of this program; the nearest known one is {meant}. "
        "Correct its spelling, or what it is for goes unheard."
    )
    assert problems(project, {key: HUSH}) == [line]
    assert problems(project, {key: HUSH}, environment=["acme/aws"]) == [line]


@pytest.mark.parametrize("key", ["awsx:x", "aws-native:region", "langfuse-tags:x", "random:x"])
def test_another_namespace_is_its_owners(project: Path, key: str) -> None:
    assert problems(project, {key: "x"}) == []


@pytest.mark.parametrize("written", ["Config", "confg", "configs"])
def test_a_misspelt_config_is_told(project: Path, written: str) -> None:
    path = project / "Pulumi.dev.yaml"
    path.write_text(f"{written}:\n  aws:region: eu-west-1\n  langfuse:size: dev\n")
    with pytest.raises(InvalidSettingsError) as caught:
        check_stack_file("dev", path, project, environment={})
    assert f"Pulumi.dev.yaml:1: {written}: is no key of a stack file. Write config." in (
        caught.value.messages
    )


@pytest.mark.parametrize("size", [{}, {"langfuse:size": SEALED}])
def test_where_only_the_engine_knows_all_values_it_tells(
    project: Path, size: dict[str, Any]
) -> None:
    more = {} if size else {"environment": ["of-esc"]}
    path = write(project, size, **more)
    check_stack_file("dev", path, project)


def test_a_program_of_its_own_checks_its_settings_itself(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    path = write(tmp_path, {"langfuse:wroker": 1})
    with pytest.raises(InvalidSettingsError):
        check_stack_file("dev", path, tmp_path)
    (tmp_path / "__main__.py").touch()
    check_stack_file("dev", path, tmp_path)


def test_secrets_that_a_caller_gives_need_not_be_in_the_file(project: Path) -> None:
    external = {"langfuse:postgres": {"mode": "external", "host": "db.example.com"}}
    file = write(project, {"langfuse:size": "dev", "aws:region": "eu-west-1", **external})
    secrets = {"postgresPassword": "of-the-caller", "aws:token": "of-the-caller"}
    with LangfuseStack("dev", stack_file=file, secrets=secrets) as stack:
        stack.check()
    with LangfuseStack("dev", stack_file=file) as stack, pytest.raises(InvalidSettingsError):
        stack.check()


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_shipped_stacks_are_right(stack: str) -> None:
    check_stack_file(stack, REPOSITORY / f"Pulumi.{stack}.yaml", REPOSITORY)
