"""Names the snapshot that PostgreSQL and Valkey leave behind when they are destroyed on purpose.

ClickHouse leaves its volumes themselves: `clickhouse/host.py` retains them.
"""

import secrets

import pulumi
import pulumi_random as random


def final_snapshot_name(
    name: str, *, replaceable: bool, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    """`<name>-final-<8 hex digits>`; the random part lets a stack be made and destroyed twice.

    AWS deletes no store whose final snapshot would have the name of one that is there. So the name
    changes with every update that may replace the store: it is deleted under the old one, and its
    successor has another.
    """
    suffix = random.RandomId(
        f"{name}-final-snapshot",
        byte_length=4,
        keepers={"update": secrets.token_hex(4)} if replaceable else None,
        opts=opts,
    )
    return pulumi.Output.concat(name, "-final-", suffix.hex)
