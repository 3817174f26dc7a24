"""What a saved plan is of, and what is said of one that no longer fits.

The engine's messages are those of its sources; that it sends them tests/engine/test_update_plan
shows.
"""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.automation.engine.update_plan import (
    Origin,
    PlanError,
    Refusals,
    UpdatePlan,
    program_digest,
    settings_digest,
    write,
)
from langfuse_aws.review.property_changes import PlannedStep, PropertyChange

URN = "urn:pulumi:dev::langfuse::x$aws:rds/cluster:Cluster::pg"
ORIGIN = Origin("dev", "s3://states", "settings", "program", "3.250.0")
SAVED = "2026-11-29T01:02:03+00:00"
STEP = PlannedStep(
    "update", URN, {"size": "update"}, (PropertyChange("size", "1", "2", replaces=False),)
)
ENGINES: dict[str, Any] = {
    "manifest": {},
    "resourcePlans": {
        URN: {"goal": {"inputDiff": {"updates": {"masterPassword": {}}}}, "state": {"size": 2}},
        "urn:gone": {"steps": ["delete"]},
    },
}


@pytest.fixture
def plan(tmp_path: Path) -> UpdatePlan:
    engines = tmp_path / "engines.json"
    engines.write_text(json.dumps(ENGINES))
    write(tmp_path / "p.plan", engines, ORIGIN, SAVED, [STEP], {"update": 1})
    return UpdatePlan.read(tmp_path / "p.plan")


def test_a_plan_is_the_engines_with_a_record_and_its_owners_alone(plan: UpdatePlan) -> None:
    stored = json.loads(plan.path.read_text())
    assert {key: stored[key] for key in ENGINES} == ENGINES
    assert (plan.origin, plan.saved, plan.steps) == (ORIGIN, SAVED, [STEP])
    assert plan.changes == {"update": 1}
    assert plan.resources[URN] == {"masterPassword", "size"}
    assert stat.S_IMODE(plan.path.stat().st_mode) == 0o600
    left = {each.name for each in plan.path.parent.iterdir()}
    assert left == {"engines.json", "p.plan"}


def test_a_file_that_others_may_read_is_not_written_over_as_it_is(
    plan: UpdatePlan, tmp_path: Path
) -> None:
    plan.path.chmod(0o644)
    write(plan.path, tmp_path / "engines.json", ORIGIN, SAVED, [], {})
    assert stat.S_IMODE(plan.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"resourcePlans": {}}', '{"langfuse": {"steps": 1}}']
)
def test_what_is_no_plan_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.plan"
    path.write_text(text)
    with pytest.raises(PlanError, match=rf"{path}: is no plan\. preview --save {path} writes one"):
        UpdatePlan.read(path)


def test_a_plan_that_is_missing_or_binary_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read: No such file or directory"):
        UpdatePlan.read(tmp_path / "none")
    with pytest.raises(PlanError, match="cannot be read: Is a directory"):
        UpdatePlan.read(tmp_path)
    (tmp_path / "b").write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="is no plan"):
        UpdatePlan.read(tmp_path / "b")


def test_a_plan_of_what_is_there_now_is_right(plan: UpdatePlan) -> None:
    plan.check(ORIGIN)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(ORIGIN, stack="prod"), "is a plan of stack dev in s3://states, not of stack prod"),
        (replace(ORIGIN, backend="file://x"), "not of stack dev in file://x"),
        (replace(ORIGIN, settings="x"), "the settings changed since it was saved, " + SAVED),
        (replace(ORIGIN, program="x"), "the program changed since it was saved"),
        (replace(ORIGIN, engine="4"), "the Pulumi CLI (3.250.0, now 4) changed since"),
        (replace(ORIGIN, settings="x", program="x"), "the settings and the program changed since"),
    ],
)
def test_a_plan_of_something_else_is_refused_with_what_and_the_way_out(
    plan: UpdatePlan, now: Origin, said: str
) -> None:
    with pytest.raises(PlanError) as caught:
        plan.check(now)
    assert said in str(caught.value)
    assert "Nothing was changed." in str(caught.value)
    assert str(caught.value).endswith(f"preview --stack {now.stack} --save {plan.path}")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            f"resource {URN} violates plan: properties changed: ~~masterPassword[&{{{{hush}}}}"
            "!=&{{hush, ~~size[hush]\nhush}}], ++hush[hush]",
            "pg (aws:rds/cluster:Cluster): properties changed (masterPassword, size)",
        ),
        (
            f"resource {URN} violates plan: dependencies changed: added urn:hush",
            "pg (aws:rds/cluster:Cluster): dependencies changed",
        ),
        (
            f"resource {URN} violates plan: protect changed (expected hush)",
            "pg (aws:rds/cluster:Cluster): protect changed",
        ),
        (
            "resource violates plan: properties changed: ++a[hush]",
            "pg (aws:rds/cluster:Cluster): properties changed",
        ),
        (
            "update is not allowed by the plan: no steps were expected for this resource",
            "pg (aws:rds/cluster:Cluster): update now, which is not in the plan",
        ),
        (
            "create-replacement is not allowed by the plan: this resource is constrained to same",
            "pg (aws:rds/cluster:Cluster): create-replacement now, which is not in the plan",
        ),
        (
            f"expected resource operations for {URN} but none were seen",
            "pg (aws:rds/cluster:Cluster): nothing now, though the plan has something",
        ),
    ],
)
def test_what_the_engine_refuses_is_said_without_values(
    plan: UpdatePlan, message: str, line: str
) -> None:
    refusals = Refusals(plan)
    assert refusals.reworded(f"error: {message}", URN) == line
    assert "hush" not in line
    assert refusals.reworded(message, URN) == line
    nothing, stopped = (str(refusals.error("dev", begun=each)) for each in (False, True))
    assert nothing.splitlines()[:2] == [
        f"{plan.path}: no longer fits, and nothing was changed.",
        f"  {line}",
    ]
    assert f"preview --stack dev --save {plan.path}" in nothing
    assert "the update stopped on its way: what was done stays" in stopped


def test_what_is_no_refusal_stays_as_it_is(plan: UpdatePlan) -> None:
    assert Refusals(plan).reworded("error: the bucket is full", URN) is None


def test_settings_are_told_apart_by_what_they_say(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        file = tmp_path / "Pulumi.dev.yaml"
        file.write_text(text)
        return settings_digest(file, None)

    one = digest("config: {a: 1, b: 2}")
    assert digest("# said\nconfig:\n  b: 2\n  a: 1\n") == one
    assert digest("config: {a: 1, b: 3}") != one
    assert settings_digest(None, {"a": 1}) != settings_digest(None, {"a": 2})


def test_programs_are_told_apart_by_their_files(tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("1")
    (tmp_path / "notes.md").write_text("1")
    first = program_digest(tmp_path)
    (tmp_path / "notes.md").write_text("2")
    assert program_digest(tmp_path) == first
    for name in ("__main__.py", "customize.py", "images.lock.json"):
        before = program_digest(tmp_path)
        (tmp_path / name).write_text("2")
        assert program_digest(tmp_path) != before, name
