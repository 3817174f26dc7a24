"""Refuses that a running stack goes to another major of Langfuse, or to other tables, by default.

What a stack runs is remembered beside its stores, and compared in the preview
(`components/replacement_guard.py`). Where nothing is remembered, an earlier program has deployed
the stack, whose default was LANGFUSE_3.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from settings.model import Settings
from settings.releases import LANGFUSE_3, version_of

# Two words, as the stores beside them have.
RELEASE: Final = "Langfuse release"
WRITE_MODE: Final = "Langfuse writeMode"

UPGRADE: Final = "docs/upgrade.md#from-3-to-4"

HowToSet = Callable[[str, str], str]
"""Says how to give a setting, such as `v4.writeMode`, a value."""


def in_configuration(key: str, value: str) -> str:
    """Say it where the settings are a stack's configuration."""
    path = "--path " if "." in key else ""
    return f"pulumi config set {path}langfuse:{key} {value}"


class ReleaseGuard:
    """What a stack runs, and what it may become without somebody's word."""

    def __init__(self, settings: Settings, how_to_set: HowToSet = in_configuration) -> None:
        self._settings = settings
        self._how_to_set = how_to_set

    @property
    def remembered(self) -> Mapping[str, str]:
        """What the next program has to know."""
        return {RELEASE: self._settings.release, WRITE_MODE: self._settings.write_mode}

    def faults(self, old: Mapping[str, Any]) -> Iterator[str]:
        """What nobody named and would change, each with two ways to choose from."""
        settings = self._settings
        release = str(old.get(RELEASE, LANGFUSE_3))
        mode = old.get(WRITE_MODE, settings.write_mode)
        if version_of(release)[0] != settings.major:
            if "release" not in settings.model_fields_set:
                yield (
                    f"No release of Langfuse is named, and this program's default, "
                    f"{settings.release}, is another major than {release}: its migrations cannot "
                    "be undone. Name one; to stay, the one that runs:\n"
                    f"{self._choice('release', release, settings.release)}"
                )
        elif settings.v4.write_mode is None and mode != settings.write_mode:
            yield (
                f"No write mode is named, and Langfuse would change from {mode} to "
                f"{settings.write_mode}. Name one:\n"
                f"{self._choice('v4.writeMode', str(mode), settings.write_mode)}"
            )

    def _choice(self, key: str, old: str, new: str) -> str:
        stay, go = self._how_to_set(key, old), self._how_to_set(key, new)
        return f"  {stay} (stays)\n  {go} (goes: {UPGRADE})"
