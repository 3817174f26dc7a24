"""The archives that others install have one top-level module, with every file that it reads.

They are built from a copy of the working tree with the builder that is installed here. That pip
finds the packages which the wheel asks for is not tested: nothing is fetched.
"""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from email import message_from_bytes
from functools import cache
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

import langfuse_aws
from langfuse_aws.settings.installation import REPOSITORY_URL
from tests.command_lines import Ran
from tests.installed import PROGRAMS, ROOT, Installed, build, run

VERSION = langfuse_aws.__version__
INFO = f"langfuse_aws-{VERSION}.dist-info"


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    return build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def wheel(archives: Path) -> Path:
    """The wheel."""
    (found,) = archives.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A Python that has it."""
    return Installed.of(wheel, tmp_path_factory.mktemp("python"))


@cache
def files() -> dict[str, bytes]:
    """Every file of the package, by its name in the wheel; the link's are real ones there."""

    def found() -> Iterator[tuple[str, bytes]]:
        for folder, prefix in (("langfuse_aws", ""), ("components", "langfuse_aws/")):
            for path in (ROOT / folder).rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    yield f"{prefix}{path.relative_to(ROOT).as_posix()}", path.read_bytes()

    return dict(found())


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        there = {name: archive.read(name) for name in archive.namelist()}
    assert {name for name in there if not name.startswith(INFO)} == set(files())
    assert {PurePosixPath(name).parts[0] for name in there} == {"langfuse_aws", INFO}
    assert {name for name in files() if there[name] != files()[name]} == set()
    assert "langfuse_aws/components/grafana/dashboards/langfuse.json" in there
    assert "langfuse_aws/cost/prices.csv" in there


def test_the_source_archive_has_what_the_wheel_is_made_of_and_no_link(archives: Path) -> None:
    (path,) = archives.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = {each.name.partition("/")[2]: each for each in archive.getmembers()}
    assert set(files()) <= set(members)
    assert [name for name, each in members.items() if each.issym() or each.islnk()] == []


def test_a_wheel_of_the_clone_itself_is_the_same(wheel: Path, tmp_path: Path) -> None:
    """This is what pip does with a clone, where components/ is behind a link."""
    source = next(wheel.parents[1].glob("source"))
    options = ["--no-build-isolation", "--offline", "--no-cache", "--wheel", "--quiet"]
    options += ["--python", sys.executable, "--out-dir", str(tmp_path)]
    run([PROGRAMS / "uv", "build", *options, source], tmp_path)
    (again,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as one, ZipFile(again) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())


def test_the_wheel_asks_for_what_requirements_txt_has(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        told = message_from_bytes(archive.read(f"{INFO}/METADATA"))
        commands = archive.read(f"{INFO}/entry_points.txt").decode()
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = {line.replace(" ", "") for line in lines if not line.startswith("#")}
    assert {_ordered(each) for each in told.get_all("Requires-Dist", [])} == {
        _ordered(each) for each in wanted
    }
    assert (told["Name"], told["Version"], told["Requires-Python"]) == (
        "langfuse-aws",
        VERSION,
        ">=3.10",
    )
    assert commands.split() == [
        "[console_scripts]",
        "langfuse-aws",
        "=",
        "langfuse_aws.automation.__main__:main",
    ]


def _ordered(requirement: str) -> tuple[str, ...]:
    """A requirement with its bounds in one order."""
    name, bounds = re.fullmatch(r"([\w.\[\]-]+)(.*)", requirement.replace(" ", ""), re.S).groups()  # pyright: ignore
    return (name, *sorted(bounds.split(",")))


NOWHERE = "elsewhere"
"""A folder that is no project."""
RELEASE, HELP, REFRESH, NEW = (
    "--version",
    "--help",
    "cost --refresh-prices",
    "new made --stack dev",
)
IN_A_PROJECT = "preview --stack dev --offline --dir project"
IN_NONE = (
    "preview --stack dev --offline",
    "up --stack dev --yes",
    "preflight --stack dev",
    "graph --stack dev",
    "cost --stack dev",
    "images lock --stack dev",
)
LINES = (
    HELP,
    RELEASE,
    REFRESH,
    NEW,
    IN_A_PROJECT,
    *(f"{each} --dir {NOWHERE}" for each in IN_NONE),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are started."""
    found = tmp_path_factory.mktemp("folder")
    (found / NOWHERE).mkdir()
    project = found / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: mine\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text(
        "config:\n  aws:region: eu-west-1\n  langfuse:size: dev\n"
        "  langfuse:worker: {maxTasks: 300Gi}\n"
    )
    return found


@pytest.fixture(scope="module")
def ran(installed: Installed, folder: Path) -> dict[str, Ran]:
    """What the commands do, in one process."""
    return dict(zip(LINES, installed.commands(*LINES, folder=folder), strict=True))


def test_the_command_tells_its_release_and_is_called_by_its_own_name(
    installed: Installed, ran: dict[str, Ran], tmp_path: Path
) -> None:
    assert ran[RELEASE].stdout == f"langfuse-aws {VERSION}\n"
    helped = ran[HELP]
    assert (helped.exit_code, helped.stderr) == (0, "")
    assert "Usage: langfuse-aws " in helped.stdout
    assert "--install-completion" in helped.stdout
    where = "import langfuse_aws; print(langfuse_aws.__file__)"
    found = installed.python_says(where, tmp_path).strip()
    assert Path(found).is_relative_to(installed.folder), "these tests are about the clone"


def test_a_shell_completes_it(installed: Installed, tmp_path: Path) -> None:
    words = {"COMP_WORDS": "langfuse-aws out", "COMP_CWORD": "1"}
    asked = {"_LANGFUSE_AWS_COMPLETE": "complete_bash", **words}
    done = installed.command(folder=tmp_path, environment=asked)
    assert done.stdout.split() == ["outputs"]


def test_a_folder_that_is_no_project_is_one_line(ran: dict[str, Ran], folder: Path) -> None:
    for line in IN_NONE:
        done = ran[f"{line} --dir {NOWHERE}"]
        assert (done.exit_code, done.stdout) == (2, ""), line
        assert done.stderr == (
            f"error: {folder / NOWHERE}: has no Pulumi.yaml. Start the command in a project's "
            "folder, or name one with --dir; langfuse-aws new makes one.\n"
        ), line


def test_what_changes_the_repository_says_that_there_is_none(ran: dict[str, Ran]) -> None:
    done = ran[REFRESH]
    assert done.exit_code == 2
    assert done.stderr.startswith("error: --refresh-prices: changes a file of the repository")


def test_mistakes_of_a_project_are_told_before_an_engine_is_looked_for(ran: dict[str, Ran]) -> None:
    done = ran[IN_A_PROJECT]
    assert done.exit_code == 1
    assert done.stderr == (
        'error: Pulumi.dev.yaml:4: langfuse:worker.maxTasks: "300Gi": must be an integer, without '
        "a unit. Set it with pulumi config set --path 'langfuse:worker.maxTasks' VALUE.\n"
    )


def test_a_caller_of_the_library_needs_no_project(installed: Installed, tmp_path: Path) -> None:
    script = """
from langfuse_aws.automation.stack import LangfuseStack
with LangfuseStack("team-a", {"size": "dev", "aws:region": "eu-west-1"}) as stack:
    print(stack._folder.joinpath("Pulumi.yaml").read_text())
"""
    project = installed.python_says(script, tmp_path)
    (main,) = re.findall(r"^main: (.+)$", project, re.MULTILINE)
    assert main.startswith(str(installed.folder))
    assert (Path(main) / "__main__.py").read_bytes() == (ROOT / "__main__.py").read_bytes()


RELEASED = (
    f"langfuse-aws @ {REPOSITORY_URL}/releases/download/v{VERSION}/"
    f"langfuse_aws-{VERSION}-py3-none-any.whl"
)
PINS: tuple[tuple[object, str], ...] = (
    (None, f"langfuse-aws=={VERSION}"),
    (
        {"url": "https://git.example.com/a.git", "vcs_info": {"vcs": "git", "commit_id": "c0"}},
        "langfuse-aws @ git+https://git.example.com/a.git@c0",
    ),
    (
        {"url": "https://example.com/a.whl", "archive_info": {"hashes": {"sha256": "ab"}}},
        "langfuse-aws @ https://example.com/a.whl#sha256=ab",
    ),
    (
        {"url": "https://example.com/a.whl", "archive_info": {}},
        "langfuse-aws @ https://example.com/a.whl",
    ),
    ({"url": "file:///here/a.whl", "archive_info": {}}, RELEASED),
)


def test_a_project_pins_the_release_where_it_came_from(
    installed: Installed, ran: dict[str, Ran], folder: Path, tmp_path: Path
) -> None:
    assert ran[NEW].exit_code == 0
    assert (folder / "made/requirements.txt").read_text() == f"{RELEASED}\n", "of a wheel here"
    script = f"""
import importlib.metadata, json
from langfuse_aws.automation.new.pin import requirement
distribution = importlib.metadata.distribution
for origin, _ in {PINS!r}:
    told = distribution("langfuse-aws")
    told.read_text = lambda _: origin and json.dumps(origin)
    importlib.metadata.distribution = lambda _: told
    print(requirement())
"""
    assert installed.python_says(script, tmp_path).splitlines() == [pin for _, pin in PINS]


def test_help_is_there_at_once(installed: Installed, tmp_path: Path) -> None:
    """No SDK is loaded for it, as tests/unit/automation/test_command_line.py has it of a clone."""
    loaded = subprocess.run(
        [installed.python, "-X", "importtime", installed.folder / "bin/langfuse-aws", "--help"],
        cwd=tmp_path,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    names = {line.rpartition("|")[2].strip() for line in loaded.splitlines()}
    assert "langfuse_aws.automation.command_line" in names
    assert names & {"boto3", "botocore", "pulumi", "pulumi_aws", "httpx", "grpc"} == set()
