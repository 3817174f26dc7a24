"""Draws a simulation of a spike: three panels over time, both settings in each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.spike.report import Outcome, measures
from langfuse_aws.automation.spike.scaling import ScaleOn

COLOURS: Final[Mapping[ScaleOn, str]] = {"cpu": "#c2410c", "backlog": "#1d4ed8"}
DOTS_PER_INCH: Final = 100


def figure_class() -> type[Any]:
    """Find matplotlib, which `pulumi up` and the other commands do not need."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("--png needs matplotlib: pip install matplotlib") from None
    return Figure


def metadata(outcomes: Mapping[ScaleOn, Outcome]) -> dict[str, str | None]:
    """Text in the file: its figures, and no version of matplotlib."""
    lines = [f"{name}: {', '.join(values)}" for name, *values in measures(outcomes)]
    return {"Software": None, "Description": "; ".join([", ".join(outcomes), *lines])}


def draw(outcomes: Mapping[ScaleOn, Outcome], file: Path) -> None:
    """Write the PNG."""
    try:
        with file.open("wb") as target:
            _figure(outcomes).savefig(
                target, format="png", dpi=DOTS_PER_INCH, metadata=metadata(outcomes)
            )
    except OSError as error:
        raise UserError(f"--png {file}: cannot be written: {error.strerror}.") from None


def _figure(outcomes: Mapping[ScaleOn, Outcome]) -> Any:
    figure = figure_class()(figsize=(8, 8))
    figure.subplots_adjust(left=0.11, right=0.91, bottom=0.07, top=0.95, hspace=0.1)
    top, middle, bottom = figure.subplots(3, 1, sharex=True)
    arrivals = top.twinx()
    for scale_on, outcome in outcomes.items():
        minutes = [number / 60 for number in range(1, len(outcome.run) + 1)]
        look = {"color": COLOURS[scale_on], "label": f"scaleOn: {scale_on}"}
        top.plot(minutes, [each.backlog for each in outcome.run], **look)
        middle.plot(minutes, [each.lag / 60 for each in outcome.run], **look)
        bottom.plot(minutes, [each.running for each in outcome.run], **look)
        # The same for all.
        arrivals.plot(minutes, [each.arrived for each in outcome.run], color="#9ca3af", lw=1)
    top.set(title="Simulated, not measured", ylabel="Waiting jobs", ylim=(0, None))
    arrivals.set(ylabel="Arrivals, jobs/s (grey)", ylim=(0, None))
    middle.set(ylabel="Age of the oldest waiting job, min", ylim=(0, None))
    bottom.set(ylabel="Running tasks", xlabel="Minutes", ylim=(0, None))
    top.legend()
    return figure
