"""What a deployment runs, in which order, and what stops it.

Runs the step of deploy.yml in bash with a `pulumi` and a `python3` that only say how they were
called. It does not prove what AWS makes of it.
"""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.workflow import calls_in, run_shell, step_of

NEW: Final = '{"version": 3, "deployment": {"manifest": {}, "metadata": {}}}'
UP: Final = '{"version": 3, "deployment": {"manifest": {}, "resources": [{"urn": "urn:pulumi"}]}}'
BEFORE: Final = "python3 -m automation preflight --stack prod"
UPDATE: Final = "python3 -m automation up --stack prod --yes"
AFTER: Final = "python3 -m automation smoke --stack prod"


def deploy(
    folder: Path, state: str = UP, fails: str = "nothing"
) -> "subprocess.CompletedProcess[str]":
    """Run the step for a stack with a state; `fails`: the command that does."""
    return run_shell(
        step_of("deploy.yml", "Preflight, update, smoke test"),
        folder,
        {
            "pulumi": f"cat << STATE\n{state}\nSTATE",
            "python3": f'[ "$3" != {fails} ]',
        },
        {"STACK": "prod"},
    )


def commands(folder: Path) -> list[str]:
    """What was run of the program, without the question for the state."""
    return [call for call in calls_in(folder) if call.startswith("python3 ")]


def test_a_stack_that_is_not_up_yet_is_checked_before_its_first_update(tmp_path: Path) -> None:
    assert deploy(tmp_path, NEW).returncode == 0
    assert commands(tmp_path) == [BEFORE, UPDATE, AFTER]


def test_a_stack_that_is_up_is_not_counted_against_its_own_quotas(tmp_path: Path) -> None:
    """Three addresses that prod has and three that preflight says it needs are over AWS's five."""
    assert deploy(tmp_path, fails="preflight").returncode == 0
    assert commands(tmp_path) == [UPDATE, AFTER]


@pytest.mark.parametrize(
    ("fails", "ran"), [("preflight", [BEFORE]), ("up", [BEFORE, UPDATE]), ("smoke", None)]
)
def test_what_fails_ends_the_deployment(tmp_path: Path, fails: str, ran: list[str] | None) -> None:
    assert deploy(tmp_path, NEW, fails).returncode == 1
    assert commands(tmp_path) == (ran or [BEFORE, UPDATE, AFTER])


def test_nothing_is_deployed_where_the_state_cannot_be_read(tmp_path: Path) -> None:
    done = run_shell(
        step_of("deploy.yml", "Preflight, update, smoke test"),
        tmp_path,
        {"pulumi": "exit 6", "python3": "exit 0"},
        {"STACK": "prod"},
    )
    assert done.returncode == 6
    assert commands(tmp_path) == []
