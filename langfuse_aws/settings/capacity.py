"""What sizes AWS offers: Fargate's CPU and memory pairs, Graviton instances, Aurora capacity."""

import re
from typing import Final

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
FARGATE_MEMORY_MIB: Final[dict[int, tuple[int, ...]]] = {
    256: (512, 1024, 2048),
    512: tuple(1024 * gib for gib in range(1, 5)),
    1024: tuple(1024 * gib for gib in range(2, 9)),
    2048: tuple(1024 * gib for gib in range(4, 17)),
    4096: tuple(1024 * gib for gib in range(8, 31)),
    8192: tuple(4096 * steps for steps in range(4, 16)),
    16384: tuple(8192 * steps for steps in range(4, 16)),
}
"""CPU units (1024 = one vCPU) → the memory sizes (MiB) Fargate sells with them."""

# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
AURORA_MAXIMUM_ACU: Final = 256.0
AURORA_STEP_ACU: Final = 0.5

# https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html
_GRAVITON: Final = re.compile(
    r"(?P<family>[cmrt])(?P<generation>\d)g[den]{0,2}\.(?P<size>nano|micro|small|medium|large|"
    r"(?P<multiple>\d*)xlarge)"
)
_MEMORY_OF_LARGE_GIB: Final = {"c": 4.0, "m": 8.0, "r": 16.0, "t": 8.0}
_SMALL_SIZES: Final = {"nano": 1 / 16, "micro": 1 / 8, "small": 1 / 4, "medium": 1 / 2, "large": 1}


def fargate_memory_range(cpu: int) -> str:
    """Words for the memory sizes that go with `cpu`: `2048 to 8192 MiB in steps of 1024`."""
    sizes = FARGATE_MEMORY_MIB[cpu]
    if cpu == min(FARGATE_MEMORY_MIB):
        return " or ".join(str(size) for size in sizes) + " MiB"
    return f"{sizes[0]} to {sizes[-1]} MiB in steps of {sizes[1] - sizes[0]}"


def graviton_memory_gib(instance_type: str) -> float | None:
    """Memory (GiB) of a Graviton instance type such as `m7g.large`; None if it is not one."""
    match = _GRAVITON.fullmatch(instance_type)
    if match is None:
        return None
    size = match["size"]
    scale = _SMALL_SIZES.get(size) or 2.0 * int(match["multiple"] or 1)
    return _MEMORY_OF_LARGE_GIB[match["family"]] * scale


# https://aws.amazon.com/ec2/instance-types/ and https://aws.amazon.com/rds/instance-types/
_FAMILY: Final = re.compile(r"(?P<family>[cmrt])\d[a-z-]*\.(?P<size>.+)")


def instance_memory_gib(instance_type: str) -> float | None:
    """Memory (GiB) of an instance type of any CPU, such as `t3.micro`; None if it is not known."""
    match = _FAMILY.fullmatch(instance_type)
    return match and graviton_memory_gib(f"{match['family']}7g.{match['size']}")


def graviton_vcpus(instance_type: str) -> int | None:
    """VCPUs of a Graviton instance type such as `m7g.large`; None if it is not one.

    The smaller sizes of t4g have two as well.
    """
    match = _GRAVITON.fullmatch(instance_type)
    if match is None:
        return None
    if match["size"].endswith("xlarge"):
        return 4 * int(match["multiple"] or 1)
    return 1 if match["size"] == "medium" and match["family"] != "t" else 2


# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
_BYTES_A_CONNECTION: Final = 9_531_392
_MOST_CONNECTIONS: Final = 5000

ACU_GIB: Final = 2.0
"""Memory of a unit of Aurora's capacity, GiB."""


_LOW_ACU: Final = 0.5
_LOW_ACU_CONNECTIONS: Final = 2000
"""The most with a least capacity of 0.5 ACU or none.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html"""


def aurora_connections(min_acu: float, max_acu: float) -> int:
    """`max_connections` of Aurora Serverless v2, from its capacity (ACU)."""
    most = postgres_connections(max_acu * ACU_GIB)
    return min(most, _LOW_ACU_CONNECTIONS) if min_acu <= _LOW_ACU else most


def postgres_connections(memory_gib: float) -> int:
    """`max_connections` as RDS and Aurora work it out, from the nominal memory (GiB).

    In truth there are fewer, the more so the smaller the memory: AWS counts what its own processes
    leave of it.
    """
    return min(int(memory_gib * 2**30 / _BYTES_A_CONNECTION), _MOST_CONNECTIONS)
