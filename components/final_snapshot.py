"""Names the snapshot that a protected store leaves behind when it is destroyed on purpose."""

import pulumi
import pulumi_random as random


def final_snapshot_name(name: str, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """`<name>-final-<8 hex digits>`; the random part lets a stack be made and destroyed twice."""
    suffix = random.RandomId(f"{name}-final-snapshot", byte_length=4, opts=opts)
    return pulumi.Output.concat(name, "-final-", suffix.hex)
