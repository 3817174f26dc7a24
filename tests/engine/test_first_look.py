"""The first user's story: ten minutes, no AWS account, and what `make demo` does.

It proves it in a copy of the repository with nothing of AWS in the environment. That `make` finds
or installs the Pulumi CLI is the business of tests/unit/development/test_pulumi_cli.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from langfuse_aws.automation.engine.folders import REPOSITORY

NOT_COPIED = (".*", "tests", "docs", "__pycache__")


@pytest.mark.running
def test_a_stack_is_there_without_an_account_stays_as_it_is_and_goes_again(
    engine_path: str, tmp_path: Path
) -> None:
    copy = tmp_path / "langfuse"
    shutil.copytree(REPOSITORY, copy, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}

    def demo(*options: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "development.demo", *options],
            cwd=copy,
            env={**plain, "PATH": engine_path, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    first = demo()
    (made,) = re.findall(r"^resources by kind of change: (\d+) create\b", first, re.MULTILINE)
    assert int(made) > 150
    assert re.search(r"^url: https://\w+\.execute-api\.us-east-1\.amazonaws\.com$", first, re.M)
    assert re.search(r"^monthly_cost_usd: \d+\.\d+$", first, re.MULTILINE)
    assert "Nothing was made in AWS" in first
    assert first.splitlines()[-3] == "Next: change Pulumi.dev.yaml, and make demo again"
    assert f"nothing changed: {made} resources are as they were" in demo()
    assert f"{made} delete" in demo("--destroy")
