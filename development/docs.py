"""Writes the generated parts of the documentation: `make docs`.

A generated part stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`; the text around it is
written by hand and is left alone. `--check` writes nothing, names each stale file and exits with 1.
What the parts say is the business of `alarm_tables`, `architecture_parts`, `change_tables`,
`configuration_tables`, `cost_tables`, `peer_costs`, `policy_tables`, `posture_tables`,
`scaling_tables`, `store_tables` and `trap_tables`.
`plugin_arguments` writes all of `plugin/arguments.py`, `stack_schema` the schema of stack files.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from development import stack_schema
from development.alarm_tables import alarm_cost, alarm_table
from development.architecture_parts import flowchart, open_ports_table
from development.change_tables import change_table
from development.configuration_tables import full_configuration, short_configuration
from development.cost_tables import (
    cluster_cost,
    cost_by_events,
    cost_by_region,
    full_cost,
    price_table,
    short_cost,
    sleeping_cost,
    usage_figures,
)
from development.peer_costs import peer_table
from development.plugin_arguments import source
from development.policy_tables import anywhere_table, narrower_table, rule_tables
from development.posture_tables import posture_counts, posture_further, posture_rules
from development.scaling_tables import spike_by_busy_cpu, spike_inputs, spike_results, web_spikes
from development.store_tables import store_table
from development.trap_tables import trap_table

REPOSITORY: Final = Path(__file__).resolve().parent.parent

PARTS: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    "README.md": {"configuration": short_configuration, "cost": short_cost},
    "docs/architecture.md": {
        "largest": partial(flowchart, "prod"),
        "smallest": partial(flowchart, "dev"),
    },
    "docs/alarms.md": {"alarms": alarm_table},
    "docs/configuration.md": {"configuration": full_configuration},
    "docs/cost.md": {
        "cost": full_cost,
        "cluster": cluster_cost,
        "regions": cost_by_region,
        "events": cost_by_events,
        "usage": usage_figures,
        "alarms": alarm_cost,
        "peers": peer_table,
        "prices": price_table,
    },
    "docs/hours.md": {"cost": sleeping_cost},
    "docs/network.md": {"open-ports": open_ports_table},
    "docs/operations.md": {"changes": change_table, "stores": store_table},
    "docs/policies.md": {
        "rules": rule_tables,
        "anywhere": anywhere_table,
        "narrower": narrower_table,
    },
    "docs/scaling.md": {
        "inputs": spike_inputs,
        "results": spike_results,
        "busy-cpu": spike_by_busy_cpu,
        "web": web_spikes,
    },
    "docs/security.md": {
        "counts": posture_counts,
        "rules": posture_rules,
        "further": posture_further,
    },
    "docs/upgrade.md": {"traps": trap_table},
}
"""The generated parts of each file, by the name in the markers."""

FILES: Final[Mapping[str, Callable[[], str]]] = {
    "langfuse_aws/settings/stack.schema.json": stack_schema.source,
    "plugin/arguments.py": source,
}
"""The files that are generated as a whole."""


class MarkerError(Exception):
    """A file lacks the markers of a generated part."""


def renewed(file: str, text: str) -> str:
    """The text of a file with its generated parts written anew."""
    for name, generate in PARTS[file].items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise MarkerError(f"{file} must have {begin} and {end} once")
        part = f"{begin}\n<!-- written by make docs -->\n\n{generate()}\n\n{end}"
        text = pattern.sub(lambda _, part=part: part, text)
    return text


def stale() -> dict[Path, str]:
    """The files that are not current, or parts of them, with the text they should have."""
    found: dict[Path, str] = {}
    for file in PARTS:
        path = REPOSITORY / file
        text = path.read_text(encoding="utf-8")
        new = renewed(file, text)
        if new != text:
            found[path] = new
    for file, generate in FILES.items():
        path, new = REPOSITORY / file, generate()
        if not path.is_file() or path.read_text(encoding="utf-8") != new:
            found[path] = new
    return found


def main() -> int:
    """Write what is stale, or name it."""
    parser = argparse.ArgumentParser(
        prog="python -m development.docs",
        description="Write the generated parts of the documentation.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    arguments = parser.parse_args()
    try:
        found = stale()
    except (MarkerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path, text in found.items():
        name = path.relative_to(REPOSITORY)
        if arguments.check:
            print(f"{name} is stale: run make docs", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if arguments.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
