"""Prints what CHANGELOG.md says of a release.

`python -m development.release_notes v1.2.3 https://github.com/OWNER/NAME` refuses a tag that is not
the program's own release, one whose section has no date yet, and a repository that is not the one
which the program says it comes from. It needs nothing but the standard library.
"""

import re
import sys
from pathlib import Path
from typing import Final

from langfuse_aws import __version__
from langfuse_aws.settings.installation import REPOSITORY_URL

CHANGELOG: Final = Path(__file__).resolve().parent.parent / "CHANGELOG.md"
HEADING: Final = re.compile(r"^## (?P<release>\S+) \N{EN DASH} (?P<date>.+)$", re.MULTILINE)
DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class NotReadyError(Exception):
    """The release cannot be published; the message says what to change."""


def notes(tag: str, changelog: str, version: str = __version__) -> str:
    """The section of a tag's release, without its heading. Raises NotReadyError."""
    release = tag.removeprefix("v")
    if tag != f"v{version}":
        raise NotReadyError(
            f"{tag}: langfuse_aws/__init__.py says {version}: tag v{version}, or change it first."
        )
    headings = [*HEADING.finditer(changelog)]
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        if heading["release"] == release:
            if not DATE.fullmatch(heading["date"]):
                raise NotReadyError(
                    f"{CHANGELOG.name}: {release} is {heading['date']}: write its date there, as "
                    "2026-01-31."
                )
            end = following.start() if following else len(changelog)
            return changelog[heading.end() : end].strip()
    raise NotReadyError(f"{CHANGELOG.name}: has no section {release}: write one.")


def check_repository(repository: str, known: str = REPOSITORY_URL) -> None:
    """Raise NotReadyError unless it is the repository that the program names in what it writes."""
    if repository.lower() != known.lower():
        raise NotReadyError(
            f"langfuse_aws/settings/installation.py: REPOSITORY_URL is {known}, and this is "
            f"{repository}: write that there, and run make docs."
        )


def main() -> int:
    """Print the notes of the tag that is given, if it can be released."""
    tag, repository = sys.argv[1:]
    try:
        check_repository(repository)
        print(notes(tag, CHANGELOG.read_text(encoding="utf-8")))
    except NotReadyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
