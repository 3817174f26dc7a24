"""Names the snapshot that a protected store leaves behind when it is destroyed on purpose."""

from collections.abc import Mapping
from typing import Any, Final

import pulumi
import pulumi_random as random
from pydantic.alias_generators import to_camel

from components.replacement_guard import REPLACING

BEGINNING: Final = "snapshot_identifier"


def final_snapshot_name(
    name: str, kind: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    """`<name>-final-<8 hex digits>`, for a store of a kind that is made with these inputs.

    AWS deletes no store whose final snapshot would have the name of one that is there. So the
    digits change with everything that makes it another store: the old one leaves the old name, and
    its successor has a new one. The random part lets a stack be made and destroyed twice.
    """
    decisive = REPLACING[kind] | {BEGINNING}
    keepers: dict[str, pulumi.Input[str]] = {
        to_camel(key): pulumi.Output.from_input(value).apply(str)
        for key, value in inputs.items()
        if key in decisive and value is not None
    }
    suffix = random.RandomId(f"{name}-final-snapshot", byte_length=4, keepers=keepers, opts=opts)
    return pulumi.Output.concat(name, "-final-", suffix.hex)
