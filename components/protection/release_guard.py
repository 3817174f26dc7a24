"""Refuses that a running stack goes to another major of Langfuse by default, or to an earlier one.

Nor does it go to other tables by default. What a stack runs is remembered beside its stores, and
compared in the preview (`protection.replacement_guard`). Where nothing is remembered, an earlier
program has deployed the stack, whose default was LANGFUSE_3.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3, version_of

# Two words, as the stores beside them have.
MAJOR: Final = "Langfuse major"
WRITE_MODE: Final = "Langfuse writeMode"

TESTED: Final = {version_of(each)[0]: each for each in (LANGFUSE_3, LANGFUSE)}
"""By major, the release that this program was tested with."""

UPGRADE: Final = "docs/upgrade.md#from-3-to-4"
NEVER_BACK: Final = "docs/upgrade.md#never-back"

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
    def remembered(self) -> Mapping[str, int | str]:
        """What the next program has to know."""
        return {MAJOR: self._settings.major, WRITE_MODE: self._settings.write_mode}

    def faults(self, old: Mapping[str, Any]) -> Iterator[str]:
        """What nobody named and would change, each with two ways to choose from."""
        settings = self._settings
        major = int(old.get(MAJOR, version_of(LANGFUSE_3)[0]))  # the engine knows no integers
        mode = str(old.get(WRITE_MODE, settings.write_mode))
        if major != settings.major:
            if "release" not in settings.model_fields_set:
                stay = self._how_to_set("release", TESTED.get(major, f"{major}.Y.Z"))
                go = self._how_to_set("release", settings.release)
                yield (
                    f"No release of Langfuse is named, this stack runs Langfuse {major}, and the "
                    f"default of this program is {settings.release}, whose migrations cannot be "
                    "undone. Name one of them:\n"
                    f"  {stay}  # stays on {major}; a later {major}.x, if that runs\n"
                    f"  {go}  # goes to {settings.major}: {UPGRADE}"
                )
            elif settings.major < major and not settings.allow_replace:
                yield (
                    f"langfuse:release: {settings.release}: this stack runs Langfuse {major}, "
                    "whose migrations cannot be undone, and an earlier one does not start on its "
                    f"databases. Put both back from snapshots of Langfuse {settings.major}, which "
                    "langfuse:allowReplace allows by their names; it also lets this pass if the "
                    f"migration to {major} never ran: {NEVER_BACK}"
                )
        elif settings.v4.write_mode is None and mode != settings.write_mode:
            yield (
                f"No write mode is named, and Langfuse would change from {mode} to "
                f"{settings.write_mode}. Name one of them:\n"
                f"  {self._how_to_set('v4.writeMode', mode)}  # stays\n"
                f"  {self._how_to_set('v4.writeMode', settings.write_mode)}  # goes: {UPGRADE}"
            )
