"""`python3 -m automation diff` on three prepared changes, in a repository made for it.

It proves what a reviewer is told about a resize, an open port and a renamed database, from what the
real engine says of the in-memory AWS.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.diff.command import STOPPED
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3

NOT_COPIED = (".*", "tests", "docs", "__pycache__")

pytestmark = pytest.mark.usefixtures("engine_on_path")


@pytest.fixture
def change(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Makes a repository of two commits: this program, and one replacement in a file of it."""

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True)

    folder = tmp_path / "program"
    shutil.copytree(REPOSITORY, folder, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    git("init", "--quiet")
    git("config", "user.name", "A reviewer's colleague")
    git("config", "user.email", "colleague@example.com")
    git("add", ".")
    git("commit", "--quiet", "--message", "The program")

    def make(file: str, old: str, new: str) -> Path:
        text = (folder / file).read_text()
        assert text.count(old) == 1, f"{file} has changed: it must have {old!r} once"
        (folder / file).write_text(text.replace(old, new))
        git("commit", "--quiet", "--all", "--message", "The change")
        return folder

    return make


def diff(folder: Path, stack: str, *options: str) -> Result:
    command = ["diff", "--base", "HEAD~1", "--dir", str(folder), "--stack", stack, *options]
    return CliRunner().invoke(app, command, catch_exceptions=False)


@pytest.mark.running
def test_a_resize_is_told_with_its_properties_and_its_price(
    change: Callable[[str, str, str], Path], tmp_path: Path
) -> None:
    size = "  langfuse:size: dev\n"
    folder = change("Pulumi.dev.yaml", size, f"{size}  langfuse:clickhouse: {{volumeGib: 40}}\n")
    written = tmp_path / "diff.md"
    done = diff(folder, "dev", "--output", str(written), "--fail-on", "replace-data,cost>10%")
    assert done.exit_code == 0, "20 GiB more are 1.60 USD"
    assert written.read_text() == done.stdout.removesuffix("\n")
    row, *others = [line for line in done.stdout.splitlines() if line.startswith("| `dev`")]
    assert others == []
    assert row.startswith("| `dev` | – | – | – | 1 | – | ")  # noqa: RUF001
    assert row.endswith("(+1.6), remembered |")
    assert (
        "<details><summary><code>ClickHouse langfuse-dev-clickhouse</code>: 1 changed</summary>\n\n"
        "- update `aws:ebs/volume:Volume` `langfuse-dev-clickhouse`\n"
        "  - `size`: `20` → `40`\n"
    ) in done.stdout
    assert "**" not in done.stdout, "nothing in it needs a second look"


@pytest.mark.running
def test_another_instance_for_the_only_server_says_that_it_stops_meanwhile(
    change: Callable[[str, str, str], Path],
) -> None:
    size = "  langfuse:size: dev\n"
    larger = f"{size}  langfuse:clickhouse: {{instanceType: t4g.xlarge}}\n"
    done = diff(change("Pulumi.dev.yaml", size, larger), "dev")
    assert done.exit_code == 0
    assert "**`langfuse-dev-clickhouse` of `dev` stops before it starts anew" in done.stdout


@pytest.mark.running
def test_a_port_that_is_opened_to_the_internet_stops_at_its_gate(
    change: Callable[[str, str, str], Path],
) -> None:
    line = "            referenced_security_group_id=group_id,\n"
    folder = change(
        "components/shared/security_groups.py", line, '            cidr_ipv4="0.0.0.0/0",\n'
    )
    done = diff(folder, "dev", "--fail-on", "public-ingress")
    assert done.exit_code == STOPPED
    assert "**Stopped by these gates:**\n\n- `public-ingress` in `dev`\n" in done.stdout
    title = "**Newly open to the internet in `dev`:**\n\n"
    opened = done.stdout.partition(title)[2].partition("\n\n")[0]
    assert "- `0.0.0.0/0` → `langfuse-dev-postgres`, port `5432`" in opened.splitlines()
    assert done.stdout.index(title) < done.stdout.index("| Stack |")
    assert "- port: `langfuse-dev-web` → `langfuse-dev-postgres`, port `5432`\n" in done.stdout


@pytest.mark.running
def test_a_renamed_database_is_told_first_as_data_that_is_lost(
    change: Callable[[str, str, str], Path],
) -> None:
    line = 'DATABASE: Final = "langfuse"'
    folder = change("components/protection/snapshots.py", line, line.replace("langfuse", "traces"))
    done = diff(folder, "prod", "--fail-on", "replace-data")
    assert done.exit_code == STOPPED
    section = done.stdout.partition("## What this change does to the stacks\n\n")[2]
    assert section.startswith(
        "**Data of `prod` is lost:**\n\n"
        "- **`langfuse-prod-postgres` (`aws:rds/cluster:Cluster`) is replaced by an empty one.**\n"
        "  Because of `databaseName`: `langfuse` → `traces`.\n"
        "  `pulumi up` refuses this until `langfuse:allowReplace` names it."
    )
    assert "`containerDefinitions: web.environment.DATABASE_NAME.value`: `langfuse` → `traces`" in (
        section
    )
    assert "[secret]" not in section, "no secret changes with the name"


@pytest.mark.running
def test_protection_that_is_removed_is_told_first_and_stops_at_its_gate(
    change: Callable[[str, str, str], Path],
) -> None:
    size = "  langfuse:size: prod\n"
    folder = change("Pulumi.prod.yaml", size, f"{size}  langfuse:deletionProtection: false\n")
    done = diff(folder, "prod", "--fail-on", "replace-data,unprotect")
    assert done.exit_code == STOPPED
    assert "- `replace-data` in" not in done.stdout
    assert "- `unprotect` in `prod`\n" in done.stdout
    first, _, told = done.stdout.partition("**Protection of ")[2].partition("\n\n")
    assert first.endswith(" stores of `prod` is removed: from then on, a mistake deletes them.**")
    lines = told.partition("\n\n")[0].splitlines()
    assert first.startswith(f"{len(lines)} ")
    assert (
        "- `langfuse-prod-clickhouse` (`aws:ebs/volume:Volume`): `protect`, `retainOnDelete`"
    ) in lines
    assert (
        "- `langfuse-prod-postgres` (`aws:rds/cluster:Cluster`): `protect`, `deletionProtection`, "
        "`skipFinalSnapshot`"
    ) in lines
    assert "- `langfuse-prod-salt` (`random:index/randomPassword:RandomPassword`): `protect`" in (
        lines
    )


@pytest.mark.running
def test_another_major_by_default_is_told_as_what_up_refuses(
    change: Callable[[str, str, str], Path],
) -> None:
    now, before = (f'LANGFUSE: Final = "{each}"' for each in (LANGFUSE, LANGFUSE_3))
    change("langfuse_aws/settings/versions.py", now, before)
    folder = change("langfuse_aws/settings/versions.py", before, now)
    done = diff(folder, "dev")
    assert done.exit_code == 0
    section = done.stdout.partition("## What this change does to the stacks\n\n")[2]
    assert section.startswith(
        f"**Langfuse of `dev` goes from `{LANGFUSE_3}` to `{LANGFUSE}`, another major, because it "
        "is the default now: its migrations cannot be undone.** `pulumi up` refuses this until "
        "`langfuse:release` names one of them (docs/upgrade.md)."
    )
    assert "task-definition" not in section, "a revision says nothing"
    assert f"`ghcr.io/langfuse/langfuse:{LANGFUSE_3}` → `ghcr.io/langfuse/langfuse:{LANGFUSE}`" in (
        section
    )
