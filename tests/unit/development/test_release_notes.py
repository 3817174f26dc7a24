"""A release is published with its own section of the changelog, and only when it is ready."""

import re

import pytest

from development.release_notes import (
    CHANGELOG,
    HEADING,
    NotReadyError,
    check_repository,
    notes,
)
from langfuse_aws import __version__

DOCS = CHANGELOG.parent / "docs"
DASH = "\N{EN DASH}"
PAGE = f"""# Changelog

## 1.2.0 {DASH} unreleased

### Added

- What comes.

## 1.1.0 {DASH} 2026-10-02

### Added

- A thing.

### Upgrade

- Nothing.

## 1.0.0 {DASH} 2026-09-01

- The first.
"""


def test_the_notes_are_the_releases_own_section() -> None:
    assert notes("v1.1.0", PAGE, "1.1.0") == (
        "### Added\n\n- A thing.\n\n### Upgrade\n\n- Nothing."
    )
    assert notes("v1.0.0", PAGE, "1.0.0") == "- The first."


@pytest.mark.parametrize(
    ("tag", "version", "said"),
    [
        ("v1.1.0", "1.0.0", "v1.1.0: langfuse_aws/__init__.py says 1.0.0: tag v1.0.0, or change"),
        ("1.1.0", "1.1.0", "1.1.0: langfuse_aws/__init__.py says 1.1.0: tag v1.1.0, or change"),
        ("v1.2.0", "1.2.0", "CHANGELOG.md: 1.2.0 is unreleased: write its date there"),
        ("v1.3.0", "1.3.0", "CHANGELOG.md: has no section 1.3.0: write one."),
    ],
)
def test_what_is_not_ready_is_refused(tag: str, version: str, said: str) -> None:
    with pytest.raises(NotReadyError, match=f"^{re.escape(said)}"):
        notes(tag, PAGE, version)


def test_the_changelog_begins_with_the_release_that_the_program_is() -> None:
    first = HEADING.search(CHANGELOG.read_text(encoding="utf-8"))
    assert first
    assert first["release"] == __version__


def test_the_pages_install_the_release_that_the_program_is() -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}
    named = {
        (name, release)
        for name, text in pages.items()
        for release in re.findall(r"langfuse-aws(?:\.git/plugin)?@v([\w.]+)", text)
    }
    assert named == {(name, __version__) for name in ("install.md", "other-languages.md")}


def test_a_release_is_published_where_the_program_says_it_is() -> None:
    """Otherwise `new` pins a wheel, and alarms mail a link, that nobody has."""
    check_repository("https://github.com/Acme/langfuse", "https://github.com/acme/langfuse")
    said = (
        "langfuse_aws/settings/installation.py: REPOSITORY_URL is https://github.com/OWNER/a, and "
        "this is https://github.com/acme/a: write that there, and run make docs."
    )
    with pytest.raises(NotReadyError, match=f"^{re.escape(said)}$"):
        check_repository("https://github.com/acme/a", "https://github.com/OWNER/a")
