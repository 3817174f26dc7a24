"""`rotate redis`: another AUTH token for Valkey, which takes two for as long as it is asked to."""

from dataclasses import dataclass
from typing import Final

from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.plan import Plan, Step
from langfuse_aws.automation.rotate.counter import Counter
from langfuse_aws.automation.rotate.services import (
    how_to_start_anew,
    refuse_unless_steady,
    wait_for_old_tasks,
)
from langfuse_aws.settings.external_stores import ExternalRedis

CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
AVAILABLE: Final = "available"


@dataclass(frozen=True)
class RedisRotation:
    """What to do."""

    deployed: Deployed
    counter: Counter

    def add(self) -> None:
        """Have Valkey take another token too, and web and worker use it."""
        if self.counter.rotated.step is None:
            self.counter.write("begun", self.counter.next)
        self.deployed.up()
        wait_for_old_tasks(self.deployed)

    def end(self) -> None:
        """Have Valkey take the new token alone."""
        self.counter.write("ending")
        self.deployed.up()
        self.counter.finish()


def plan(deployed: Deployed) -> Plan:
    """Work the rotation out, or refuse it."""
    if isinstance(deployed.settings.redis, ExternalRedis):
        raise UserError(
            f"stack {deployed.name}: langfuse:redis.mode is external, and its password yours. Have "
            "it take another one too where it runs, then pulumi config set --secret "
            "langfuse:redisPassword, and pulumi up. It starts no task anew; this does: "
            f"{how_to_start_anew(deployed)}."
        )
    counter = Counter(deployed, "redis")
    cache = deployed.resource(CACHE, f"{deployed.prefix}-redis").outputs["replicationGroupId"]
    answer = deployed.aws("elasticache").describe_replication_groups(ReplicationGroupId=cache)
    status = answer["ReplicationGroups"][0]["Status"]
    if status != AVAILABLE:
        raise UserError(
            f"stack {deployed.name}: Valkey {cache} is {status}, and must be {AVAILABLE} to get "
            "another token. Wait."
        )
    if counter.rotated.step is None:
        refuse_unless_steady(deployed)
    rotation = RedisRotation(deployed, counter)
    add = Step(
        f"Set {counter.key}Version {counter.next}, and pulumi up: Valkey takes another token "
        "beside the one that counts, web, worker and the queue probe move to it."
        if counter.rotated.step is None
        else "pulumi up: web, worker and the queue probe move to the new token.",
        rotation.add,
        "The tasks that run go on: Valkey takes both tokens, or the old one alone.",
    )
    end = Step(
        f"Set {counter.key}Step ending, and pulumi up: Valkey takes the new token alone.",
        rotation.end,
        "Langfuse runs with the new token. Valkey may take the old one as well.",
    )
    return Plan(
        found=counter.found(f"Valkey {cache}, its token"),
        lost=[],
        steps=[end] if counter.rotated.step == "ending" else [add, end],
    )
