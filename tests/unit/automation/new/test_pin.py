"""A project is worked on by the release that it names, as far as the name tells one."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from langfuse_aws import __version__
from langfuse_aws.automation.command_line import app
from langfuse_aws.automation.errors import CommandLineError
from langfuse_aws.automation.new import pin
from langfuse_aws.settings.installation import REPOSITORY_URL
from tests.installed import ROOT

REPOSITORY = "git+https://git.example.com/langfuse-aws"
OWN, OTHER = "a" * 40, "b" * 40
WHEEL = "https://example.com/download/v{0}/langfuse_aws-{0}-py3-none-any.whl"


@pytest.fixture
def of_a_commit(monkeypatch: pytest.MonkeyPatch) -> str:
    """Have this program installed from a commit."""
    own = f"langfuse-aws @ {REPOSITORY}@{OWN}"
    monkeypatch.setattr(pin, "requirement", lambda: own)
    return own


@pytest.mark.parametrize(
    ("line", "other", "here"),
    [
        ("langfuse-aws==9.1.0", "9.1.0", __version__),
        ("langfuse-aws == 9.1.0 ; python_version > '3'", "9.1.0", __version__),
        (f"langfuse-aws @ {REPOSITORY}@v9.1.0", "9.1.0", __version__),
        (f"langfuse-aws @ {WHEEL.format('9.1.0')}", "9.1.0", __version__),
        (f"langfuse-aws @ {REPOSITORY}@{OTHER}", OTHER[:12], OWN[:12]),
    ],
)
def test_another_release_is_refused_before_anything_is_done(
    tmp_path: Path, of_a_commit: str, line: str, other: str, here: str
) -> None:
    (tmp_path / "requirements.txt").write_text(f"# ours\nboto3\n{line}\n")
    with pytest.raises(CommandLineError) as caught:
        pin.check_release(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/requirements.txt: names langfuse-aws {other}, and this command is {here}: "
        f"nothing was done. Install that one, or name this one there: {of_a_commit}"
    )


@pytest.mark.parametrize(
    "line",
    [
        f"langfuse-aws=={__version__}",
        f"langfuse-aws @ {REPOSITORY}@v{__version__}",
        f"langfuse-aws @ {WHEEL.format(__version__)}",
        f"langfuse-aws @ {REPOSITORY}@{OWN}",
        f"langfuse-aws @ {REPOSITORY}@main",
        "langfuse-aws>=0.1",
        "langfuse-aws-extras==9.1.0",
        "boto3==1.40.0",
        "",
    ],
)
@pytest.mark.usefixtures("of_a_commit")
def test_the_same_release_or_one_that_is_not_told_goes_on(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"{line}\n")
    pin.check_release(tmp_path)


def test_a_project_without_requirements_and_the_clone_itself_go_on(tmp_path: Path) -> None:
    pin.check_release(tmp_path)
    pin.check_release(ROOT)


@pytest.mark.parametrize("command", ["preview", "up --yes", "refresh", "destroy --yes", "outputs"])
def test_every_command_that_deploys_asks(tmp_path: Path, command: str) -> None:
    assert CliRunner().invoke(app, ["new", str(tmp_path)]).exit_code == 0
    (tmp_path / "requirements.txt").write_text("langfuse-aws==9.1.0\n")
    options = ["--stack", "dev", "--offline", "--dir", str(tmp_path)]
    done = CliRunner().invoke(app, [*command.split(), *options])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "names langfuse-aws 9.1.0, and this command is" in done.stderr
    assert not (tmp_path / ".state").exists()


def test_a_clone_names_the_releases_own_wheel_also_where_a_build_has_left_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index may have something else by the name, and so a clone never names one."""
    information = tmp_path / f"langfuse_aws-{__version__}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Name: langfuse-aws\nVersion: {__version__}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert pin.requirement() == (
        f"langfuse-aws @ {REPOSITORY_URL}/releases/download/v{__version__}/"
        f"langfuse_aws-{__version__}-py3-none-any.whl"
    )
