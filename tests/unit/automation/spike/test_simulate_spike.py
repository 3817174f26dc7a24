"""`simulate-spike`, the command: what it takes, prints and draws, and that docs/scaling.md is its.

It proves that figures reach the model and come out with their origin, and that every error is one
line. Whether the model is right is in test_model.py.
"""

import json
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.spike.arrivals import read, spiky
from langfuse_aws.automation.spike.inputs import Inputs
from langfuse_aws.automation.spike.model import totals
from langfuse_aws.automation.spike.picture import metadata
from langfuse_aws.automation.spike.report import compare, drain, duration, usd_per_task_hour

DOCS = Path(__file__).parents[4] / "docs"
SHORT = ("--minutes", "20")
PNG = b"\x89PNG\r\n\x1a\n"


def simulate_spike(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["simulate-spike", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def report(*arguments: str) -> dict[str, Any]:
    result = simulate_spike("--json", *arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return json.loads(result.stdout)


def refused(*arguments: str, exit_code: int = 1) -> list[str]:
    """The lines of an error that the command finds itself."""
    result = simulate_spike(*arguments)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    return result.stderr.splitlines()


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The parts of a PNG file: https://www.w3.org/TR/png-3/#5Chunk-layout."""
    assert png.startswith(PNG)
    at = len(PNG)
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += 12 + length


def description(png: bytes) -> str:
    texts = dict(data.split(b"\0", 1) for kind, data in chunks(png) if kind == b"tEXt")
    return texts[b"Description"].decode()


# --- what it prints


def test_it_prints_the_inputs_with_their_origin_and_the_result_of_both_settings() -> None:
    result = simulate_spike(*SHORT)
    assert (result.exit_code, result.stderr) == (0, "")
    inputs, results, note, *more = result.stdout.split("\n\n")
    assert inputs.splitlines()[0].split() == ["Input", "Value", "Unit", "Origin"]
    lines = [" ".join(line.split()) for line in inputs.splitlines()]
    assert "Length of the simulation 20 min given" in lines
    assert "Arrivals outside the spike 10 jobs/s assumed" in lines
    assert inputs.count("size prod") == 4
    assert "scaleOn: cpu  scaleOn: backlog" in results
    assert note.startswith("A simulation: nothing in it was measured.")
    assert not more


def test_json_has_what_the_model_says() -> None:
    found = report()
    inputs = Inputs()
    outcomes = compare(inputs, spiky(inputs))
    assert set(found) == {"note", "inputs", "results", "minutes"}
    for scale_on, outcome in outcomes.items():
        expected = totals(outcome.run, inputs, usd_per_task_hour(inputs))
        assert found["results"][scale_on] == vars(expected)
        minutes = found["minutes"][scale_on]
        assert len(minutes) == 120
        assert minutes[24] == outcome.run[25 * 60 - 1]._asdict()
    assert found["results"]["cpu"]["peak_lag_seconds"] == 1350, "27000 jobs, 20 a second"


def test_a_figure_is_assumed_until_it_is_given() -> None:
    options = {"service-rate": 4.0, "busy-cpu": 65.0, "start-delay": 30, "metric-delay": 60}
    options |= {"log-delay": 25, "base": 5.0, "spike": 20.0, "spike-minutes": 5}
    arguments = [text for name, value in options.items() for text in (f"--{name}", f"{value}")]
    for given, origin in (([], "assumed"), (arguments, "given")):
        rows = {row["name"]: row for row in report(*SHORT, *given)["inputs"]}
        for name, value in options.items():
            row = rows[name.replace("-", "_")]
            assert row["origin"] == origin, name
            assert (row["value"] == value) is bool(given), name


def test_the_tasks_are_those_of_the_size_unless_given() -> None:
    rows = {row["name"]: row for row in report("--size", "dev", "--max-tasks", "5")["inputs"]}
    found = {name: rows[name]["value"] for name in ("min_tasks", "max_tasks", "cpu", "memory")}
    assert found == {"min_tasks": 1, "max_tasks": 5, "cpu": 512, "memory": 2048}
    assert (rows["min_tasks"]["origin"], rows["max_tasks"]["origin"]) == ("size dev", "given")
    assert rows["usd_per_task_hour"]["value"] == pytest.approx(0.03238 / 2 + 2 * 0.00356)  # pyright: ignore[reportUnknownMemberType]


def test_durations_are_words_and_a_cut_one_says_so() -> None:
    assert [duration(each) for each in (0, 59, 60, 3654)] == ["0 s", "59 s", "1 min", "60 min 54 s"]
    inputs = Inputs(minutes=20)
    cut = compare(inputs, spiky(inputs))["cpu"].totals
    assert drain(cut) == "more than 10 min"
    assert drain(replace(cut, drained=True)) == "10 min"


# --- a series of one's own


def series(folder: Path, text: str) -> Path:
    file = folder / "series.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_row_of_a_series_holds_until_the_next_one(tmp_path: Path) -> None:
    file = series(tmp_path, "\ufeffsecond,jobs_per_second\n2,5\n\n4,0.5\n60,7\n")
    found = read(file, 2)
    assert found == [0, 0, 5, 5, *[0.5] * 56, *[7] * 60]
    shown = report(*SHORT, "--arrivals", str(file))
    rows = {row["name"]: row for row in shown["inputs"]}
    assert (rows["arrivals"]["value"], rows["arrivals"]["origin"]) == (str(file), "given")
    assert not {"base", "spike", "spike_minutes"} & set(rows)
    assert [each["arrived"] for each in shown["minutes"]["cpu"]][:3] == [0.5, 7, 7]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("x,1", "line 3: second is 'x', must be a whole number from 0 to 1199. Correct it, "),
        ("1.5,1", "line 3: second is '1.5', must be a whole number from 0 to 1199. Correct it, "),
        ("-1,1", "line 3: second is '-1', must be a whole number from 0 to 1199. Correct it, "),
        ("1200,1", "line 3: second is '1200', must be a whole number from 0 to 1199. Correct it, "),
        ("0,1", "line 3: second is '0', must be more than 0, the one before. Sort the rows."),
        ("1,", "line 3: jobs_per_second is '', must be a number from 0 to 1000000. Write it as "),
        ("1,-2", "line 3: jobs_per_second is '-2', must be a number from 0 to 1000000. Write it "),
        ("1,nan", "line 3: jobs_per_second is 'nan', must be a number from 0 to 1000000. Write "),
        ("1,1e7", "line 3: jobs_per_second is '1e7', must be a number from 0 to 1000000. Write "),
        ("1", "line 3: has 1 cells, must have 2. Write it as 60,12.5."),
    ],
)
def test_a_wrong_row_is_named_with_its_bound_and_remedy(
    tmp_path: Path, row: str, complaint: str
) -> None:
    file = series(tmp_path, f"second,jobs_per_second\n0,1\n{row}\n")
    (line,) = refused(*SHORT, "--arrivals", str(file))
    assert line.startswith(f"error: {file}, {complaint}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", ", line 1: must be second,jobs_per_second. Add this heading."),
        ("0,1\n1,2\n", ", line 1: must be second,jobs_per_second. Add this heading."),
        ("second,jobs_per_second\n", ", line 2: is missing. Add a row such as 0,12.5."),
    ],
)
def test_a_file_without_heading_or_rows_is_refused(
    tmp_path: Path, text: str, complaint: str
) -> None:
    file = series(tmp_path, text)
    assert refused("--arrivals", str(file)) == [f"error: {file}{complaint}"]


def test_a_file_that_is_no_text_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "series.csv"
    file.write_bytes(PNG)
    (line,) = refused("--arrivals", str(file))
    assert line.startswith(f"error: {file}: cannot be read as CSV in UTF-8: ")


def test_all_wrong_rows_are_named_at_once_up_to_ten(tmp_path: Path) -> None:
    file = series(tmp_path, "second,jobs_per_second\n" + "x,y\n" * 7)
    lines = refused("--arrivals", str(file))
    assert [line.split(",")[1].split(":")[0] for line in lines[:10:2]] == [
        f" line {number}" for number in range(2, 7)
    ]
    assert lines[10:] == [f"error: {file}: has 4 more wrong cells. Correct these first."]


# --- errors


def test_a_series_and_a_spike_exclude_each_other(tmp_path: Path) -> None:
    file = series(tmp_path, "second,jobs_per_second\n0,1\n")
    assert refused("--arrivals", str(file), "--spike", "9", exit_code=2) == [
        "error: --arrivals says what arrives: leave out --base, --spike and --spike-minutes."
    ]


def test_tasks_have_the_bounds_of_the_stack_file() -> None:
    lines = refused("--min-tasks", "9", "--memory", "1", exit_code=2)
    assert [line.split(": ")[:3] for line in lines] == [
        ["error", "langfuse:worker.memory", "1"],
        ["error", "langfuse:worker.maxTasks", "8"],
    ]


def test_an_unknown_size_is_refused() -> None:
    assert refused("--size", "huge", exit_code=2) == [
        "error: --size: huge: must be one of dev, staging, prod. Choose one of these."
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--service-rate", "0"),
        ("--max-lag", "0"),
        ("--log-delay", "-1"),
        ("--busy-cpu", "101"),
        ("--minutes", "0"),
        ("--spike", "-1"),
        ("--start-delay", "1.5"),
        ("--arrivals", "/nonexistent/series.csv"),
    ],
)
def test_a_figure_out_of_its_range_is_a_usage_error(arguments: tuple[str, str]) -> None:
    result = simulate_spike(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Invalid value for '{arguments[0]}'" in result.stderr


# --- the picture


def test_the_picture_is_a_png_of_three_panels_with_the_figures_in_it(tmp_path: Path) -> None:
    file = tmp_path / "spike.png"
    result = simulate_spike("--minutes", "12", "--png", str(file))
    assert result.exit_code == 0
    found = list(chunks(file.read_bytes()))
    assert found[0][0] == b"IHDR"
    assert struct.unpack_from(">II", found[0][1]) == (800, 800)
    assert found[-1][0] == b"IEND"
    inputs = Inputs(minutes=12)
    assert description(file.read_bytes()) == metadata(compare(inputs, spiky(inputs)))["Description"]
    missing = tmp_path / "none" / "spike.png"
    (line,) = refused("--minutes", "1", "--png", str(missing))
    assert line.startswith(f"error: --png {missing}: cannot be written: ")


def test_without_matplotlib_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    file = tmp_path / "spike.png"
    assert refused("--png", str(file)) == ["error: --png needs matplotlib: pip install matplotlib"]
    assert not file.exists()
    assert simulate_spike(*SHORT).exit_code == 0, "nothing else needs it"


# --- docs/scaling.md; that its tables are current is in test_docs.py


def test_the_picture_in_the_documentation_is_of_the_defaults() -> None:
    inputs = Inputs()
    shown = description((DOCS / "images/spike.png").read_bytes())
    assert shown == metadata(compare(inputs, spiky(inputs)))["Description"], (
        "run python3 -m automation simulate-spike --png docs/images/spike.png"
    )


def test_the_sums_that_the_documentation_does_by_hand_are_those_of_the_defaults() -> None:
    text = (DOCS / "scaling.md").read_text(encoding="utf-8")
    inputs = Inputs()
    rate = f"{inputs.service_rate:g}"
    assert f"| {inputs.base:g} ÷ {rate} × 1.5 → {inputs.min_tasks} |" in text  # noqa: RUF001
    assert f"| {inputs.spike:g} ÷ {rate} → 5, and 3 to drain |" in text
    assert inputs.spike / inputs.service_rate + 3 == inputs.max_tasks
    assert f"delay of {inputs.metric_delay} s" in text
    assert f"this delay are {60 * inputs.datapoints_out + inputs.metric_delay} s" in text
    outcomes = compare(inputs, spiky(inputs))
    run, found = outcomes["backlog"].run, outcomes["backlog"].totals
    passed = next(second for second, each in enumerate(run) if each.lag > inputs.max_lag)
    assert found.first_scale_out_second is not None
    assert f"{found.first_scale_out_second - passed} s after the lag passed its target" in text
    assert f"most lag {duration(found.peak_lag_seconds)}" in text
