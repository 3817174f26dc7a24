"""Regions: names that AWS has not are refused before anything is asked of it, or of an engine.

It does not prove that an account may use a region; `preflight` asks AWS for that.
"""

import asyncio
from pathlib import Path
from typing import Any

import botocore.session
import pulumi
import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.stack import InvalidSettingsError, LangfuseStack
from langfuse_aws.settings import regions
from langfuse_aws.settings.stack import read

TYPO = (
    'aws:region: "eu-wst-1": is no region of AWS; the nearest known one is eu-west-1. Correct it; '
)
NOT_SET = "aws:region: is not set, nor are AWS_REGION and AWS_DEFAULT_REGION"
VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    return tmp_path


def write(project: Path, region: str | None) -> None:
    line = "" if region is None else f"  aws:region: {region}\n"
    (project / "Pulumi.dev.yaml").write_text(f"config:\n{line}  langfuse:size: dev\n")


def test_every_region_of_every_partition_is_one() -> None:
    session: Any = botocore.session.get_session()  # pyright: ignore[reportUnknownMemberType]
    listed = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition)
    }
    assert listed <= regions.names()
    assert {"cn-north-1", "us-gov-west-1", "eusc-de-east-1", "us-iso-east-1"} <= regions.names()
    assert "aws-global" not in regions.names()


def test_the_program_refuses_a_region_with_all_other_errors() -> None:
    async def run() -> str:
        config = {"aws:region": "eu-wst-1", "langfuse:size": "big"}
        pulumi.runtime.set_all_config(config, [])
        with pytest.raises(pulumi.RunError) as caught:
            read()
        return str(caught.value)

    text = asyncio.get_event_loop().run_until_complete(run())
    assert text.startswith("2 errors in the stack's configuration")
    assert TYPO in text
    assert "langfuse:size: " in text


@pytest.mark.parametrize("offline", [True, False])
def test_a_program_that_gives_settings_is_told_of_its_region_with_all_other_errors(
    offline: bool,
) -> None:
    settings = {"aws:region": "eu-wst-1", "size": "big"}
    with pytest.raises(InvalidSettingsError) as caught:
        LangfuseStack("a", settings, offline=offline)
    region, size = caught.value.problems
    assert region.startswith(TYPO)
    assert size.startswith("langfuse:size: ")


@pytest.mark.parametrize(
    "command",
    [
        ["preview", "--offline", "--dir"],
        ["up", "--offline", "--yes", "--dir"],
        ["graph", "--dir"],
        ["preflight", "--dir"],
    ],
)
@pytest.mark.parametrize(("region", "told"), [("eu-wst-1", TYPO), (None, NOT_SET)])
def test_a_command_says_so_before_it_asks_anybody(
    project: Path, command: list[str], region: str | None, told: str
) -> None:
    write(project, region)
    done = CliRunner().invoke(app, [*command, str(project), "--stack", "dev"])
    assert done.exit_code in (1, 2)
    assert told in done.stderr
    assert done.stderr.count("error: ") == 1


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_environment_may_say_the_region(
    project: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, None)
    monkeypatch.setenv(variable, "eu-west-1")
    with LangfuseStack("dev", project=project, offline=True) as stack:
        stack.check()
        monkeypatch.setenv(variable, "eu-wst-1")
        with pytest.raises(UserError, match="eu-west-1"):
            stack.check()


@pytest.mark.parametrize("offline", [True, False])
def test_a_program_that_gives_settings_is_sent_to_them_for_a_region(offline: bool) -> None:
    with LangfuseStack("a", {"size": "dev"}, offline=offline) as stack:
        with pytest.raises(InvalidSettingsError) as caught:
            stack.check()
        assert caught.value.messages == [f"stack a: {NOT_SET}. Set it in settings."]
    given = {"AWS_REGION": "eu-west-1"}
    with LangfuseStack("a", {"size": "dev"}, environment=given, offline=offline) as stack:
        stack.check()


def test_the_region_of_a_profile_is_known(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles"
    profiles.write_text("[profile acme]\nregion = eu-west-2\n[profile typo]\nregion = eu-wst-2\n")
    files = {"AWS_CONFIG_FILE": str(profiles)}
    assert regions.known({"aws:profile": "acme"}, files) == "eu-west-2"
    assert regions.known({"aws:profile": "acme", "aws:region": "eu-west-1"}, files) == "eu-west-1"
    assert regions.known({"aws:profile": "typo"}, files) is None
    assert regions.known({}, files) is None


def test_aws_s_own_files_are_read_where_no_variable_names_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    assert regions.known({}, {}) is None
    (tmp_path / ".aws/credentials").write_text("[default]\nregion = eu-west-1\n")
    assert regions.known({}, {}) == "eu-west-1"
    (tmp_path / ".aws/config").write_text("[default]\nregion = eu-west-2\n")
    assert regions.known({}, {}) == "eu-west-2"
