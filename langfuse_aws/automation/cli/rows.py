"""Prints rows whose first column must be whole, to be copied, at any width of the terminal."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from langfuse_aws.automation.terminal import console

GAP: Final = "  "


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns; on a terminal that is too narrow for them, a line for each text of a row.

    A column without any text is left out. rich's own tables cut what does not fit.
    """
    columns = [
        (heading, texts) for heading, *texts in zip(headings, *rows, strict=True) if any(texts)
    ]
    widths = [max(map(len, (heading, *texts))) for heading, texts in columns]
    if console.is_terminal and sum(widths) + len(GAP) * (len(widths) - 1) > console.width:
        _print_blocks(columns)
        return
    _print_line([heading for heading, _ in columns], widths, "bold")
    for row in zip(*(texts for _, texts in columns), strict=True):
        _print_line(row, widths)


def _print_blocks(columns: Sequence[tuple[str, Sequence[str]]]) -> None:
    headings = [heading for heading, _ in columns]
    for first, *others in zip(*(texts for _, texts in columns), strict=True):
        console.print(Text(first, "bold"))
        for heading, text in zip(headings[1:], others, strict=True):
            if text:
                console.print(Text(f"{GAP}{heading}: {text}"))


def _print_line(texts: Sequence[str], widths: Sequence[int], style: str = "") -> None:
    padded = (text.ljust(width) for text, width in zip(texts, widths, strict=True))
    console.print(Text(GAP.join(padded).rstrip(), style))
