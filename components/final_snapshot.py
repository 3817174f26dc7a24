"""Names the snapshot that a protected store leaves behind when it is destroyed on purpose."""

import pulumi
import pulumi_random as random


def final_snapshot_name(
    name: str, restored_from: str | None, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    """`<name>-final-<8 hex digits>`; the random part lets a stack be made and destroyed twice.

    A store that is replaced by one from a snapshot has the old name, and the new one another.
    """
    suffix = random.RandomId(
        f"{name}-final-snapshot",
        byte_length=4,
        keepers={"restoredFrom": restored_from} if restored_from else None,
        opts=opts,
    )
    return pulumi.Output.concat(name, "-final-", suffix.hex)
