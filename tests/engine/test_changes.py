"""Settings of a running stack that may change, each way, on an AWS that refuses what AWS refuses.

The table of docs/operations.md is generated from the same rows. A stack moves between two
configurations, there and back, in which every setting of a row has its other value. It proves that
each `up` ends well and leaves no store behind; how long a service is away, only AWS could tell.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml

from development.change_tables import CHANGES
from langfuse_aws.components.protection.replacement_guard import REPLACEMENT_INPUTS
from tests.deployment import Deployment

pytestmark = pytest.mark.running

ENGINE_TESTS = Path(__file__).parent


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    return {**first} | {
        key: merged(cast("dict[str, Any]", first[key]), cast("dict[str, Any]", value))
        if isinstance(value, dict) and isinstance(first.get(key), dict)
        else value
        for key, value in second.items()
    }


STAYING: Final = {*REPLACEMENT_INPUTS, "aws:iam/role:Role"}
"""What bears data, and the roles of what runs."""


def stores(deployment: Deployment) -> dict[str, str]:
    """The IDs of what must not be replaced, by their URNs."""
    return {each["urn"]: each["id"] for each in deployment.state() if each["type"] in STAYING}


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_each_setting_changes_there_and_back_in_one_up(
    stack: str, environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of(stack, tmp_path, environment)
    file = deployment.stack.folder / f"Pulumi.{stack}.yaml"
    shipped = cast("dict[str, Any]", yaml.safe_load(file.read_text(encoding="utf-8")))
    pairs = [each.between[stack] for each in CHANGES if stack in each.between]
    there: dict[str, str] = {}
    for number in (0, 1, 0):
        config: dict[str, Any] = {}
        for pair in pairs:
            config = merged(config, pair[number])
        named = {f"langfuse:{key}": value for key, value in config.items()}
        changed = {**shipped, "config": {**shipped["config"], **named}}
        file.write_text(yaml.safe_dump(changed), encoding="utf-8")
        deployment.up()
        found = stores(deployment)
        assert there.items() <= found.items(), "a store or a role that was there is another one now"
        there = {urn: found[urn] for urn in there or found}


def test_every_row_is_tried() -> None:
    for each in CHANGES:
        assert bool(each.between) != bool(each.tried_in), each.settings
        assert not each.tried_in or (ENGINE_TESTS / each.tried_in).is_file(), each.settings
        for first, second in each.between.values():
            assert first != second, each.settings
