"""`rotate`: shows its plan, asks, and gives a stack that runs another password, token or secret.

Exit code 0: done, or with --dry-run nothing stands in the way. 1: not, and a line says why. 2: the
command line is wrong. 130: stopped.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from langfuse_aws.automation.cli.words import Target
from langfuse_aws.automation.engine.deployed import Deployed, open_stack
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.hours.asleep import need_awake
from langfuse_aws.automation.plan import Plan, carry_out, show
from langfuse_aws.automation.rotate import database, nextauth, redis
from langfuse_aws.automation.terminal import one_line_errors

PLANS: Final[Mapping[Target, Callable[[Deployed], Plan]]] = {
    "database": database.plan,
    "redis": redis.plan,
    "nextauth": nextauth.plan,
}


def rotate(target: Target, stack: str, folder: Path, yes: bool, dry_run: bool) -> None:
    """Plan, ask, and take the steps that are left."""
    with one_line_errors():
        deployed = open_stack(stack, folder)
        need_awake(deployed)
        with waits("asking AWS"):
            plan = PLANS[target](deployed)
        if dry_run:
            show(plan)
        else:
            carry_out(plan, yes=yes)
