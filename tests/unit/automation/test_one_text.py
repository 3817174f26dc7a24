"""One mistake, one text: whichever command meets it, and the program and the library too.

A row is a mistake, a column is who may meet it. `pulumi` is a script: what the real one says of a
login, a stack and a passphrase was seen with 3.250. It does not prove that a text is a good one.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pulumi
import pytest
import yaml
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.offline_workspace import read_yaml
from langfuse_aws.automation.errors import NOT_LOGGED_IN, UserError, messages
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.settings.loading import SettingsError, load, of_namespace
from langfuse_aws.settings.stack import read

RIGHT: Final = {"aws:region": "eu-west-1", "langfuse:size": "dev"}
MISTAKES: Final[dict[str, dict[str, Any]]] = {
    "a key with a dot": {"langfuse:clickhouse.volumeGib": "30"},
    "an unknown key": {"langfuse:wroker": 1},
    "an unknown key of a section": {"langfuse:web": {"spott": True}},
    "a wrong type": {"langfuse:clickhouse": {"volumeGib": "300Gi"}},
    "a text for a section": {"langfuse:web": "big"},
    "an object for a number": {"langfuse:clickhouse": {"volumeGib": {}}},
    "a bound": {"langfuse:network": {"zones": 7}},
    "no value": {"langfuse:domain": None, "langfuse:deletionProtection": None},
    "no value in a section": {"langfuse:web": {"spot": None}},
    "a number for a text": {"langfuse:release": 4.16},
    "a date, and a no": {"langfuse:domain": "2026-01-02", "langfuse:deletionProtection": "no way"},
    "a URL for a host": {"langfuse:domain": "https://langfuse.example.com/x"},
    "what sections are to each other": {"langfuse:ingress": {"kind": "alb"}},
    "no size": {"langfuse:size": None},
    "an unknown size": {"langfuse:size": "huge"},
    "a region that is none": {"aws:region": "eu-wst-1"},
    "no region": {"aws:region": None},
    "a tag that AWS refuses": {"aws:defaultTags": {"tags": {"a?": "b"}}},
    "a tag beside tags": {"aws:defaultTags": {"Team": "a"}},
    "a secret in the clear": {
        "langfuse:postgresPassword": "hush",
        "langfuse:postgres": {"mode": "external", "host": "db.example.com"},
    },
    "a secret in a section": {"langfuse:postgres": {"password": "hush"}},
    "a secret for nothing": {"langfuse:redisPassword": {"secure": "v1:of-its-owner"}},
    "five at once": {
        "aws:region": "eu-wst-1",
        "langfuse:size": "huge",
        "langfuse:domain": "example.com",
        "langfuse:network": {"zones": 7, "zoness": 3},
    },
}  # fmt: skip
FILES: Final[dict[str, bytes | None]] = {
    "no file": None,
    "no YAML": b"config:\n  langfuse:web: {cpu: 512\n  langfuse:size: dev\n",
    "a key twice": b"config:\n  langfuse:size: dev\n  langfuse:size: prod\n",
    "a key twice in a section": b"config:\n  langfuse:web:\n    cpu: 512\n    cpu: 1024\n",
    "no text": b"config: \xff\n",
    "a list": b"- langfuse:size\n",
    "a word for config": b"config: dev\n",
}
"""What is wrong with a file as a whole."""

PREFLIGHT: Final = ("preflight", "images lock", "images mirror")
"""Before the first up: secrets may still be missing."""
READERS: Final = (
    "validate",
    "preview",
    "preview --offline",
    "up --yes --create",
    "up --yes --offline",
    "cost",
    "graph",
    *PREFLIGHT,
    "diff --base HEAD",
)
ASKERS: Final = ("refresh", "outputs", "smoke", "graph --deployed", "cost --deployed")
"""They ask the backend for the stack, and look at no setting."""

COMMENT: Final = re.compile(r"^(error: )?(Pulumi\.dev\.yaml(:\d+)?: )?")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(f"name: langfuse\nruntime: python\nmain: {REPOSITORY}\n")
    return folder


@pytest.fixture
def pulumi_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have `pulumi` know the stack only, and say something else of all else."""

    def says(text: str, of: str = "*") -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        script = folder / "pulumi"
        script.write_text(
            '#!/bin/sh\ncase "$*" in version*) echo 3.272.0; exit;;\n'
            f'{of}) echo "{text}" >&2; exit 255;; esac\n'
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return says


def run(command: str, project: Path) -> list[str]:
    """What a command says, without the place in the file."""
    if command.startswith("diff"):
        for git in ("init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -qm a"):
            subprocess.run(["git", *git.split()], cwd=project, check=True)
    name, *options = command.split("--")
    words = [*name.split(), "--dir", str(project), "--stack", "dev"]
    for option in options:
        words += f"--{option}".split()
    done = CliRunner().invoke(app, words)
    assert done.exit_code in (1, 2), done.output
    said = done.output if command == "validate" else done.stderr
    lines = [line for line in said.splitlines() if not re.match(r"error: \d+ mistakes?\.$", line)]
    return [COMMENT.sub("", line) for line in lines]


def by_the_program(project: Path) -> list[str]:
    """What `pulumi up` says: `__main__.py` reads what Pulumi hands to it."""
    config = read_yaml(project / "Pulumi.dev.yaml")["config"]
    secret = [key for key, value in config.items() if isinstance(value, dict) and "secure" in value]
    handed = {
        key: "v1" if key in secret else value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
    }
    handed |= {key: "" for key, value in config.items() if value is None}

    async def program() -> list[str]:
        pulumi.runtime.set_all_config(handed, secret)
        with pytest.raises(pulumi.RunError) as caught:
            read()
        return [line.strip() for line in str(caught.value).splitlines()[1:]]

    return asyncio.get_event_loop().run_until_complete(program())


def by_the_library(project: Path) -> list[str]:
    with pytest.raises(UserError) as caught, LangfuseStack("dev", project=project) as stack:
        stack.check()
    lines = [line for message in messages(caught.value) for line in message.splitlines()]
    return [COMMENT.sub("", line) for line in lines]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_settings_has_one_text(
    mistake: str, project: Path, pulumi_says: Callable[[str], None]
) -> None:
    pulumi_says("nobody asks it")
    given = {**RIGHT, **MISTAKES[mistake]}
    if mistake in ("no size", "no region"):
        given = {key: value for key, value in given.items() if value is not None}
    (project / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": given}))
    first = run("validate", project)
    assert first
    said = {command: run(command, project) for command in READERS[1:]}
    said["the library"] = by_the_library(project)
    said["pulumi up"] = by_the_program(project)
    other = {who: lines for who, lines in said.items() if sorted(lines) != sorted(first)}
    assert other == {}, first


def test_the_page_of_errors_shows_what_its_stack_file_prints(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/errors.md").read_text(encoding="utf-8")
    wrong, by_validate, by_up = re.findall(r"```(?:yaml|text)\n(.*?)```", page, re.DOTALL)
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    (tmp_path / "Pulumi.acme.yaml").write_text(wrong)
    done = CliRunner().invoke(app, ["validate", "--dir", str(tmp_path), "--stack", "acme"])
    assert done.output == by_validate
    with pytest.raises(SettingsError) as refused:
        load(of_namespace(read_yaml(tmp_path / "Pulumi.acme.yaml")["config"]))
    assert f"{refused.value}\n" == by_up


def test_the_page_of_errors_says_with_what_the_commands_end(project: Path) -> None:
    page = (REPOSITORY / "docs/errors.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"and ends with 1; (.+) end with 2", page)
    with_2 = {"validate", *re.findall(r"`(\w+)`", sentence)}
    given = {**RIGHT, **MISTAKES["an unknown key"]}
    (project / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": given}))
    options = ["--stack", "dev", "--dir", str(project)]
    ended = {
        command: CliRunner().invoke(app, [*command.split(), *options]).exit_code
        for command in (*READERS[:-1], "posture", "upgrade 4.99.0 --dry-run")
    }
    assert ended == {command: 2 if command in with_2 else 1 for command in ended}


@pytest.mark.parametrize("mistake", FILES)
def test_a_file_that_cannot_be_read_has_one_text(
    mistake: str, project: Path, pulumi_says: Callable[[str], None]
) -> None:
    pulumi_says("error: no stack named 'dev' found")
    content = FILES[mistake]
    (project / "Pulumi.other.yaml").write_text(yaml.safe_dump({"config": RIGHT}))
    if content is not None:
        (project / "Pulumi.dev.yaml").write_bytes(content)
    first = run("validate", project)
    said = {command: run(command, project) for command in (*READERS[1:], "smoke")}
    said["the library"] = by_the_library(project)
    other = {who: lines for who, lines in said.items() if lines != first}
    assert other == {}, first


def nothing_there(*_: object) -> tuple[dict[str, str], dict[str, str]]:
    return {}, {}


PASSPHRASE = "error: getting stack configuration: get stack secrets manager: "
SAID: Final = {
    "not logged in": (
        "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
        (*ASKERS, "preview", "up --yes", "destroy --yes", "images mirror"),
        NOT_LOGGED_IN,
    ),
    "no such stack": (
        "error: no stack named 'dev' found",
        (*ASKERS, "images mirror"),
        "stack dev: this backend has no such stack. ",
    ),
    "a wrong passphrase": (
        f"{PASSPHRASE}incorrect passphrase",
        (*ASKERS, "preview", "up --yes", "images mirror"),
        "pulumi: PULUMI_CONFIG_PASSPHRASE, or ",
    ),
    "no passphrase": (
        f"{PASSPHRASE}passphrase must be set with PULUMI_CONFIG_PASSPHRASE or "
        "PULUMI_CONFIG_PASSPHRASE_FILE environment variables",
        (*ASKERS, "preview", "up --yes", "images mirror"),
        "pulumi: the stack's secrets are encrypted with a passphrase, and none is given. ",
    ),
}
"""What pulumi says, who hears it, and how our words begin."""


@pytest.mark.parametrize("mistake", SAID)
def test_what_pulumi_says_of_the_backend_has_one_text(
    mistake: str, project: Path, pulumi_says: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, commands, begins = SAID[mistake]
    pulumi_says(text)
    mirrored = {**RIGHT, "langfuse:images": {"source": "mirror"}}
    (project / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": mirrored}))
    where = "langfuse_aws.automation.images.command"
    monkeypatch.setattr(f"{where}.find_skopeo", lambda: None)
    monkeypatch.setattr(f"{where}._looked_up", nothing_there)
    said = {command: run(command, project) for command in commands}
    (first, *others) = {tuple(lines) for lines in said.values()}
    assert others == [], said
    assert len(first) == 1
    assert first[0].startswith(begins)
