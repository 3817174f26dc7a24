"""What of a faulty stack file is judged all the same: what is right, and what can be read."""

import pytest

from langfuse_aws.settings import known_part
from langfuse_aws.settings.sealed import SEALED, holds, without


def test_a_wrong_key_is_left_out_of_its_section_and_the_others_stay() -> None:
    values = {"size": "dev", "worker": {"cpu": "much", "memory": 4096}}
    found = known_part.of(values, [("worker", "cpu")])
    assert found.worker.memory == 4096
    with pytest.raises(AttributeError):
        _ = found.worker.cpu


def test_a_wrong_key_of_a_section_of_several_shapes_is_left_out_of_its_shape() -> None:
    values = {"size": "dev", "postgres": {"mode": "instance", "storage": 1, "connectionLimit": 7}}
    found = known_part.of(values, [("postgres", "instance", "storage")])
    assert (found.postgres.mode, found.postgres.connection_limit) == ("instance", 7)


def test_what_is_sealed_is_found_and_left_out_wherever_it_is() -> None:
    values = {"a": {"b": {"c": SEALED, "d": 1}}, "e": [{"f": SEALED}, 2], "g": [3], "h": SEALED}
    assert {key: holds(value) for key, value in values.items()} == {
        "a": True,
        "e": True,
        "g": False,
        "h": True,
    }
    assert without(values) == {"a": {"b": {"d": 1}}, "g": [3]}
