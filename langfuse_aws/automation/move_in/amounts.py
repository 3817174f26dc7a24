"""Writes amounts for people: bytes, seconds, shares."""

from typing import Final

_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")


def size(count: float) -> str:
    """Write bytes, such as `1.5 GiB`."""
    if count < 1024:
        return f"{count:.0f} B"
    for unit in _UNITS[:-1]:
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} {_UNITS[-1]}"


def counted(count: int, noun: str) -> str:
    """Write a number of things, such as `1 partition`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Write seconds in the largest units that say something, such as `2 h 10 min`."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def rate(bytes_a_second: float) -> str:
    """Write a throughput."""
    return f"{size(bytes_a_second)}/s"
