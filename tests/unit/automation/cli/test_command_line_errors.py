"""Exit codes of a wrong command line, and errors that need more than a line, or a login.

It runs no engine: `pulumi` is a script that says what the real one says.
"""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine.stack_file import read_stack_file
from langfuse_aws.automation.errors import NOT_LOGGED_IN, UserError

WRONG_COMMAND_LINES = [
    "",
    "nothing-like-it",
    "preview",
    "up --stack dev --json",
    "cost --assume x",
    "cost --assume nothing=1",
    "cost --assume event_kb=-1",
    "cost --region eu-wst-1",
    "diff --base HEAD --fail-on nonsense",
    "diff --base HEAD --stack nowhere",
    "diff --base HEAD --output /nowhere/report.md",
    "diff --base HEAD --output /",
    "diff --base= --stack dev",
    "graph --format png",
    "graph --output x.doc",
    "graph --stack nowhere",
    "preview --stack nowhere --offline",
    "preview --stack nowhere",
    "up --yes --stack nowhere",
    "outputs --stack nowhere",
    "images lock --stack nowhere",
    "preflight",
    "preflight --stack nowhere",
    "replay --stack dev --since 2026-01-02T00:00:00Z --until 2026-01-01T00:00:00Z",
    "replay --stack dev --since 2999-01-01T00:00:00Z",
    "replay --stack dev --since 2026-01-02T00:00:00Z --project a/b",
    "restore clickhouse-backup --stack dev",
    "restore clickhouse-backup --stack dev --list --as x",
    "simulate-spike --size huge",
    "smoke --url nowhere",
    "smoke --stack dev --url https://langfuse.example.com",
]


@pytest.mark.parametrize("arguments", WRONG_COMMAND_LINES)
def test_a_wrong_command_line_ends_with_2(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_STACK", raising=False)
    done = CliRunner().invoke(app, arguments.split())
    assert done.exit_code == 2, done.output


BROKEN = "config:\n  langfuse:size: dev\n  langfuse:web: {cpu: 512\n  langfuse:worker: {cpu: 512}\n"


@pytest.mark.parametrize(
    "command",
    ["preview --offline", "preview", "graph", "preflight"],
)
def test_an_error_of_yaml_has_a_place_and_a_caret(tmp_path: Path, command: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(BROKEN)
    done = CliRunner().invoke(app, [*command.split(), "--dir", str(tmp_path), "--stack", "dev"])
    assert done.exit_code in (1, 2)
    assert done.stderr.splitlines() == [
        f"error: {tmp_path}/Pulumi.dev.yaml: is not YAML: line 4, column 18: expected ',' or '}}', "
        "but got ':'. Correct it:",
        "    langfuse:worker: {cpu: 512}",
        f"{' ' * 19}^",
    ]


@pytest.mark.parametrize(
    ("project", "told"),
    [
        ("name: [\n", "is not YAML: line 2, column 1: "),
        ("- langfuse\n", "is not what Pulumi writes: keys and values are missing."),
        ("runtime: python\n", "has no name, which is the project's. Add one, such as name: "),
        ("name: {a: b}\n", "has no name, which is the project's. Add one, such as name: "),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        "validate",
        "preview --offline",
        "preview",
        "cost",
        "preflight",
        "images lock",
        "import --from-terraform-state nowhere.json",
    ],
)
def test_a_project_that_is_none_is_told_by_its_file(
    tmp_path: Path, command: str, project: str, told: str
) -> None:
    file = tmp_path / "Pulumi.yaml"
    file.write_text(project)
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  aws:region: us-east-1\n  size: dev\n")
    done = CliRunner().invoke(app, [*command.split(), "--dir", str(tmp_path), "--stack", "dev"])
    assert done.exit_code in (1, 2)
    assert str(file) in done.output
    assert told in done.output


@pytest.mark.parametrize("name", ["", "acme/langfuse/", "a b", "*", "x" * 101])
@pytest.mark.parametrize("command", ["validate", "preview --offline", "cost", "preflight"])
def test_nobody_is_told_to_make_a_stack_of_a_name_that_pulumi_refuses(
    tmp_path: Path, command: str, name: str
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").touch()
    done = CliRunner().invoke(app, [*command.split(), "--dir", str(tmp_path), "--stack", name])
    assert done.exit_code == 2
    own = name.rpartition("/")[2]
    assert f'--stack "{own}": is no name of a stack: it has letters, digits' in done.output
    assert f"{tmp_path} has Pulumi.dev.yaml; name one of these." in done.output


def test_a_file_that_is_no_text_is_still_one_line(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_bytes(b"config: \xff\n")
    with pytest.raises(UserError, match=r"Pulumi\.dev\.yaml: is not UTF-8 text") as caught:
        read_stack_file("dev", tmp_path)
    assert len(caught.value.messages) == 1


SAID = "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions"


@pytest.mark.parametrize(
    "command",
    ["preview", "up --yes", "refresh", "destroy --yes", "outputs", "smoke", "graph --deployed"],
)
def test_who_is_not_logged_in_is_told_so(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bin" / "pulumi"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\n[ "$1" = version ] && {{ echo 3.272.0; exit; }}\n'
                      f'echo "{SAID}" >&2\nexit 3\n')  # fmt: skip
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
    done = CliRunner().invoke(app, [*command.split(), "--stack", "dev"])
    assert done.exit_code in (1, 2)
    assert done.stderr == f"error: {NOT_LOGGED_IN}\n"
    assert "pulumi login" in NOT_LOGGED_IN
    # Pulumi says the same where PULUMI_BACKEND_URL is its own address, or is of no kind it knows.
    assert "no other backend is chosen, and PULUMI_ACCESS_TOKEN is not set" in NOT_LOGGED_IN
