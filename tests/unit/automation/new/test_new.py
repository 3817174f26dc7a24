"""`new` writes a project, or says in one go why not.

That the project deploys is the business of tests/engine/test_new_project.py.
"""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from typer.testing import CliRunner

from langfuse_aws.automation.command_line import app
from langfuse_aws.automation.engine.stack_file import check_stack_file, read_stack_file
from langfuse_aws.automation.new.command import TEMPLATE
from langfuse_aws.settings.loading import SettingsError
from langfuse_aws.settings.sizing import SIZING
from tests.installed import ROOT

FILES = [
    "Pulumi.yaml",
    "__main__.py",
    ".gitignore",
    ".github/workflows/preview.yml",
    "Pulumi.dev.yaml",
    "requirements.txt",
    "README.md",
]


def new(folder: Path, *options: str) -> Any:
    result = CliRunner().invoke(app, ["new", str(folder), *options])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_it_writes_a_project_into_a_folder_that_it_makes_and_says_what_to_do(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "a folder" / "langfuse"
    done = new(folder, "--region", "eu-west-1")
    assert (done.exit_code, done.stderr) == (0, "")
    assert written(folder) == sorted(FILES)
    where = f"--stack dev --dir '{folder}'"
    assert done.stdout.splitlines() == [
        f"wrote {folder}: {', '.join(FILES)}",
        "",
        "try it, on an AWS that exists in memory only:",
        f"  python3 -m automation up {where} --offline",
        "",
        "deploy it, with AWS credentials in the environment:",
        "  pulumi login s3://STATE-BUCKET",
        f"  python3 -m automation preflight {where}",
        f"  python3 -m automation up {where}",
    ]
    assert yaml.safe_load((folder / "Pulumi.dev.yaml").read_text())["config"] == {
        "aws:region": "eu-west-1",
        "aws:defaultTags": {"tags": {"Project": "langfuse", "Stack": "dev"}},
        "langfuse:size": "dev",
    }


@pytest.mark.parametrize("size", SIZING)
def test_every_size_is_a_stack_that_the_program_takes(tmp_path: Path, size: str) -> None:
    options = [] if size == "dev" else ["--domain", "langfuse.example.com"]
    assert new(tmp_path, "--stack", f"team.{size}", "--size", size, *options).exit_code == 0
    found = read_stack_file(f"team.{size}", tmp_path)
    assert (found.region, found.folder) == ("us-east-1", tmp_path)
    assert found.settings.domain == (None if size == "dev" else "langfuse.example.com")
    readme = (tmp_path / "README.md").read_text()
    assert f"langfuse-aws up --stack team.{size} --offline" in readme
    assert "$" not in readme


def test_the_size_is_the_stacks_name_unless_it_is_told(tmp_path: Path) -> None:
    new(tmp_path, "--stack", "staging", "--domain", "langfuse.example.com")
    assert "langfuse:size: staging\n" in (tmp_path / "Pulumi.staging.yaml").read_text()


@pytest.mark.parametrize(
    "there", [["README.md"], ["Pulumi.yaml", ".gitignore", ".github/workflows/preview.yml"]]
)
def test_nothing_is_written_over_and_all_that_is_there_is_named(
    tmp_path: Path, there: list[str]
) -> None:
    for name in there:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    done = new(tmp_path)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: {tmp_path}: has {', '.join(there)} already. Nothing was written: name another "
        "folder, or take these away.\n"
    )
    assert written(tmp_path) == sorted(there)
    assert {(tmp_path / name).read_text() for name in there} == {"mine"}


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "README.md").symlink_to(tmp_path / "elsewhere")
    done = new(tmp_path)
    assert done.exit_code == 1
    assert "has README.md already" in done.stderr
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["", ".github", ".github/workflows"])
def test_a_file_where_a_folder_must_be_is_one_line(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "project"
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    done = new(folder)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: {folder}: has {name or '.'} already. Nothing was written: name another folder, or "
        "take these away.\n"
    )
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left on device"), 1)]
)
def test_what_is_cut_off_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    opened: Any = Path.open

    def cut(path: Path, *arguments: Any, **options: Any) -> Any:
        file = opened(path, *arguments, **options)
        if path.name == "preview.yml" and "x" in arguments:
            file.write = Mock(side_effect=error)
        return file

    (tmp_path / "mine").write_text("stays")
    monkeypatch.setattr(Path, "open", cut)
    result = new(tmp_path, "--region", "eu-west-1")
    assert result.exit_code == code
    assert written(tmp_path) == ["mine"]


def test_mistakes_come_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    done = new(tmp_path / "x", "--stack", "team/a", "--size", "huge", "--region", "eu-wst-1")
    assert (done.exit_code, done.stdout) == (2, "")
    assert [line.partition(": ")[2].partition(": ")[0] for line in done.stderr.splitlines()] == [
        "--stack team/a",
        "--size huge",
        '--region "eu-wst-1"',
    ]
    assert "the nearest known one is eu-west-1" in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--stack", "team-a"], "--size: is missing. Name one of dev, staging, prod."),
        (["--stack", "prod"], "--domain: is missing: size prod serves https under a domain."),
        (
            ["--stack", "prod", "--domain", "https://langfuse.example.com/"],
            'langfuse:domain: "https://langfuse.example.com/": is a URL, and must be a host name.',
        ),
        (["--domain", ""], 'langfuse:domain: "": '),
    ],
)
def test_a_wrong_option_says_what_it_must_be(tmp_path: Path, options: list[str], said: str) -> None:
    done = new(tmp_path / "x", *options)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {said}")
    assert len(done.stderr.splitlines()) == 1


def test_the_program_of_a_project_is_the_clones_own() -> None:
    assert (TEMPLATE / "__main__.py").read_bytes() == (ROOT / "__main__.py").read_bytes()
    own, clones = (
        yaml.safe_load((folder / "Pulumi.yaml").read_text()) for folder in (TEMPLATE, ROOT)
    )
    assert {**clones, "runtime": "python"} == own


def test_mistakes_in_a_projects_stack_file_are_told_without_an_engine(tmp_path: Path) -> None:
    new(tmp_path)
    file = tmp_path / "Pulumi.dev.yaml"
    check_stack_file("dev", file, tmp_path)
    file.write_text(file.read_text().replace("us-east-1", "us-est-1"))
    with pytest.raises(SettingsError, match="is no region of AWS"):
        check_stack_file("dev", file, tmp_path)


@pytest.mark.parametrize("another", ["own code beside it", "another program"])
def test_another_program_checks_its_stack_file_itself(tmp_path: Path, another: str) -> None:
    new(tmp_path)
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace("us-east-1", "us-est-1"))
    if another == "another program":
        (tmp_path / "__main__.py").write_text("import pulumi\n")
    else:
        (tmp_path / "langfuse_aws").mkdir()
    check_stack_file("dev", file, tmp_path)
