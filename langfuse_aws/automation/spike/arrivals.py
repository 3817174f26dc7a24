"""Jobs per second that come to the queue: a spike by its figures, or a series from a file."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.spike.inputs import MOST_JOBS, Inputs

SPIKE_STARTS: Final = 600
"""Seconds of base load first. A spike starts with a period of the alarms: the best case."""
COLUMNS: Final = ("second", "jobs_per_second")
MOST_COMPLAINTS: Final = 10


class ArrivalsError(UserError):
    """A file that is no series: a line for every problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))

    @property
    def messages(self) -> Sequence[str]:
        """The lines."""
        return self.problems


def spiky(inputs: Inputs) -> list[float]:
    """Base load, with one spike."""
    end = SPIKE_STARTS + 60 * inputs.spike_minutes
    return [
        inputs.spike if SPIKE_STARTS <= second < end else inputs.base
        for second in range(60 * inputs.minutes)
    ]


def read(file: Path, minutes: int) -> list[float]:
    """The series of a file. A row's rate holds until the next row, the last one's to the end."""
    try:
        lines = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ArrivalsError([f"{file}: cannot be read as CSV in UTF-8: {error}."]) from None
    if not lines or tuple(cell.strip() for cell in lines[0]) != COLUMNS:
        raise ArrivalsError([f"{file}, line 1: must be {','.join(COLUMNS)}. Add this heading."])
    rows = {line: row for line, row in enumerate(lines[1:], start=2) if row}
    if not rows:
        raise ArrivalsError([f"{file}, line 2: is missing. Add a row such as 0,12.5."])
    seconds = 60 * minutes
    complaints = [f"{file}, {complaint}" for complaint in _complaints(rows, seconds)]
    if len(complaints) > MOST_COMPLAINTS:
        more = len(complaints) - MOST_COMPLAINTS
        complaints[MOST_COMPLAINTS:] = [
            f"{file}: has {more} more wrong cells. Correct these first."
        ]
    if complaints:
        raise ArrivalsError(complaints)
    steps = [(int(float(second)), float(rate)) for second, rate in rows.values()]
    ends = [*(start for start, _ in steps[1:]), seconds]
    series = [0.0] * seconds
    for (start, rate), end in zip(steps, ends, strict=True):
        series[start:end] = [rate] * (end - start)
    return series


def _complaints(rows: Mapping[int, Sequence[str]], seconds: int) -> Iterator[str]:
    """Say what is wrong, by the number of the line."""
    previous = -1.0
    for line, row in rows.items():
        if len(row) != len(COLUMNS):
            yield f"line {line}: has {len(row)} cells, must have 2. Write it as 60,12.5."
            continue
        second, rate = (_number(cell) for cell in row)
        if second is None or not second.is_integer() or not 0 <= second < seconds:
            yield (
                f"line {line}: second is {row[0]!r}, must be a whole number from 0 to "
                f"{seconds - 1}. Correct it, or raise --minutes."
            )
        elif second <= previous:
            yield (
                f"line {line}: second is {row[0]!r}, must be more than {previous:.0f}, the one "
                "before. Sort the rows."
            )
        else:
            previous = second
        if rate is None or not 0 <= rate <= MOST_JOBS:
            yield (
                f"line {line}: jobs_per_second is {row[1]!r}, must be a number from 0 to "
                f"{MOST_JOBS}. Write it as 12.5."
            )


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
