"""What a stack remembers of its release, and which changes of it need somebody's word."""

from typing import Any

import pytest

from langfuse_aws.components.protection.release_guard import ReleaseGuard, in_configuration
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from plugin.component import how_to_set

UPGRADE = "docs/upgrade.md#from-3-to-4"


def guard(**keys: Any) -> ReleaseGuard:
    return ReleaseGuard(load({"size": "dev", **keys}), in_configuration)


def remembered(major: float, mode: str | None = None) -> dict[str, Any]:
    """As the engine hands it to the hook, which knows no integers."""
    return {
        "aws:s3/bucket:Bucket langfuse-dev-storage": True,
        "Langfuse major": major,
        **({} if mode is None else {"Langfuse writeMode": mode}),
    }


def test_a_stack_remembers_its_major_and_its_write_mode() -> None:
    assert guard().remembered == {"Langfuse major": 4, "Langfuse writeMode": "events_only"}
    assert guard(release=LANGFUSE_3).remembered == {
        "Langfuse major": 3,
        "Langfuse writeMode": "legacy",
    }


@pytest.mark.parametrize(
    ("old", "major", "stays"),
    [
        ({"aws:s3/bucket:Bucket langfuse-dev-storage": True}, 3, LANGFUSE_3),
        (remembered(3.0, "legacy"), 3, LANGFUSE_3),
        (remembered(5.0, "events_only"), 5, "5.Y.Z"),
    ],
    ids=["a program that remembered nothing", "3", "5, by a later program"],
)
def test_another_major_that_nobody_named_is_refused_with_two_lines_to_choose_from(
    old: dict[str, Any], major: int, stays: str
) -> None:
    (text,) = guard().faults(old)
    first, stay, go = text.splitlines()
    assert first.startswith(
        f"No release of Langfuse is named, this stack runs Langfuse {major}, and the default of "
        f"this program is {LANGFUSE}"
    )
    assert "cannot be undone" in first
    assert stay.strip().startswith(f"pulumi config set langfuse:release {stays} ")
    assert go.strip().startswith(f"pulumi config set langfuse:release {LANGFUSE} ")
    assert UPGRADE in go


@pytest.mark.parametrize("old", [{}, remembered(3), remembered(4)])
def test_a_named_release_of_the_same_or_a_later_major_passes(old: dict[str, Any]) -> None:
    assert list(guard(release=LANGFUSE).faults(old)) == []
    assert list(guard(release=LANGFUSE_3).faults({**old, "Langfuse major": 3.0})) == []


@pytest.mark.parametrize(("major", "release"), [(4.0, LANGFUSE_3), (5.0, LANGFUSE)])
def test_an_earlier_major_is_refused_though_it_is_named(major: float, release: str) -> None:
    (text,) = guard(release=release).faults(remembered(major))
    assert text.startswith(
        f"langfuse:release: {release}: this stack runs Langfuse {major:g}, whose migrations "
        "cannot be undone, and an earlier one does not start on its databases"
    )
    assert "docs/upgrade.md#never-back" in text
    assert "langfuse:allowReplace" in text


def test_an_earlier_major_passes_while_a_store_is_put_back() -> None:
    settings = {"release": LANGFUSE_3, "allowReplace": ["langfuse-dev-postgres"]}
    assert list(guard(**settings).faults(remembered(4))) == []


def test_releases_of_one_major_follow_the_default() -> None:
    assert list(guard().faults(remembered(4, "events_only"))) == []
    assert list(guard().faults(remembered(4))) == [], "its program did not know the mode"


def test_a_write_mode_that_nobody_names_any_more_does_not_change_by_itself() -> None:
    old = remembered(4, "legacy")
    for keys in ({}, {"release": LANGFUSE}):
        first, stay, go = "\n".join(guard(**keys).faults(old)).splitlines()
        assert first.startswith("No write mode is named")
        path = "pulumi config set --path langfuse:v4.writeMode"
        assert stay.strip().startswith(f"{path} legacy ")
        assert go.strip().startswith(f"{path} events_only ")
    for mode in ("legacy", "dual", "events_only"):
        assert list(guard(v4={"writeMode": mode}).faults(old)) == []


def test_a_release_that_is_named_brings_its_own_write_mode() -> None:
    old = remembered(3, "legacy")
    assert list(guard(release=LANGFUSE).faults(old)) == []


def test_a_component_is_told_in_the_words_of_its_arguments() -> None:
    settings = load({"size": "dev"})
    (text,) = ReleaseGuard(settings, how_to_set).faults({})
    assert "pulumi config" not in text
    assert "langfuse:" not in text
    assert f'release: "{LANGFUSE_3}" among the arguments of the component' in text
