"""The command `cost`: its tables, its JSON, and what it says of mistakes.

It proves what is printed of a graph. The graph is a recorded one here; tests/engine shows that the
engine's has the same sum.
"""

import json
import math
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from development.recorded_graph import recorded, shipped_config
from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.cost import command as cost_command
from langfuse_aws.cost.bill import Bill, bill
from langfuse_aws.cost.prices import rows
from langfuse_aws.cost.rounding import shares
from langfuse_aws.cost.usage import Usage
from langfuse_aws.graph.model import Resource, ResourceGraph

STRANGER = Resource("x::queue", "aws:sqs/queue:Queue")


@cache
def dev_bill() -> Bill:
    return bill(recorded("dev", shipped_config("dev")), "us-east-1")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Let graphs be recorded ones, in us-east-1; gives which were asked for."""
    asked: list[tuple[str, bool]] = []

    def graph_of(stack: str, _folder: Path, *, deployed: bool) -> ResourceGraph:
        asked.append((stack, deployed))
        found = recorded(stack, shipped_config(stack)).resources
        here = {"region": "us-east-1"}
        return ResourceGraph(tuple(replace(each, inputs={**each.inputs, **here}) for each in found))

    monkeypatch.setattr(cost_command, "graph_of", graph_of)
    return asked


def cost(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["cost", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def report(*arguments: str) -> dict[str, Any]:
    result = cost("--json", *arguments)
    assert (result.exit_code, result.stderr.strip()) == (0, ""), result.output
    return json.loads(result.stdout)


def refused(*arguments: str, exit_code: int = 1) -> str:
    result = cost(*arguments)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    return result.stderr.strip()


def test_in_a_pipe_the_components_are_a_markdown_table_with_its_assumptions() -> None:
    lines = cost("--by", "component").stdout.splitlines()
    assert sum(dev_bill().sums.by_source.values()) == pytest.approx(81.14, abs=0.005)  # pyright: ignore[reportUnknownMemberType]
    assert lines[:3] == [
        "| Component | Prices from | On demand | As configured | Savings Plan |",
        "| --- | --- | ---: | ---: | ---: |",
        "| ClickHouse | public repository 87 %, other page 11 %, remembered 2 % | 33 | 33 | 26 |",
    ]
    here = [row.source for row in rows() if row.region in ("*", "us-east-1")]
    assert lines[-4:] == [
        f"| **Sum** | **{shares(dev_bill().sums.by_source)}** | **110** | **81** | **75** |",
        "",
        "Stack dev in us-east-1, USD a month of 730 h. It idles: --events-per-month adds traffic.",
        f"Prices of langfuse_aws/cost/prices.csv; {here.count('remembered')} of {len(here)} "
        f"for this region are "
        "remembered, the others have an address there. What AWS has not said itself is rounded to "
        "two digits; --json has them all. docs/cost.md says what is left out.",
    ]


def test_every_line_has_its_arithmetic() -> None:
    lines = cost("--stack", "staging").stdout.splitlines()
    assert lines[0].startswith(
        "| Component | Resource | What | Arithmetic | Prices from | On demand |"
    )
    resource = "| Network | langfuse-staging-nat | EC2 t4g.nano"
    assert f"{resource} | 1 × 0.0042 × 730 h | public repository | 3.1 | 3.1 | 2.2 |" in lines  # noqa: RUF001
    assert lines[lines.index("") - 1].endswith("| **220** | **170** | **160** |")


def test_in_a_terminal_it_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langfuse_aws.automation.cost.report.console._force_terminal", True)
    text = cost("--by", "component").stdout
    assert "| --- |" not in text
    assert "ClickHouse" in text
    assert "81" in text
    assert "81.14" not in text, "nobody knows it to the cent"


def test_the_json_has_the_lines_the_sums_and_the_assumptions() -> None:
    found = report("--stack", "prod", "--events-per-month", "1000000")
    assert (found["stack"], found["region"], found["unpriced"]) == ("prod", "us-east-1", [])
    assert found["usage"]["events_per_month"] == 1_000_000
    assert found["usd"]["configured"] == pytest.approx(630.67, abs=0.005)  # pyright: ignore[reportUnknownMemberType]
    by_lines = sum(line["configured"] for line in found["lines"])
    by_components = sum(each["configured"] for each in found["components"].values())
    assert by_lines == pytest.approx(found["usd"]["configured"])  # pyright: ignore[reportUnknownMemberType]
    assert by_components == pytest.approx(found["usd"]["configured"])  # pyright: ignore[reportUnknownMemberType]
    for sums in (found["usd"], *found["components"].values()):
        assert sum(sums["by_source"].values()) == pytest.approx(sums["configured"])  # pyright: ignore[reportUnknownMemberType]
        assert sums["known_from"] in sums["by_source"], "the weakest class"
    assert {line["known_from"] for line in found["lines"]} == {
        line["known_from"] for line in found["lines"]
    } & {"AWS", "public repository", "other page", "remembered"}
    (gateway, *_) = [line for line in found["lines"] if line["what"] == "NAT gateway"]
    assert gateway["component"] == "Network"
    assert gateway["type"] == "aws:ec2/natGateway:NatGateway"
    assert gateway["urn"].endswith(f"::{gateway['name']}")


def test_what_events_cost_is_said_apart() -> None:
    text = cost("--events-per-month", "1e6", "--by", "component").stdout
    assert "Of it 6.3 as configured for 1,000,000 events." in text


def test_a_figure_of_the_traffic_can_be_another() -> None:
    found = report("--events-per-month", "1e6", "--assume", "event_kb=10", "--assume", "log_kb=2")
    assert found["usage"]["event_kb"] == 10
    assert found["usage"]["log_kb"] == 2
    (stored,) = [line for line in found["lines"] if line["what"] == "Stored events"]
    assert stored["arithmetic"] == "30 GB × 0.023"  # noqa: RUF001


def test_another_region_has_its_own_prices() -> None:
    found = report("--region", "ap-northeast-1")
    assert found["region"] == "ap-northeast-1"
    assert found["usd"]["configured"] == pytest.approx(104.68, abs=0.005)  # pyright: ignore[reportUnknownMemberType]


def test_a_region_without_prices_is_refused_before_anything_is_previewed(
    offline: list[tuple[str, bool]],
) -> None:
    assert refused("--region", "mars-1", exit_code=2) == (
        "error: langfuse_aws/cost/prices.csv has no prices of region 'mars-1'. It has those "
        "of us-east-1, "
        "us-east-2, us-west-2, eu-west-1, eu-central-1, ap-northeast-1. Give --region, or add rows."
    )
    assert offline == []


@pytest.mark.parametrize("given", ["event_kb", "event_kb=x", "event_kb=", "event_kb=1,5"])
def test_a_figure_that_is_no_number_is_refused(given: str) -> None:
    assert refused("--assume", given, exit_code=2) == (
        f"error: --assume {given}: is not FIGURE=NUMBER, such as event_kb=20."
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--assume", "event_kb=-1"), "event_kb: must be from 0 to 1e+12"),
        (("--assume", "event_kb=nan"), "event_kb: must be from 0 to 1e+12"),
        (("--assume", "event_kb=inf"), "event_kb: must be from 0 to 1e+12"),
        (("--assume", "kept_months=1e13"), "kept_months: must be from 0 to 1e+12"),
        (("--assume", "events_per_request=0"), "events_per_request: must be from 0.001 to 1e+12"),
        (("--assume", "jobs_per_vcpu=0"), "jobs_per_vcpu: must be from 0.001 to 1e+12"),
        (("--assume", "busy_share=0"), "busy_share: must be from 0.001 to 1"),
        (("--assume", "volume_share=0"), "volume_share: must be from 0.001 to 1"),
        (("--assume", "cross_zone_share=1.1"), "cross_zone_share: must be from 0 to 1"),
        (("--events-per-month", "inf"), "events_per_month: must be from 0 to 1e+12"),
        (("--events-per-month", "1e13"), "events_per_month: must be from 0 to 1e+12"),
    ],
)
def test_a_figure_that_no_bill_could_be_made_of_is_refused(
    options: tuple[str, str], told: str
) -> None:
    given = ("--events-per-month", "1e6") if "--assume" in options else ()
    assert refused(*given, *options, exit_code=2) == f"error: {told}. Give another."


@pytest.mark.parametrize("figure", [each.name for each in fields(Usage)])
@pytest.mark.parametrize("end", ["least", "most"])
def test_every_figure_makes_a_bill_at_both_its_ends(figure: str, end: str) -> None:
    (metadata,) = [each.metadata for each in fields(Usage) if each.name == figure]
    others = () if figure == "events_per_month" else ("--events-per-month", "1e12")
    found = report(*others, "--assume", f"{figure}={metadata[end]}")
    assert found["usage"][figure] == metadata[end]
    assert math.isfinite(found["usd"]["configured"])


def test_a_figure_that_does_not_exist_is_refused() -> None:
    assert refused("--assume", "nonsense=1", exit_code=2) == (
        "error: --assume nonsense: is no figure. docs/cost.md, Traffic, lists them."
    )


def test_the_state_is_priced_when_asked(offline: list[tuple[str, bool]]) -> None:
    assert cost("--stack", "staging", "--deployed").exit_code == 0
    assert cost("--stack", "prod").exit_code == 0
    assert offline == [("staging", True), ("prod", False)]


def test_what_has_no_price_is_said_beside_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = ResourceGraph((STRANGER,))
    monkeypatch.setattr(cost_command, "graph_of", lambda *_, **__: graph)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    text = cost("--region", "us-east-1").stdout
    assert (
        "Not in the sums: queue: langfuse_aws/graph/resource_types.py does not know "
        "aws:sqs/queue:Queue." in text
    )
    assert refused() == "error: the resources do not say their region: give --region."
