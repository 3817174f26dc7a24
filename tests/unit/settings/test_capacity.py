"""What AWS sells: Fargate's pairs, Graviton's memory, Aurora's steps.

Proves that the tables agree with AWS's documentation as of late 2025, written down here a second
time, and that the settings hold values to them. It does not prove that a region offers a size.
"""

from typing import Any, Final

import pytest

from langfuse_aws.settings.capacity import (
    FARGATE_MEMORY_MIB,
    fargate_memory_range,
    graviton_memory_gib,
)
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.services import Service
from langfuse_aws.settings.sizing import SIZING
from langfuse_aws.settings.stores import ClickHouseOnEc2

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html, in GB:
# least, most and step of the memory that goes with a number of CPU units.
DOCUMENTED_GB: Final = {
    512: (1, 4, 1),
    1024: (2, 8, 1),
    2048: (4, 16, 1),
    4096: (8, 30, 1),
    8192: (16, 60, 4),
    16384: (32, 120, 8),
}


@pytest.mark.parametrize("cpu", DOCUMENTED_GB)
def test_fargate_memory_sizes_are_those_of_the_documentation(cpu: int) -> None:
    least, most, step = DOCUMENTED_GB[cpu]
    assert list(FARGATE_MEMORY_MIB[cpu]) == [
        gigabytes * 1024 for gigabytes in range(least, most + 1, step)
    ], "a size that Fargate does not sell fails at apply, half-way through a stack"


def test_the_smallest_fargate_cpu_has_half_a_gigabyte_too() -> None:
    assert FARGATE_MEMORY_MIB[256] == (512, 1024, 2048), "AWS lists three sizes, not a range"
    assert set(FARGATE_MEMORY_MIB) == {256, *DOCUMENTED_GB}, "Fargate sells these CPU sizes only"


@pytest.mark.parametrize(
    ("cpu", "words"),
    [
        (256, "512 or 1024 or 2048 MiB"),
        (512, "1024 to 4096 MiB in steps of 1024"),
        (8192, "16384 to 61440 MiB in steps of 4096"),
        (16384, "32768 to 122880 MiB in steps of 8192"),
    ],
)
def test_a_range_of_memory_sizes_is_told_in_words(cpu: int, words: str) -> None:
    assert fargate_memory_range(cpu) == words, "the user has to learn what would be accepted"


@pytest.mark.parametrize("cpu", FARGATE_MEMORY_MIB)
def test_every_pair_that_fargate_sells_is_accepted(cpu: int) -> None:
    for memory in FARGATE_MEMORY_MIB[cpu]:
        row = SIZING["dev"]["web"]
        service = Service.model_validate({**row, "cpu": cpu, "memory": memory})
        assert (service.cpu, service.memory) == (cpu, memory), "a sold size must not be refused"


@pytest.mark.parametrize(
    ("cpu", "memory", "sold"),
    [
        (256, 3072, "512 or 1024 or 2048 MiB"),
        (512, 512, "1024 to 4096 MiB in steps of 1024"),
        (1024, 1024, "2048 to 8192 MiB in steps of 1024"),
        (1024, 2560, "2048 to 8192 MiB in steps of 1024"),
        (2048, 17408, "4096 to 16384 MiB in steps of 1024"),
        (4096, 31744, "8192 to 30720 MiB in steps of 1024"),
        (8192, 17408, "16384 to 61440 MiB in steps of 4096"),
        (16384, 36864, "32768 to 122880 MiB in steps of 8192"),
    ],
)
@pytest.mark.parametrize("service", ["web", "worker"])
def test_a_memory_size_that_fargate_does_not_sell_is_refused_with_the_sizes_it_does(
    service: str, cpu: int, memory: int, sold: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"size": "dev", service: {"cpu": cpu, "memory": memory}})
    assert caught.value.problems == [
        f"langfuse:{service}.memory: {memory}: Fargate sells {sold} with cpu {cpu}. "
        "Choose one of these sizes, or another cpu."
    ], "key, value, the sizes of this cpu, and the two ways out"


@pytest.mark.parametrize("cpu", [0, 128, 1000, 1025, 32768])
def test_a_cpu_size_that_fargate_does_not_sell_is_refused_with_all_that_it_does(cpu: int) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"size": "dev", "web": {"cpu": cpu}})
    assert caught.value.problems == [
        f"langfuse:web.cpu: {cpu}: must be a Fargate CPU size: "
        "256, 512, 1024, 2048, 4096, 8192, 16384. 1024 is one vCPU."
    ], "one error: without a valid cpu, nothing can be said about the memory"


# https://docs.aws.amazon.com/ec2/latest/instancetypes: memory in GiB.
@pytest.mark.parametrize(
    ("instance_type", "gib"),
    [
        ("t4g.nano", 0.5),
        ("t4g.micro", 1.0),
        ("t4g.small", 2.0),
        ("t4g.medium", 4.0),
        ("t4g.large", 8.0),
        ("t4g.xlarge", 16.0),
        ("t4g.2xlarge", 32.0),
        ("c7g.medium", 2.0),
        ("c7gn.xlarge", 8.0),
        ("c6g.16xlarge", 128.0),
        ("m7g.medium", 4.0),
        ("m6gd.4xlarge", 64.0),
        ("m8g.48xlarge", 768.0),
        ("r7g.large", 16.0),
        ("r8g.24xlarge", 768.0),
    ],
)
def test_the_memory_of_a_graviton_instance_type_is_the_documented_one(
    instance_type: str, gib: float
) -> None:
    assert graviton_memory_gib(instance_type) == gib, "ClickHouse's limits are computed from it"


@pytest.mark.parametrize(
    "instance_type",
    ["t3.medium", "m5.large", "m7i.large", "c7a.xlarge", "t4g", "t4g.", "t4g.metal", " t4g.large"],
)
def test_what_is_not_a_graviton_instance_type_has_no_memory(instance_type: str) -> None:
    assert graviton_memory_gib(instance_type) is None, "ClickHouse's AMI and image are arm64"


@pytest.mark.parametrize("instance_type", ["t4g.medium", "c7g.large", "m7g.medium", "r7g.medium"])
def test_an_arm64_instance_of_four_gibibytes_or_more_may_run_clickhouse(
    instance_type: str,
) -> None:
    found = load({"size": "dev", "clickhouse": {"instanceType": instance_type}}).clickhouse
    assert isinstance(found, ClickHouseOnEc2)
    assert found.instance_type == instance_type, "4 GiB is enough, as documented"
    assert found.memory_gib == graviton_memory_gib(instance_type), (
        "the settings must hand on the memory of the type that was chosen"
    )


@pytest.mark.parametrize("instance_type", ["t4g.small", "c7g.medium", "t3.large", "m7i.xlarge"])
def test_a_small_or_an_x86_instance_is_refused_for_clickhouse(instance_type: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"size": "dev", "clickhouse": {"instanceType": instance_type}})
    (line,) = caught.value.problems
    assert line.startswith(
        f'langfuse:clickhouse.instanceType: "{instance_type}": must be a Graviton instance type '
        "(t4g, c6g to c8g, m6g to m8g, r6g to r8g) with 4 GiB of memory or more. "
    ), "below 4 GiB ClickHouse is killed during merges; on x86 its arm64 image does not start"


def aurora(**keys: Any) -> dict[str, Any]:
    return {"size": "dev", "postgres": {"mode": "auroraServerless", **keys}}


@pytest.mark.parametrize(
    ("least", "most"), [(0, 1), (0, 256), (0.5, 1), (0.5, 1.5), (4, 4), (255.5, 256), (256, 256)]
)
def test_aurora_capacities_in_steps_of_a_half_from_0_to_256_are_accepted(
    least: float, most: float
) -> None:
    postgres = load(aurora(minAcu=least, maxAcu=most)).postgres
    assert postgres.model_dump(include={"min_acu", "max_acu"}) == {
        "min_acu": least,
        "max_acu": most,
    }, "both bounds are Aurora's own"


@pytest.mark.parametrize(
    ("key", "value"),
    [("minAcu", 0.25), ("minAcu", 0.3), ("minAcu", 3.75), ("maxAcu", 4.2), ("maxAcu", 255.9)],
)
def test_an_aurora_capacity_between_two_steps_is_refused(key: str, value: float) -> None:
    with pytest.raises(SettingsError) as caught:
        load(aurora(**{key: value}))
    assert caught.value.problems == [
        f"langfuse:postgres.{key}: {value}: Aurora scales in steps of 0.5 ACU, from 0 to 256. "
        "Round it to 0.5."
    ], "AWS would refuse it at apply"


@pytest.mark.parametrize(
    ("keys", "key", "value", "bound"),
    [
        ({"minAcu": -0.5}, "minAcu", "-0.5", "0 or more"),
        ({"minAcu": 256.5, "maxAcu": 256}, "minAcu", "256.5", "256 at the most"),
        ({"maxAcu": 256.5}, "maxAcu", "256.5", "256 at the most"),
        ({"maxAcu": 0.5}, "maxAcu", "0.5", "1 or more"),
    ],
)
def test_an_aurora_capacity_outside_of_its_range_is_refused(
    keys: dict[str, float], key: str, value: str, bound: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(aurora(**keys))
    assert caught.value.problems == [
        f"langfuse:postgres.{key}: {value}: must be {bound}. "
        f"Set it with pulumi config set --path 'langfuse:postgres.{key}' VALUE."
    ], "Aurora's least is 0, its most 256, and the most capacity cannot be below 1"


def test_aurora_cannot_have_a_most_below_its_least() -> None:
    with pytest.raises(SettingsError) as caught:
        load(aurora(minAcu=4, maxAcu=2))
    assert caught.value.problems == [
        "langfuse:postgres.maxAcu: 2: must be at least minAcu, which is 4.0. "
        "Raise it, or lower minAcu."
    ], "the pair is wrong, not one of the values"


@pytest.mark.parametrize("size", SIZING)
@pytest.mark.parametrize("service", ["web", "worker"])
def test_the_sizing_table_names_pairs_that_fargate_sells(size: str, service: str) -> None:
    row = SIZING[size][service]
    assert row["memory"] in FARGATE_MEMORY_MIB[row["cpu"]], "a row must load without a stack file"
