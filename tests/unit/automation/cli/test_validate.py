"""`validate`: every mistake of every stack file with its line, and nothing but the files asked.

What the mistakes are called is the business of `test_one_text.py`. It does not prove how long it
takes: that it loads no SDK is what makes it quick.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine.folders import REPOSITORY
from tests.command_lines import run_lines

FIVE = """\
# yaml-language-server: $schema=https://example.com/stack.schema.json

config:
  aws:region: eu-wst-1
  langfuse:size: dev
  langfuse:domain: https://langfuse.example.com
  langfuse:clickhouse:
    volumeGib: 300Gi
  langfuse:clickhouse.volumeGib: 300
  langfuse:web:
    environment:
      LANGFUSE_LOG_LEVL: debug
"""
RIGHT = "config:\n  aws:region: eu-west-1\n  langfuse:size: dev\n"
HEAVY = ("boto3", "pulumi", "pulumi_aws", "httpx", "grpc", "botocore.session")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    return tmp_path


def write(project: Path, **files: str) -> None:
    for name, text in files.items():
        (project / f"Pulumi.{name}.yaml").write_text(text, encoding="utf-8")


def validate(project: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["validate", "--dir", str(project), *options])


def keys_of(project: Path) -> list[str]:
    """The keys of all mistakes of a folder."""
    return [each["key"] for each in json.loads(validate(project, "--json").stdout)]


def test_each_mistake_is_a_line_that_an_editor_can_open(project: Path) -> None:
    write(project, dev=FIVE, prod=RIGHT)
    done = validate(project)
    assert done.exit_code == 2
    assert [line.split(": ")[:2] for line in done.stdout.splitlines()] == [
        ["Pulumi.dev.yaml:4", "aws:region"],
        ["Pulumi.dev.yaml:6", "langfuse:domain"],
        ["Pulumi.dev.yaml:8", "langfuse:clickhouse.volumeGib"],
        ["Pulumi.dev.yaml:9", "langfuse:clickhouse.volumeGib"],
        ["Pulumi.dev.yaml:12", "langfuse:web.environment.LANGFUSE_LOG_LEVL"],
        ["Pulumi.prod.yaml", "ok"],
    ]
    assert done.stderr == "error: 5 mistakes in 1 of 2 stack files.\n"


def test_tools_get_a_list(project: Path) -> None:
    write(project, dev="config:\n  aws:region: eu-west-1\n  langfuse:wroker: 1\n", prod=RIGHT)
    done = validate(project, "--json")
    assert (done.exit_code, done.stderr) == (2, "")
    size, worker = json.loads(done.stdout)
    assert size == {
        "stack": "dev",
        "key": "langfuse:size",
        "message": "langfuse:size: is not set, and must be. Set it with pulumi config set --path "
        "'langfuse:size' VALUE.",
    }
    assert {**worker, "message": ""} == {
        "stack": "dev", "key": "langfuse:wroker", "message": "", "line": 3,
    }  # fmt: skip
    write(project, dev=RIGHT)
    done = validate(project, "--json")
    assert (done.exit_code, json.loads(done.stdout), done.stderr) == (0, [], "")


def test_only_the_stacks_that_are_named_are_checked(project: Path) -> None:
    write(project, dev=FIVE, prod=RIGHT, **{"a.b": RIGHT})
    done = validate(project, "--stack", "prod", "--stack", "acme/langfuse/a.b", "--stack", "prod")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "Pulumi.prod.yaml: ok\nPulumi.a.b.yaml: ok\n"


def test_a_file_that_is_missing_or_broken_does_not_hide_the_others(project: Path) -> None:
    write(project, dev="config: {\n", prod="config:\n  langfuse:size: huge\n")
    options = ("--stack", "dev", "--stack", "nope", "--stack", "prod")
    done = validate(project, *options)
    assert done.exit_code == 2
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{project}/Pulumi.dev.yaml: is not YAML: line 2, column 1: ")
    assert lines[2].strip() == "^"
    assert lines[3].startswith(f"--stack nope: {project} has Pulumi.dev.yaml, Pulumi.prod.yaml,")
    assert lines[4].startswith("Pulumi.prod.yaml: aws:region: is not set")
    assert lines[5].startswith('Pulumi.prod.yaml:2: langfuse:size: "huge": must be ')
    assert done.stderr == "error: 4 mistakes in 3 of 3 stack files.\n"
    told = json.loads(validate(project, *options, "--json").stdout)
    assert [(each["stack"], each["key"], each.get("line")) for each in told] == [
        ("dev", None, 2), ("nope", None, None), ("prod", "aws:region", None),
        ("prod", "langfuse:size", 2),
    ]  # fmt: skip


def test_a_folder_without_stack_files_is_a_wrong_command_line(project: Path) -> None:
    done = validate(project)
    assert (done.exit_code, done.stdout) == (2, "")
    line = f"error: --dir: {project} has no Pulumi.STACK.yaml: there is nothing to check.\n"
    assert done.stderr == line


def test_a_folder_without_a_project_is_said(tmp_path: Path) -> None:
    write(tmp_path, dev=RIGHT)
    done = validate(tmp_path)
    assert done.exit_code == 2
    assert done.stdout.startswith(f"cannot read {tmp_path}/Pulumi.yaml: No such file")


def test_a_program_of_its_own_is_no_reason_to_say_nothing(project: Path) -> None:
    (project / "__main__.py").touch()
    write(project, dev=FIVE)
    assert len(keys_of(project)) == 5


SEALED = "{secure: v1:of-its-owner}"


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        (f"langfuse:domain: {SEALED}", []),
        (f"langfuse:domain: {SEALED}\n  langfuse:ingress: {{kind: alb}}", []),
        (f"langfuse:domain: {SEALED}\n  langfuse:wroker: 1", ["langfuse:wroker"]),
        (f"langfuse:web: {{cpu: {SEALED}, memory: 3000}}", []),
        (f"langfuse:web: {{cpu: {SEALED}, minTasks: 0}}", ["langfuse:web.minTasks"]),
        (f"langfuse:web: {SEALED}", []),
        (f"langfuse:web: {{environment: {{LANGFUSE_LOG_LEVEL: {SEALED}}}}}", []),
        (
            f"langfuse:web: {{environment: {{A_KEY: {SEALED}, B: x}}}}",
            ["langfuse:web.environment.B"],
        ),
        (f"langfuse:postgres: {{mode: {SEALED}, maxAcu: 4}}", []),
        (f"langfuse:postgres: {{mode: {SEALED}}}\n  langfuse:postgresPassword: {SEALED}", []),
        (f"langfuse:redisPassword: {SEALED}", ["langfuse:redisPassword"]),
        (
            f"langfuse:adopted: [{SEALED}]\n  langfuse:network: {{zones: 9}}",
            ["langfuse:network.zones"],
        ),
        (f"aws:region: {SEALED}", []),
        (f"aws:defaultTags: {SEALED}", []),
        (f"langfuse:size: {SEALED}\n  langfuse:redisPassword: hush", ["langfuse:redisPassword"]),
        (f"langfuse:release: {SEALED}\n  langfuse:v4: {{writeMode: dual}}", []),
        (f"langfuse:secretEnvironment: {{LANGFUSE_EE_LICENSE_KEY: {SEALED}}}", []),
        (
            f"langfuse:secretEnvironment: {{LANGFUSE_EE_LICENCE_KEY: {SEALED}}}",
            ["langfuse:secretEnvironment.LANGFUSE_EE_LICENCE_KEY"],
        ),
        (
            "langfuse:auth: {providers: {google: {clientId: a}}}\n"
            f"  langfuse:authSecrets: {{google: {SEALED}}}",
            [],
        ),
        (
            "langfuse:auth: {providers: {google: {clientId: a}}}\n"
            f"  langfuse:authSecrets: {{github: {SEALED}}}",
            ["langfuse:authSecrets.google", "langfuse:authSecrets.github"],
        ),
        (
            "langfuse:redis: {mode: external, host: redis.example.com}\n"
            f"  langfuse:redisPassword: {{password: {SEALED}}}",
            ["langfuse:redisPassword"],
        ),
    ],
)  # fmt: skip
def test_what_is_encrypted_is_taken_for_right_and_the_rest_is_checked(
    project: Path, lines: str, keys: list[str]
) -> None:
    names = [line.strip().split(": ")[0] for line in lines.splitlines()]
    rest = {"aws:region": "eu-west-1", "langfuse:size": "dev"}
    text = "".join(f"  {key}: {value}\n" for key, value in rest.items() if key not in names)
    write(project, dev=f"config:\n  {lines}\n{text}")
    assert keys_of(project) == keys


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ("  aws:region: eu-west-1\n", ["langfuse:backups.copyRegion"]),
        ("", ["langfuse:backups.copyRegion"]),
        ("  aws:region: eu-west-2\n", []),
        (f"  aws:region: {SEALED}\n", []),
    ],
)
def test_copies_in_the_region_of_the_stack_are_a_mistake(
    project: Path, lines: str, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    copied = "  langfuse:backups: {copyRegion: eu-west-1}\n"
    write(project, dev=f"config:\n{lines}  langfuse:size: dev\n{copied}")
    assert keys_of(project) == keys


def test_what_only_the_engine_knows_is_said_and_not_guessed(project: Path) -> None:
    plain = "  langfuse:redisPassword: hush\n"
    write(project, dev=f"environment: [of-esc]\nconfig:\n{plain}", prod="environment: [of-esc]\n")
    assert keys_of(project) == ["langfuse:redisPassword"]
    done = validate(project, "--stack", "prod")
    assert (done.exit_code, done.stdout) == (0, "Pulumi.prod.yaml: ok\n")
    assert done.stderr.startswith(
        "warning: Pulumi.prod.yaml: only the engine knows what Pulumi ESC"
    )


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("langfuse:size: dev\nconfig:\n  aws:region: eu-west-1\n", ["langfuse:size"] * 2),
        ("config:\n  aws:region: eu-west-1\n  size: dev\n  wroker: 1\n", ["langfuse:wroker"]),
        ("config:\n  aws:region: eu-west-1\n  size: dev\n  a:b:c: 1\n", ["a:b:c"]),
        ("config:\n  aws:region: eu-west-1\n  langfuse:config:size: huge\n", ["langfuse:size"]),
        ("config:\n  aws:config:region: eu-west-1\n  size: dev\n", []),
        ("config:\n  aws:config:region: eu-wst-1\n  size: dev\n", ["aws:region"]),
        (
            "config:\n  aws:region: eu-west-1\n  size: prod\n  langfuse:size: dev\n",
            ["langfuse:size"],
        ),
        (
            "config:\n  size: dev\n  aws:region: eu-west-1\n  aws:config:region: eu-west-1\n",
            ["aws:region"],
        ),
    ],
)  # fmt: skip
def test_keys_are_read_as_pulumi_reads_them(project: Path, text: str, keys: list[str]) -> None:
    write(project, dev=text)
    assert keys_of(project) == keys


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", ""])
def test_the_region_may_be_said_elsewhere(
    project: Path, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = tmp_path / "profiles"
    profiles.write_text("[profile acme]\nregion = eu-west-2\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profiles))
    write(project, dev="config:\n  langfuse:size: dev\n")
    assert keys_of(project) == ["aws:region"]
    if variable:
        monkeypatch.setenv(variable, "acme" if variable == "AWS_PROFILE" else "eu-west-2")
    else:
        write(project, dev="config:\n  aws:profile: acme\n  langfuse:size: dev\n")
    assert keys_of(project) == []
    profiles.write_text("[profile acme]\nregion = eu-wst-2\n")
    if variable in ("AWS_PROFILE", ""):
        assert keys_of(project) == ["aws:region"], "a region that is none is none from there too"


@pytest.mark.parametrize(
    "value", ["{secure: hush, more: hush}", "{secure: }", "{secure: 5}", "{secure: {a: hush}}"]
)
def test_what_pulumi_takes_for_no_secret_is_in_the_clear(project: Path, value: str) -> None:
    write(project, dev=f"{RIGHT}  langfuse:secretEnvironment: {value}\n")
    first = validate(project).stdout.splitlines()[0]
    assert first.startswith(
        "Pulumi.dev.yaml:4: langfuse:secretEnvironment: is stored in the clear, and must be a"
    )
    assert "hush" not in validate(project).output


def test_no_secret_is_printed(project: Path) -> None:
    write(project, dev=f"{RIGHT}  langfuse:postgresPassword: hush\n  langfuse:smtpUrl: hush\n")
    done = validate(project)
    assert done.exit_code == 2
    assert "hush" not in done.output


def test_no_sdk_is_loaded_to_tell_a_mistake(tmp_path: Path) -> None:
    texts = {"five mistakes": FIVE, "no mistake": RIGHT, "no YAML": "config: {\n"}
    lines = [["validate", "--dir", str(tmp_path / each)] for each in texts]
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
        write(tmp_path / name, dev=text)
    ran = run_lines(Path(sys.executable), "automation", lines, REPOSITORY)
    assert [each.exit_code for each in ran] == [2, 0, 2]
    loaded = [name for each in ran for name in each.loaded]
    assert "langfuse_aws.settings.model" in loaded
    assert [each for each in loaded if each in HEAVY] == []
