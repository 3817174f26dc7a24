"""The files that Grafana starts with, as pure functions: data sources and dashboards.

They are the YAML and JSON files beside it. The container has no volume: its command writes them.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent

PROVISIONING: Final = "/tmp/provisioning"  # noqa: S108 -- the container's own, where it may write
"""Where Grafana looks for them.
https://grafana.com/docs/grafana/latest/administration/provisioning/"""

HOME: Final = f"{PROVISIONING}/dashboards/langfuse.json"
"""The dashboard that Grafana opens with."""

_YAML: Final = {
    "DATA_SOURCES": ("datasources.yaml", "datasources/langfuse.yaml"),
    "DASHBOARDS": ("dashboards.yaml", "dashboards/langfuse.yaml"),
}


def paths() -> dict[str, str]:
    """Where in the container each file belongs, by the variable that brings its text."""
    dashboards = {
        f"DASHBOARD_{re.sub('[^A-Z0-9]', '_', file.stem.upper())}": f"dashboards/{file.name}"
        for file in sorted((FOLDER / "dashboards").glob("*.json"))
    }
    places = {variable: place for variable, (_, place) in _YAML.items()} | dashboards
    return {variable: f"{PROVISIONING}/{place}" for variable, place in places.items()}


def text(variable: str, values: Mapping[str, str]) -> str:
    """The text of a file. `values` are for the hidden variables of the dashboards."""
    if variable in _YAML:
        return (FOLDER / _YAML[variable][0]).read_text(encoding="utf-8")
    name = paths()[variable].rpartition("/")[2]
    source = json.loads((FOLDER / "dashboards" / name).read_text(encoding="utf-8"))
    return json.dumps(filled(source, values), separators=(",", ":"), sort_keys=True)


def filled(dashboard: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Give a dashboard's variables, all of them hidden, their values.

    A variable without a value goes, with the panels that name it and the rows that are left
    empty: no stack has everything that the dashboard knows of.
    """
    variables = dashboard["templating"]["list"]
    missing = {each["name"] for each in variables} - values.keys()
    kept = [{**each, "query": values[each["name"]]} for each in variables if each["name"] in values]
    panels: list[dict[str, Any]] = []
    for panel in dashboard["panels"]:
        if _names(panel, missing):
            continue
        if panel["type"] == "row" and panels and panels[-1]["type"] == "row":
            panels.pop()
        panels.append(panel)
    if panels and panels[-1]["type"] == "row":
        panels.pop()
    return {**dashboard, "templating": {"list": kept}, "panels": panels}


def _names(panel: Mapping[str, Any], variables: set[str]) -> bool:
    """Whether a panel's queries name one of these variables, as `$name` or `${name}`."""
    queries = json.dumps(panel.get("targets", []))
    return bool(variables & set(re.findall(r"\$\{?(\w+)", queries)))


def start_command() -> list[str]:
    """Build the container's command: write the files, then start as the image does."""
    folders = sorted({path.rpartition("/")[0] for path in paths().values()})
    lines = [f"mkdir -p {' '.join(folders)}"]
    lines += [f'printf %s "${variable}" > {path}' for variable, path in sorted(paths().items())]
    return ["/bin/sh", "-euc", " && ".join([*lines, "exec /run.sh"])]
