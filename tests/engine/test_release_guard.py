"""Running stacks under the real engine, after a pull of a program with another default release.

It proves that a preview refuses to take a stack to another major that nobody named, that an `up`
without a preview migrates nothing then, and what passes. AWS is the in-memory one.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.deployment import Deployment

pytestmark = [pytest.mark.running, pytest.mark.xdist_group("release guard")]

STORES = "langfuse-dev-stores"
INVOCATION = "aws:lambda/invocation:Invocation"
STAY = f"pulumi config set langfuse:release {LANGFUSE_3}"
GO = f"pulumi config set langfuse:release {LANGFUSE}"


@pytest.fixture(scope="module")
def deployment(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Bring up one stack on Langfuse 3; the tests only preview, or are refused."""
    found = Deployment.of("dev", tmp_path_factory.mktemp("release"), environment)
    found.configure("release", LANGFUSE_3)
    found.up()
    return found


@contextmanager
def unnamed(deployment: Deployment) -> Generator[None]:
    """Without the release in the stack file, as it is where nobody ever named one."""
    file = deployment.stack.folder / f"Pulumi.{deployment.stack.name}.yaml"
    kept = file.read_text(encoding="utf-8")
    deployment.run("config", "rm", "langfuse:release", "--stack", "dev")
    yield
    file.write_text(kept, encoding="utf-8")


@contextmanager
def remembering(deployment: Deployment, facts: dict[str, Any] | None) -> Generator[None]:
    """With other memories in the state; None: those of a program that had none."""
    exported = deployment.run("stack", "export", "--stack", "dev").stdout
    state = json.loads(exported)
    (stash,) = [
        each for each in state["deployment"]["resources"] if each["urn"].endswith(f"::{STORES}")
    ]
    for part in ("inputs", "outputs"):
        remembered = stash[part]["input"]
        for key in [key for key in remembered if key.startswith("Langfuse ")]:
            del remembered[key]
        remembered |= facts or {}
    into(deployment, json.dumps(state))
    yield
    into(deployment, exported)


def into(deployment: Deployment, exported: str) -> None:
    file = deployment.stack.folder / "state.json"
    file.write_text(exported, encoding="utf-8")
    deployment.run("stack", "import", "--file", str(file), "--stack", "dev")


def invocations(deployment: Deployment) -> list[Any]:
    return [each["inputs"] for each in deployment.of_type(INVOCATION)]


@pytest.mark.parametrize("facts", [None, {"Langfuse major": 3}])
def test_a_stack_that_names_no_release_does_not_go_to_4_by_a_pull(
    deployment: Deployment, facts: dict[str, Any] | None
) -> None:
    with unnamed(deployment), remembering(deployment, facts):
        done = deployment.run("preview", "--stack", "dev", check=False)
    assert done.returncode != 0
    printed = done.stdout + done.stderr
    assert STAY in printed
    assert GO in printed
    assert "docs/upgrade.md#from-3-to-4" in printed
    assert "Traceback" not in printed


def test_an_up_without_a_preview_neither_migrates_nor_moves_a_service(
    deployment: Deployment,
) -> None:
    def running() -> list[Any]:
        kinds = (INVOCATION, "aws:ecs/service:Service")
        return [
            (each["urn"], each["outputs"].get("taskDefinition"), each["inputs"].get("input"))
            for each in deployment.state()
            if each["type"] in kinds
        ]

    before = running()
    with unnamed(deployment):
        done = deployment.up(check=False)
    assert done.returncode != 0
    assert STAY in done.stdout + done.stderr
    assert running() == before
    deployment.up()


def test_a_named_release_passes_whatever_is_remembered(deployment: Deployment) -> None:
    for facts in (None, {"Langfuse major": 3}):
        with remembering(deployment, facts):
            assert deployment.run("preview", "--stack", "dev").returncode == 0
            with unnamed(deployment):
                deployment.configure("release", LANGFUSE)
                steps = deployment.steps()
            assert {each["op"] for each in steps if INVOCATION in each["urn"]} & {
                "replace",
                "create-replacement",
            }


def test_a_stack_on_4_by_default_takes_a_patch_and_not_another_write_mode(
    deployment: Deployment,
) -> None:
    earlier = {"Langfuse major": 4, "Langfuse writeMode": "events_only"}
    with unnamed(deployment):
        with remembering(deployment, earlier):
            assert deployment.run("preview", "--stack", "dev").returncode == 0
        with remembering(deployment, {**earlier, "Langfuse writeMode": "dual"}):
            done = deployment.run("preview", "--stack", "dev", check=False)
            assert done.returncode != 0
            printed = done.stdout + done.stderr
            for mode in ("dual", "events_only"):
                assert f"pulumi config set --path langfuse:v4.writeMode {mode}" in printed
            deployment.configure("v4.writeMode", "events_only")
            assert deployment.run("preview", "--stack", "dev").returncode == 0
        with remembering(deployment, {"Langfuse major": 5}):
            assert deployment.run("preview", "--stack", "dev", check=False).returncode != 0
