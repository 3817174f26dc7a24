"""The command line in surroundings that are not a terminal of today: encodings and widths.

Each test starts the command as a shell would.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from langfuse_aws.automation.engine.folders import REPOSITORY


def validated(folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    (folder / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text(
        "config:\n  aws:region: us-east-1\n  langfuse:size: dev\n  langfuse:größe: 1\n",
        encoding="utf-8",
    )
    return subprocess.run(
        [sys.executable, "-m", "automation", "validate", "--dir", folder],
        capture_output=True,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, "langfuse:größe: ".encode()),
        ({"PYTHONIOENCODING": "latin-1"}, "langfuse:größe: ".encode("latin-1")),
        ({"PYTHONIOENCODING": "ascii"}, rb"langfuse:gr\xf6\xdfe: "),
        (
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            rb"langfuse:gr\xf6\xdfe: ",
        ),
    ],
)
def test_what_an_encoding_does_not_have_is_printed_by_its_number(
    tmp_path: Path, environment: dict[str, str], told: bytes
) -> None:
    done = validated(tmp_path, **environment)
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith(b"Pulumi.dev.yaml:4: " + told)
    assert done.stderr == b"error: 1 mistake.\n"


def test_no_line_is_lost_in_a_terminal_of_no_columns(tmp_path: Path) -> None:
    done = validated(tmp_path, COLUMNS="0")
    assert done.stdout.startswith(b"Pulumi.dev.yaml:4: ")
    assert done.stderr == b"error: 1 mistake.\n"


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="it is Linux's")
@pytest.mark.parametrize("arguments", [["--help"], ["validate"], ["validate", "--json"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line_and_no_success(
    tmp_path: Path, arguments: list[str], unbuffered: str
) -> None:
    """Python tries to write what it has in a buffer once more, when it ends."""
    validated(tmp_path)
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "automation", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1:] == [
        b"error: No space left on device: what is written is not complete. Make room, and run it "
        b"again."
    ]
    assert b"Traceback" not in done.stderr
